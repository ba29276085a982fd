import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PreparedIndex, parseFold, withFold } from '../../../src/dataset/index.js';
import { UsageError } from '../../../src/errors.js';

type Split = 'training' | 'validation' | 'test';

/** Only what folds look at. */
function indexOf(
  cases: readonly (readonly [dataset: string, name: string, split: Split])[],
  seed = 0,
): PreparedIndex {
  const listed = cases.map(([dataset, name, split]) => ({ id: `${dataset}/${name}`, dataset, name, split }));
  const datasets = Object.fromEntries(cases.map(([dataset]) => [dataset, {}]));
  return {
    schema: 1,
    seed,
    validationShare: 0.2,
    datasets,
    cases: listed,
    skipped: [],
  } as unknown as PreparedIndex;
}

const inSplit = (index: PreparedIndex, split: Split) =>
  index.cases.filter((prepared) => prepared.split === split).map(({ id }) => id);
const many = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => ['a', `case${i}`, i % 5 === 0 ? 'validation' : 'training'] as const,
  );

describe('folds of a cross-validation', () => {
  it('validate every case once, in parts of one size, and leave test cases alone', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 8, max: 40 }),
        fc.nat(99),
        (folds, count, seed) => {
          const index = indexOf([...many(count), ['b', 'held', 'test'] as const], seed);
          const parts = Array.from({ length: folds }, (_, i) => withFold(index, { fold: i + 1, folds }));
          const validating = parts.map((part) => inSplit(part, 'validation'));
          expect(validating.flat().sort()).toEqual(
            many(count)
              .map(([, name]) => `a/${name}`)
              .sort(),
          );
          expect(
            Math.max(...validating.map(({ length }) => length)) -
              Math.min(...validating.map(({ length }) => length)),
          ).toBeLessThanOrEqual(1);
          for (const part of parts) {
            expect(inSplit(part, 'training')).toHaveLength(count - inSplit(part, 'validation').length);
            expect(inSplit(part, 'test')).toEqual(['b/held']);
          }
        },
      ),
    );
  });

  it('are drawn within each dataset, by the seed and the names alone', () => {
    const cases = [...many(10), ...many(10).map(([, name, split]) => ['b', name, split] as const)];
    const validating = (index: PreparedIndex) =>
      inSplit(withFold(index, { fold: 2, folds: 5 }), 'validation').sort();
    expect(validating(indexOf(cases)).filter((id) => id.startsWith('b/'))).toHaveLength(2);
    expect(validating(indexOf(cases.toReversed()))).toEqual(validating(indexOf(cases)));
    expect(validating(indexOf(cases, 1))).not.toEqual(validating(indexOf(cases)));
  });

  it('are the index as it is where none is asked for, and refused where cases are too few', () => {
    const index = indexOf(many(4));
    expect(withFold(index, undefined)).toBe(index);
    expect(() => withFold(index, { fold: 1, folds: 5 })).toThrow(/dataset a has 4 cases, fewer than 5 folds/);
  });

  it('are named by a number and how many there are', () => {
    expect(parseFold('2/5')).toEqual({ fold: 2, folds: 5 });
    for (const wrong of ['0/5', '6/5', '1/1', '2', 'x/5'])
      expect(() => parseFold(wrong), wrong).toThrow(UsageError);
  });

  it('hold out labelled cases alone where some have labels', () => {
    const labels = ['l0', 'l1', 'l2', 'l3', 'l4'];
    const all = [...labels, 'u0', 'u1', 'u2'].map((name) => ['a', name, 'training'] as const);
    const index = indexOf(all);
    const mixed = {
      ...index,
      cases: index.cases.map((listed) =>
        labels.includes(listed.name) ? { ...listed, label: `${listed.name}.hmv` } : listed,
      ),
    };
    const held = [1, 2, 3, 4, 5].map((fold) => inSplit(withFold(mixed, { fold, folds: 5 }), 'validation'));
    expect(held.flat().sort()).toEqual(labels.map((name) => `a/${name}`));
    expect(held.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1]);
    expect(() => withFold(mixed, { fold: 1, folds: 6 })).toThrow(
      'dataset a has 5 labelled cases, fewer than 6 folds: use fewer folds',
    );
  });
});

describe('folds that a data list gives', () => {
  const listed = (folds: readonly (number | undefined)[]) => {
    const cases = folds.map((fold, i) => ({
      id: `d/c${i}`,
      dataset: 'd',
      name: `c${i}`,
      split: i === folds.length - 1 ? 'test' : 'training',
      ...(fold !== undefined && { fold }),
    }));
    return { seed: 0, datasets: { d: {} }, cases } as unknown as Parameters<typeof withFold>[0];
  };
  const validating = (index: ReturnType<typeof listed>, fold: number, folds: number) =>
    withFold(index, { fold, folds })
      .cases.filter(({ split }) => split === 'validation')
      .map(({ name }) => name);

  it('are the parts, in the order of their numbers; test cases stay', () => {
    const index = listed([2, 0, 5, 0, 2, 0]);
    expect([1, 2, 3].map((fold) => validating(index, fold, 3))).toEqual([['c1', 'c3'], ['c0', 'c4'], ['c2']]);
    expect(withFold(index, { fold: 1, folds: 3 }).cases.at(-1)?.split).toBe('test');
  });

  it('refuse another number of folds, and count only where every case has one', () => {
    expect(() => validating(listed([0, 1, 2, 0]), 1, 2)).toThrow(
      /dataset d has the 3 folds of its data list \(0, 1, 2\), not 2: ask for 3/,
    );
    expect(validating(listed([0, undefined, 1, 1, 0]), 1, 2)).toHaveLength(2);
  });
});
