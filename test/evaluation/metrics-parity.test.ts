import { describe, expect, it } from 'vitest';
import { evaluateCase, hd95 } from '../../src/evaluation/index.js';
import {
  type DistancesCase,
  decodeBytes,
  decodeDoubles,
  labelVolume,
  type MetricsCase,
  readCases,
  squaredDistanceMap,
} from './references.js';

const cases = readCases<MetricsCase>('metrics.json');
const evaluated = ({ size, spacing, classes, prediction, reference }: MetricsCase) => {
  const [predicted, present] = [prediction, reference].map((base64) =>
    labelVolume(size, decodeBytes(base64), spacing),
  ) as [never, never];
  return evaluateCase('case', predicted, present, classes, {
    prediction: 'prediction.nii',
    reference: 'label.nii',
  }).classes;
};

/** MONAI computes Dice and distances in float32, whose rounding is 6e-8 of the value; sums and roots cost a few of these. */
const relativeToMonai = 1e-6;
/** Both sides compute in double precision. */
const relativeExact = 1e-12;

const expectClose = (found: number | null, expected: number | null, relative: number, what: string) => {
  if (expected === null || found === null) expect(found, what).toBe(expected);
  else expect(Math.abs(found - expected), what).toBeLessThanOrEqual(relative * Math.max(1, expected));
};

describe.each(cases.map((reference) => [reference.name, reference] as const))(
  'evaluating %s',
  (_, reference) => {
    it('gives the Dice of MONAI DiceMetric', () => {
      const found = evaluated(reference);
      expect(Object.keys(found)).toEqual(Object.keys(reference.scores));
      for (const [name, { dice }] of Object.entries(reference.scores))
        expectClose(found[name]!.dice, dice, relativeToMonai, name);
    });

    it('gives the HD95 of MONAI compute_hausdorff_distance', () => {
      const found = evaluated(reference);
      for (const [name, score] of Object.entries(reference.scores))
        expectClose(found[name]!.hd95, score.hd95, relativeToMonai, name);
    });

    it('gives the HD95 of SciPy distances in double precision', () => {
      const found = evaluated(reference);
      for (const [name, score] of Object.entries(reference.scores))
        expectClose(found[name]!.hd95, score.hd95Exact, relativeExact, name);
    });
  },
);

describe('the references', () => {
  it('cover what is asked for: undefined numbers of each kind, distances that are no whole number, and overlapping regions', () => {
    const scores = cases.flatMap((reference) => Object.values(reference.scores));
    expect(scores.filter(({ dice }) => dice === null).length).toBeGreaterThan(2);
    expect(
      scores.filter(({ dice, hd95: distance }) => dice === 0 && distance === null).length,
    ).toBeGreaterThan(1);
    expect(
      scores.filter(({ hd95: distance }) => distance !== null && !Number.isInteger(distance)).length,
    ).toBeGreaterThan(8);
    expect(cases.map(({ name }) => name)).toContain('BraTS regions');
  });
});

describe.each(
  readCases<DistancesCase>('distances.json').map((reference) => [reference.name, reference] as const),
)('distances to %s', (_, reference) => {
  it('are those of SciPy distance_transform_edt', () => {
    const seeds = [...decodeBytes(reference.seeds)].flatMap((value, i) => (value ? [i] : []));
    const found = squaredDistanceMap(reference.size, seeds, reference.spacing);
    const expected = decodeDoubles(reference.distances);
    expect(found).toHaveLength(expected.length);
    found.forEach((squared, i) => {
      expectClose(Math.sqrt(squared), expected[i]!, relativeExact, `voxel ${i}`);
    });
  });
});

describe('HD95 by hand', () => {
  it('is the larger of the two directed percentiles', () => {
    // On a line of 21 voxels of 2 mm, 21 distances 0, 2, .. 40 mm to voxel 0: the 95th percentile is that of voxel 19; the other way it is 0.
    const line = { size: [21, 1, 1] as const, data: new Uint8Array(21).fill(1) };
    const point = {
      size: [21, 1, 1] as const,
      data: Uint8Array.from({ length: 21 }, (_, i) => Number(i === 0)),
    };
    expect(hd95(line, point, [2, 1, 1])).toBeCloseTo(38, 12);
    expect(hd95(point, line, [2, 1, 1])).toBeCloseTo(38, 12);
  });
});
