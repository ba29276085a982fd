import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  channelValue,
  gaussianImportance,
  type LabelScheme,
  type LogitSlab,
  labelScheme,
  openLabel,
  openWindowSums,
  outputChannels,
  slidingWindowSlabs,
} from '../../src/inference/index.js';
import {
  axisAlignedAffine,
  type Grid,
  resampleToGrid,
  spacingOf,
  type Triple,
  type Volume,
  voxelCount,
} from '../../src/volume/index.js';
import { largestDifference } from '../volume/references.js';
import { sampled, sourceGrids, storages, storedGrid, upright } from './grids.js';
import { asNetwork, numberedVolume, positionDependentPredictor, slidingWindow } from './references.js';

const organs = labelScheme({ 1: 'liver', 2: 'tumour' });
const brats = labelScheme(
  { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' },
  { WT: [1, 2, 4], TC: [1, 4], ET: [4] },
);

/** Finer than the scans and within them, so that slices shrink and grow on the way back and some voxels lie outside. */
const prepared: Grid = {
  size: [40, 37, 33],
  spacing: [1.5, 1.5, 2],
  affine: axisAlignedAffine([1.5, 1.5, 2], [-31, -26, -30]),
};

const logitsOf = (scheme: LabelScheme): Volume => {
  const wave = (c: number) =>
    sampled(
      prepared.size,
      prepared.affine,
      ([x, y, z]) => Math.sin(0.13 * x + c) + Math.cos(0.11 * y - 2 * c) + Math.sin(0.17 * z + c * c),
    );
  const channels = Array.from({ length: outputChannels(scheme) }, (_, c) => wave(c).data);
  return {
    ...prepared,
    channels: channels.length,
    data: Float32Array.from(channels.flatMap((values) => [...values])),
  };
};

/** Each channel brought to the scan's grid as a whole, then compared voxel by voxel. */
function decidedAtOnce(logits: Volume, grid: Grid, scheme: LabelScheme): number[] {
  const voxels = voxelCount(logits);
  const count = voxelCount(grid);
  const channels = Array.from({ length: logits.channels }, (_, c) => {
    const channel = { ...logits, channels: 1, data: logits.data.subarray(c * voxels, (c + 1) * voxels) };
    return resampleToGrid(channel, grid, 'linear').data;
  });
  return Array.from({ length: count }, (_, i) => {
    const values = channels.map((data) => data[i]!);
    const channel =
      scheme.kind === 'classes'
        ? values.indexOf(Math.max(...values))
        : values.findLastIndex((value) => value > 0);
    return channel < 0 ? 0 : channelValue(scheme, channel);
  });
}

/** Slabs that end at some slices, each but the first from the last slice of the one before. */
function cut({ size, channels, data }: Volume, ends: readonly number[]): LogitSlab[] {
  const [slice, voxels] = [size[0] * size[1], voxelCount({ size })];
  return [...ends, size[2]].map((end, i) => {
    const first = i === 0 ? 0 : ends[i - 1]! - 1;
    const parts = Array.from({ length: channels }, (_, c) =>
      (data as Float32Array).slice(c * voxels + first * slice, c * voxels + end * slice),
    );
    return { first, depth: end - first, channels: parts };
  });
}

const grids = [
  ...sourceGrids,
  ...storages.map(([name, axes]) => ({ name: `stored as ${name}`, ...storedGrid(upright, axes) })),
  { name: "the logits' own", size: prepared.size, affine: prepared.affine },
  {
    name: 'finer slices',
    size: [20, 19, 90] as const,
    affine: axisAlignedAffine([3, 3, 0.7], [-30, -25, -29.5]),
  },
];

describe.each(grids)('a label decided slab by slab, $name', ({ size, affine }) => {
  const grid: Grid = { size, affine, spacing: spacingOf(affine) };

  it('is to the bit that of all logits at once, wherever the slabs end', () => {
    for (const scheme of [organs, brats]) {
      const logits = logitsOf(scheme);
      const whole = openLabel(logits, grid, scheme);
      whole.add(cut(logits, [])[0]!);
      const expected = whole.finished();
      const atOnce = decidedAtOnce(logits, grid, scheme);
      expect(expected.data.every((value, i) => value === 0 || value === atOnce[i])).toBe(true);
      expect(expected.data.some((value) => value > 0)).toBe(true);
      for (const ends of [[1], [7, 8, 20], Array.from({ length: 32 }, (_, i) => i + 1)]) {
        const label = openLabel(logits, grid, scheme);
        for (const slab of cut(logits, ends)) label.add(slab);
        expect(largestDifference(label.finished().data, expected.data)).toBe(0);
      }
    }
  });
});

describe('the slabs of a sliding window', () => {
  const window: Triple = [4, 5, 6];
  const options = { window, windowBatch: 1, mirror: [], outChannels: 2, kind: 'classes' } as const;

  it('follow each other with one slice in common and are together the whole', async () => {
    const side = fc.integer({ min: 1, max: 9 });
    const overlaps = fc.constantFrom(0, 0.25, 0.5, 0.75, 0.9);
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(side, side, fc.integer({ min: 1, max: 25 })),
        overlaps,
        async (size, overlap) => {
          const volume = numberedVolume(size, 1);
          const whole = await slidingWindow(
            volume,
            { ...options, overlap },
            positionDependentPredictor(window, 1),
          );
          let end = 0;
          for await (const { first, depth, channels } of slidingWindowSlabs(volume, { ...options, overlap }, [
            asNetwork(positionDependentPredictor(window, 1)),
          ])) {
            expect(first).toBe(Math.max(0, end - 1));
            channels.forEach((values, c) => {
              const from = c * voxelCount(volume) + first * size[0] * size[1];
              expect(
                largestDifference(values, whole.data.subarray(from, from + depth * size[0] * size[1])),
              ).toBe(0);
            });
            end = first + depth;
          }
          expect(end).toBe(size[2]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are no deeper than a window and a slice, whatever the depth of the volume', async () => {
    const deepest = async (depth: number) => {
      let most = 0;
      const slabs = slidingWindowSlabs(numberedVolume([5, 5, depth], 1), { ...options, overlap: 0.5 }, [
        asNetwork(positionDependentPredictor(window, 1)),
      ]);
      for await (const slab of slabs) most = Math.max(most, slab.depth);
      return most;
    };
    expect([await deepest(12), await deepest(120)]).toEqual([7, 7]);
  });

  it('are held in as many bytes, whatever the depth of the volume', async () => {
    const importance = gaussianImportance(window);
    const bytes = async (depth: number, networks = 1) =>
      (
        await openWindowSums({
          size: [8, 9, depth],
          window,
          outChannels: 14,
          importance,
          networks,
          kind: 'classes',
        })
      ).bytes;
    const planes = (channels: number) => 4 * (4 * 5 * channels + 8 * 9 * (1 + channels)); // one of a window, those of a slice and its weights
    // Slices of a window, of logits and weights, and those of a slab.
    expect(await bytes(1000)).toBe(4 * 8 * 9 * (6 * (14 + 1) + 9 * 14) + planes(14) + planes(1));
    expect(await bytes(10)).toBe(await bytes(1000));
    expect(await bytes(1000, 3)).toBe(
      4 * 8 * 9 * (6 * (3 * 14 + 1) + 9 * 3 * 14) + 3 * planes(14) + planes(1),
    );
  });
});
