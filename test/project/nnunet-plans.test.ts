import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { surveyCase } from '../../src/dataset/index.js';
import { cropFor } from '../../src/project/rules/crop.js';
import { windowOf } from '../../src/project/rules/intensity.js';
import { medianSize, targetSpacing } from '../../src/project/rules/target-spacing.js';
import type { Triple } from '../../src/volume/index.js';

const triple = z.tuple([z.number(), z.number(), z.number()]);
const planned = z.object({
  name: z.string(),
  sizes: z.array(triple),
  spacings: z.array(triple),
  nnunet: z.object({ spacing: triple, patch: triple, medianSize: triple }),
});
const scanned = planned.extend({
  files: z.array(z.tuple([z.string(), z.string()])),
  foreground: z.object({ percentile_00_5: z.number(), percentile_99_5: z.number() }),
});
/** What nnU-Net 2's planner makes of the same numbers and scans, by the script beside it. */
const { numbers, scans } = z
  .object({ numbers: z.array(planned), scans: z.array(scanned) })
  .parse(JSON.parse(readFileSync('test/parity/plan/nnunet-plans.json', 'utf8')));

const all = [...numbers, ...scans].map((plan) => [plan.name, plan] as const);
const product = ([x, y, z]: Triple) => x * y * z;

describe('against nnU-Net’s planner', () => {
  it('has ten tasks of the Decathlon, hard cases and real scans to compare with', () => {
    expect([numbers.length, scans.length]).toEqual([16, 4]);
  });

  it.each(all)('brings %s to the same spacing, where the median scan has the same size', (_, plan) => {
    const { spacing } = targetSpacing(plan.spacings, plan.sizes);
    for (const [axis, mm] of spacing.entries()) expect(mm).toBeCloseTo(plan.nnunet.spacing[axis] ?? 0, 3);
    const size = medianSize(plan.spacings, plan.sizes, spacing);
    for (const [axis, n] of size.entries())
      expect(Math.abs(n - (plan.nnunet.medianSize[axis] ?? 0))).toBeLessThanOrEqual(1);
  });

  it.each(all)('takes crops of the same shape of %s, for as many voxels', (_, plan) => {
    const { patch } = plan.nnunet;
    const { spacing } = targetSpacing(plan.spacings, plan.sizes);
    const size = medianSize(plan.spacings, plan.sizes, spacing);
    const crop = cropFor(spacing, size, product(patch), 8, 'up');
    // nnU-Net takes steps of 32 or 64 voxels along axes that it pools often, ours of 8: no side is further off.
    for (const [axis, side] of crop.entries()) {
      const theirs = patch[axis] ?? 0;
      expect(Math.abs(side - theirs), `${crop} for ${patch}`).toBeLessThanOrEqual(Math.max(8, 0.34 * theirs));
    }
  });
});

const real = process.env.HYBRIDMIM_REAL_DATA;

describe.skipIf(real === undefined)(
  'against nnU-Net’s fingerprint of real scans (HYBRIDMIM_REAL_DATA)',
  () => {
    it.each(scans.map((plan) => [plan.name, plan] as const))(
      'finds the same sizes, spacings and percentiles within the labels of %s',
      async (_, plan) => {
        const surveyed = await Promise.all(
          plan.files.map(([image, label], i) =>
            surveyCase({
              id: `${i}`,
              images: [join(real ?? '', image)],
              label: join(real ?? '', label),
              voxels: true,
            }),
          ),
        );
        for (const [i, { spacing, size }] of surveyed.entries()) {
          // nnU-Net keeps the order of the file's axes; these files have theirs in the order x, y, z.
          for (const axis of [0, 1, 2]) {
            expect(spacing[axis as 0 | 1 | 2]).toBeCloseTo(plan.spacings[i]?.[axis as 0 | 1 | 2] ?? 0, 3);
            expect(size[axis as 0 | 1 | 2]).toBeGreaterThanOrEqual(plan.sizes[i]?.[axis as 0 | 1 | 2] ?? 0);
          }
        }
        const [low, high] = windowOf(surveyed.map(({ voxels }) => voxels?.foreground[0] ?? []));
        const { percentile_00_5: theirLow, percentile_99_5: theirHigh } = plan.foreground;
        const width = theirHigh - theirLow;
        expect(Math.abs(low - theirLow)).toBeLessThan(Math.max(1.5, 0.03 * width));
        expect(Math.abs(high - theirHigh)).toBeLessThan(Math.max(1.5, 0.03 * width));
      },
    );
  },
);
