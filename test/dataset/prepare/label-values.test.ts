import { describe, expect, it } from 'vitest';
import { toClassValues } from '../../../src/dataset/prepare/label-values.js';
import { DataError } from '../../../src/errors.js';
import type { Volume, VoxelArray } from '../../../src/volume/index.js';
import { affineOf } from '../generated-data.js';

const label = (data: VoxelArray, channels = 1): Volume => ({
  size: [data.length / channels, 1, 1],
  spacing: [1, 1, 1],
  affine: affineOf([1, 1, 1]),
  channels,
  data,
});
const classes = { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' };
const valuesOf = (data: VoxelArray, map?: Record<string, number>) => [
  ...toClassValues(label(data), classes, map, 'seg.nii').data,
];

describe('the class values of a label', () => {
  it('stay as they are without a map, from any type', () => {
    expect(valuesOf(Float32Array.of(0, 1, 2, 4))).toEqual([0, 1, 2, 4]);
    expect(toClassValues(label(Int16Array.of(4)), classes, undefined, 'f').data).toBeInstanceOf(Uint8Array);
    expect(toClassValues(label(Int16Array.of(300)), { 300: 'vessel' }, undefined, 'f').data).toEqual(
      Uint16Array.of(300),
    );
  });

  it('are mapped one by one, not twice, and by "*" where nothing is listed', () => {
    expect(valuesOf(Int16Array.of(0, 1, 2, 3), { 3: 4 })).toEqual([0, 1, 2, 4]);
    expect(valuesOf(Int16Array.of(1, 2), { 1: 2, 2: 1 })).toEqual([2, 1]);
    expect(valuesOf(Int16Array.of(0, 3, 9, 1), { 3: 4, '*': 0 })).toEqual([0, 4, 0, 0]);
    expect(valuesOf(Int16Array.of(0, 9), { '*': 2, 0: 0 })).toEqual([0, 2]);
  });

  it.each([
    ['uint8', Uint8Array, { 1: 'a', 2: 'b' }],
    ['uint16', Uint16Array, { 1: 'a', 2: 'b', 300: 'c' }],
    ['float32', Float32Array, { 1: 'a', 2: 'b' }],
  ] as const)('are mapped in runs of any length, wherever they begin, of %s', (_, ArrayType, named) => {
    const runs = [7, 0, 0, 9, 7, 9, 9].flatMap((value, i) => new Array<number>(2 * i + 3).fill(value));
    const expected = runs.map((value) => ({ 0: 0, 7: 2, 9: 1 })[value]!);
    for (let start = 0; start < 5; start++) {
      const found = ArrayType.from(runs).subarray(start);
      const { data } = toClassValues(label(found), named, { 7: 2, 9: 1 }, 'seg.nii');
      expect([...data]).toEqual(expected.slice(start));
    }
  });

  it.each([
    [
      'a value that is no class',
      Int16Array.of(0, 3),
      undefined,
      /^label seg.nii holds the value 3, but the task's classes are 0 background, 1 necrotic core/,
    ],
    [
      'a map to a value that is no class',
      Int16Array.of(9),
      { 9: 5 },
      /holds the value 9 \(mapped to 5\), but the task's classes are/,
    ],
    ['a negative value', Int16Array.of(-1), undefined, /holds the value -1,/],
    [
      'a fraction, as a label resampled linearly has',
      Float32Array.of(0.5),
      undefined,
      /holds the value 0.5,/,
    ],
    ['no number', Float32Array.of(Number.NaN), undefined, /holds the value NaN,/],
  ])('refuse %s', (_, data, map, message) => {
    expect(() => valuesOf(data, map)).toThrow(message);
    expect(() => valuesOf(data, map)).toThrow(/add the class, or map the value with "labelMap"$/);
    expect(() => valuesOf(data, map)).toThrow(DataError);
  });

  it('are mapped from values below 0', () => {
    expect(valuesOf(Int16Array.of(-1, 2, -1, 0), { '-1': 0 })).toEqual([0, 2, 0, 0]);
  });

  it('refuse a label of several channels', () => {
    expect(() => toClassValues(label(Uint8Array.of(1, 2), 2), classes, undefined, 'seg.nii')).toThrow(
      /seg.nii has 2 channels, but one label volume/,
    );
  });
});
