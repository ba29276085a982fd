import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluateCase, nsdMetric } from '../../src/evaluation/index.js';
import type { Triple } from '../../src/volume/index.js';
import { decodeBytes, labelVolume } from './references.js';

type Scores = Readonly<Record<'dice' | 'hd95' | 'asd' | 'nsd', number | null>>;
interface SurfaceCase {
  readonly name: string;
  readonly size: Triple;
  readonly spacing: Triple;
  readonly toleranceMm: number;
  readonly prediction: string;
  readonly reference: string;
  readonly monai: Scores;
  readonly exact: Omit<Scores, 'dice'>;
  readonly elements: Scores | null;
}

/** Made by `test/parity/evaluation/make_surface_references.py`. */
const { cases } = JSON.parse(readFileSync('test/parity/evaluation/surfaces.json', 'utf8')) as {
  cases: readonly SurfaceCase[];
};

/** Bits, the first voxel highest, deflated, base64. */
function decodeBits(base64: string, voxels: number): Uint8Array {
  const bytes = decodeBytes(base64);
  return Uint8Array.from({ length: voxels }, (_, i) => (bytes[i >> 3]! >> (7 - (i & 7))) & 1);
}

const found = cases.map(({ size, spacing, toleranceMm, prediction, reference }) => {
  const voxels = size[0] * size[1] * size[2];
  const [predicted, present] = [prediction, reference].map((bits) =>
    labelVolume(size, decodeBits(bits, voxels), spacing),
  ) as [never, never];
  const files = { prediction: 'prediction.nii', reference: 'label.nii' };
  const { mask } = evaluateCase('case', predicted, present, [{ name: 'mask', values: [1] }], files, {
    nsdToleranceMm: [toleranceMm],
  }).classes;
  return { ...mask!, nsd: mask![nsdMetric(toleranceMm)]! };
});

/** MONAI computes in float32: 1e-4 mm of distances, 1e-6 of shares. */
const toMonai = { dice: 1e-6, hd95: 1e-4, asd: 1e-4, nsd: 1e-6 };
/** References keep nine digits. */
const toExact = { hd95: 1e-7, asd: 1e-7, nsd: 1e-8 };

function expectAll(metric: keyof Scores, expected: (number | null)[], tolerance: number): void {
  cases.forEach(({ name }, i) => {
    const [ours, theirs] = [found[i]![metric] ?? null, expected[i]!];
    if (ours === null || theirs === null) expect(ours, name).toBe(theirs);
    else expect(Math.abs(ours - theirs), name).toBeLessThanOrEqual(tolerance);
  });
}

const missing = (i: number) => found[i]!.voxels!.predicted === 0 || found[i]!.voxels!.present === 0;

describe('on 200 random and awkward pairs of masks', () => {
  it.each(['hd95', 'asd', 'dice'] as const)('%s is that of MONAI within 1e-4 mm or 1e-6', (metric) => {
    expectAll(
      metric,
      cases.map(({ monai }) => monai[metric]),
      toMonai[metric],
    );
  });

  it('the normalised surface Dice is that of MONAI within 1e-6, and undefined instead of 0 where the reference is empty', () => {
    expectAll(
      'nsd',
      cases.map(({ monai }, i) => (found[i]!.voxels!.present === 0 ? null : monai.nsd)),
      toMonai.nsd,
    );
  });

  it.each(['hd95', 'asd', 'nsd'] as const)('%s is that of SciPy in double precision', (metric) => {
    expectAll(
      metric,
      cases.map(({ exact }, i) =>
        metric === 'nsd' && found[i]!.voxels!.present === 0 ? null : exact[metric],
      ),
      toExact[metric],
    );
  });

  it('Dice is that of surface-distance within 1e-6', () => {
    cases.forEach(({ name, elements }, i) => {
      if (elements) expect(Math.abs(found[i]!.dice! - elements.dice!), name).toBeLessThanOrEqual(1e-6);
    });
  });

  it('there are masks of each kind, and an undefined number of each kind', () => {
    expect(cases).toHaveLength(200);
    expect(new Set(cases.map(({ name }) => name.replace(/ \d+$/, ''))).size).toBe(11);
    expect(found.filter(({ status }) => status === 'missed').length).toBeGreaterThan(3);
    expect(found.filter(({ status }) => status === 'false-positive').length).toBeGreaterThan(3);
    expect(found.filter(({ status }) => status === 'absent').length).toBeGreaterThan(3);
    expect(found.filter((_, i) => !missing(i)).length).toBeGreaterThan(150);
    expect(found.filter(({ nsd }) => nsd !== null && nsd > 0 && nsd < 1).length).toBeGreaterThan(80);
  });
});
