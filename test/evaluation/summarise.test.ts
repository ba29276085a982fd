import { describe, expect, it } from 'vitest';
import {
  type CaseResult,
  type ClassResult,
  type EvaluatedClass,
  evaluateCase,
  summarise,
} from '../../src/evaluation/index.js';
import { labelVolume } from './references.js';

const files = { prediction: 'predicted.nii.gz', reference: 'label.nii.gz' };
const classes: EvaluatedClass[] = [
  { name: 'liver', values: [1] },
  { name: 'tumour', values: [2] },
];
/** A row of voxels of 2 mm. */
const row = (...values: number[]) => labelVolume([values.length, 1, 1], Uint8Array.from(values), [2, 1, 1]);
const evaluated = (prediction: number[], reference: number[]) =>
  evaluateCase('a', row(...prediction), row(...reference), classes, files).classes;

describe('the result of a case', () => {
  it('has Dice, HD95 and "ok" where both sides hold the class', () => {
    // liver: 2 voxels predicted, 3 there, 2 in common; voxel 3 is 1 voxel of 2 mm from the prediction.
    expect(evaluated([1, 1, 0, 2], [1, 1, 1, 2]).liver).toEqual({
      dice: 0.8,
      hd95: expect.closeTo(1.8, 12),
      status: 'ok',
    });
  });

  it('is a miss with Dice 0 and no distance when nothing is predicted of a class that is there', () => {
    expect(evaluated([1, 0], [1, 2]).tumour).toEqual({ dice: 0, hd95: null, status: 'missed' });
  });

  it('is undefined and a false positive when a class is predicted that is not there', () => {
    expect(evaluated([1, 2], [1, 0]).tumour).toEqual({ dice: null, hd95: null, status: 'false-positive' });
  });

  it('is undefined and absent when neither side holds the class', () => {
    expect(evaluated([1, 0], [1, 0]).tumour).toEqual({ dice: null, hd95: null, status: 'absent' });
  });

  it('counts every value of a region as inside', () => {
    const region = [{ name: 'WT', values: [1, 2, 4] }];
    expect(evaluateCase('a', row(1, 2, 4, 0), row(4, 1, 2, 0), region, files).classes.WT).toEqual({
      dice: 1,
      hd95: 0,
      status: 'ok',
    });
  });

  it('measures distances with the spacing of the label', () => {
    const at = (voxel: number) =>
      labelVolume(
        [1, 5, 1],
        Uint8Array.from({ length: 5 }, (_, i) => Number(i === voxel)),
        [1, 3, 1],
      );
    expect(evaluateCase('a', at(0), at(4), classes.slice(0, 1), files).classes.liver!.hd95).toBe(12);
  });

  it('refuses a prediction on another grid in one sentence that names both files', () => {
    const moved = { ...row(1, 1), affine: { rows: [2, 0, 0, 7, 0, 1, 0, 0, 0, 0, 1, 0] } };
    expect(() => evaluateCase('a', row(1, 1, 1), row(1, 1), classes, files)).toThrow(
      'prediction predicted.nii.gz has 3x1x1 voxels, but its label label.nii.gz has 2x1x1: they must share one grid',
    );
    expect(() => evaluateCase('a', moved, row(1, 1), classes, files)).toThrow(
      /prediction .* lies elsewhere than its label .* 7.00 mm apart/,
    );
  });
});

describe('the summary', () => {
  const result = (dice: number | null, hd95: number | null, status: ClassResult['status']): ClassResult => ({
    dice,
    hd95,
    status,
  });
  // Hand-computed below. The case b has a missed tumour; c has none but one predicted; d has neither of both classes.
  const cases: CaseResult[] = [
    { id: 'a', classes: { liver: result(0.9, 2, 'ok'), tumour: result(0.5, 10, 'ok') } },
    { id: 'b', classes: { liver: result(0.7, 6, 'ok'), tumour: result(0, null, 'missed') } },
    { id: 'c', classes: { liver: result(0.8, 1, 'ok'), tumour: result(null, null, 'false-positive') } },
    { id: 'd', classes: { liver: result(null, null, 'absent'), tumour: result(null, null, 'absent') } },
  ];
  const summary = summarise('msd-liver', ['liver', 'tumour'], cases);
  const about = (value: number) => expect.closeTo(value, 12);

  it('carries its schema, the task, the classes in order and every case unchanged', () => {
    expect(summary).toMatchObject({ schema: 1, task: 'msd-liver', classes: ['liver', 'tumour'], cases });
  });

  it('gives mean, sample standard deviation and number of the defined values of a class', () => {
    expect(summary.perClass.liver!.dice).toEqual({ mean: about(0.8), std: about(0.1), n: 3 });
    expect(summary.perClass.liver!.hd95).toEqual({ mean: about(3), std: about(Math.sqrt(7)), n: 3 });
    expect(summary.perClass.tumour!.dice).toEqual({ mean: about(0.25), std: about(Math.sqrt(0.125)), n: 2 });
    expect(summary.perClass.tumour!.hd95).toEqual({ mean: 10, std: null, n: 1 });
  });

  it('counts what was left out: undefined references, misses, and predictions of what is not there', () => {
    expect(summary.perClass.liver).toMatchObject({ nUndefined: 1, nMissed: 0, nFalsePositiveOnEmpty: 0 });
    expect(summary.perClass.tumour).toMatchObject({ nUndefined: 2, nMissed: 1, nFalsePositiveOnEmpty: 1 });
  });

  it('gives the mean over classes and the mean over cases, which differ', () => {
    // Dice: classes (0.8 + 0.25) / 2; cases (0.7 + 0.35 + 0.8) / 3. HD95: (3 + 10) / 2; (6 + 6 + 1) / 3.
    expect(summary.mean.dice).toEqual({ overClasses: about(0.525), overCases: about(1.85 / 3) });
    expect(summary.mean.hd95).toEqual({ overClasses: about(6.5), overCases: about(13 / 3) });
  });

  it('is null, not zero, where nothing is defined', () => {
    const nothing = summarise('t', ['liver', 'tumour'], cases.slice(3));
    expect(nothing.perClass.liver!.dice).toEqual({ mean: null, std: null, n: 0 });
    expect(nothing.mean).toEqual({
      dice: { overClasses: null, overCases: null },
      hd95: { overClasses: null, overCases: null },
    });
  });

  it('leaves a class that no case has out of the mean over classes', () => {
    const { mean } = summarise('t', ['liver', 'tumour'], [cases[2]!]);
    expect(mean.dice).toEqual({ overClasses: 0.8, overCases: 0.8 });
  });
});
