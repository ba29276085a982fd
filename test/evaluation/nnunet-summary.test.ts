import { describe, expect, it } from 'vitest';
import { defaultFurtherMetrics, evaluateCase, nnunetSummary, summarise } from '../../src/evaluation/index.js';
import { labelVolume } from './references.js';

const classes = [
  { name: 'WT', values: [1, 2, 4] },
  { name: 'ET', values: [4] },
];
const facts = {
  classValues: { WT: [1, 2, 4], ET: [4] },
  settings: defaultFurtherMetrics,
  software: { hybridmim: '0', node: '0' },
};
const row = (values: readonly number[]) => labelVolume([values.length, 1, 1], Uint8Array.from(values));
const evaluated = (id: string, prediction: readonly number[], reference: readonly number[]) =>
  evaluateCase(
    id,
    row(prediction),
    row(reference),
    classes,
    { prediction: `p/${id}.nii`, reference: `l/${id}.nii` },
    defaultFurtherMetrics,
  );
const cases = [
  evaluated('a', [1, 2, 4, 0, 0], [1, 4, 4, 2, 0]),
  evaluated('b', [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]),
];
const names = classes.map(({ name }) => name);

/** As Python's JSON reads it. */
const parsed = (text: string) => JSON.parse(text.replaceAll(': NaN', ': "NaN"'));

describe("nnU-Net's summary", () => {
  const summary = parsed(nnunetSummary(summarise('brats', names, cases, facts))!);

  it('counts voxels of each case and class as nnU-Net does, regions named as tuples', () => {
    expect(summary.metric_per_case[0]).toEqual({
      metrics: {
        '(1, 2, 4)': { Dice: 6 / 7, IoU: 3 / 4, FP: 0, TP: 3, FN: 1, TN: 1, n_pred: 3, n_ref: 4 },
        '4': { Dice: 2 / 3, IoU: 1 / 2, FP: 0, TP: 1, FN: 1, TN: 3, n_pred: 1, n_ref: 2 },
      },
      prediction_file: 'p/a.nii',
      reference_file: 'l/a.nii',
    });
  });

  it('has NaN where both sides are empty, and leaves it out of the means over cases', () => {
    expect(summary.metric_per_case[1].metrics['4']).toMatchObject({
      Dice: 'NaN',
      IoU: 'NaN',
      TP: 0,
      n_pred: 0,
      n_ref: 0,
    });
    expect(summary.mean['4']).toMatchObject({ Dice: 2 / 3, n_ref: 1 });
    expect(summary.mean['(1, 2, 4)'].Dice).toBeCloseTo((6 / 7 + 2 / 3) / 2, 12);
    expect(summary.foreground_mean.Dice).toBeCloseTo(((6 / 7 + 2 / 3) / 2 + 2 / 3) / 2, 12);
  });

  it('is NaN over classes when one has no number at all, as NumPy has it', () => {
    expect(
      parsed(nnunetSummary(summarise('brats', names, cases.slice(1), facts))!).foreground_mean.Dice,
    ).toBe('NaN');
  });

  it('is 0, not undefined, where something is predicted that is not there', () => {
    const found = parsed(nnunetSummary(summarise('brats', names, [evaluated('c', [4], [0])], facts))!);
    expect(found.metric_per_case[0].metrics['4']).toMatchObject({ Dice: 0, IoU: 0, FP: 1 });
  });

  it('is not made of an evaluation without counts of voxels', () => {
    const bare = evaluateCase('a', row([1]), row([1]), classes, { prediction: 'p', reference: 'l' });
    expect(nnunetSummary(summarise('brats', names, [bare], facts))).toBeUndefined();
    expect(nnunetSummary(summarise('brats', names, cases))).toBeUndefined();
  });
});

describe('the summary of further metrics', () => {
  it('has mean, deviation and number of each, a class and over all, as of Dice', () => {
    const { perClass, mean } = summarise('brats', names, cases, facts);
    expect(perClass.WT!.sensitivity).toEqual({
      mean: 7 / 8,
      std: expect.closeTo(Math.SQRT1_2 / 4, 12),
      n: 2,
    });
    expect(perClass.WT!.precision).toMatchObject({ mean: 3 / 4, n: 2 });
    expect(perClass.ET!.sensitivity).toEqual({ mean: 1 / 2, std: null, n: 1 });
    expect(perClass.WT!.volumeDifferenceMl).toMatchObject({ mean: 0, n: 2 });
    expect(perClass.WT!.relativeVolumeDifference).toMatchObject({ mean: (-1 / 4 + 1) / 2, n: 2 });
    expect(mean.sensitivity).toEqual({ overClasses: 11 / 16, overCases: (5 / 8 + 1) / 2 });
    expect(Object.keys(mean)).toEqual([
      ...[
        'dice',
        'hd95',
        'asd',
        'nsd1mm',
        'nsd2mm',
        'volumeDifferenceMl',
        'relativeVolumeDifference',
        'sensitivity',
        'precision',
      ],
    ]);
  });
});
