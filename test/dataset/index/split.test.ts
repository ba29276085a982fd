import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedCase } from '../../../src/dataset/index/listed-case.js';
import { assignSplits } from '../../../src/dataset/index/split.js';
import { UsageError } from '../../../src/errors.js';

const listed = (names: readonly string[]): ListedCase[] =>
  names.map((name) => ({ name, images: [`${name}.nii`] }));
const settings = { file: 'datasets.json', seed: 4, validationShare: 0.2 };
const named = (count: number) => Array.from({ length: count }, (_, i) => `case${i}`);
const inSplit = (splits: Map<string, string>, split: string) =>
  [...splits].flatMap(([name, found]) => (found === split ? [name] : []));

describe('the split of a dataset', () => {
  it('keeps the share of the cases for validation, rounded, and all others for training', () => {
    const count = (cases: number, validationShare: number) =>
      inSplit(assignSplits('ct', listed(named(cases)), {}, { ...settings, validationShare }), 'validation')
        .length;
    expect([count(30, 0.2), count(13, 0.2), count(12, 0.2), count(10, 0.25), count(4, 0.01)]).toEqual([
      6, 3, 2, 3, 1,
    ]);
    expect([count(10, 0), count(1, 0.5)]).toEqual([0, 0]);
  });

  it('depends on the seed and the names, not on their order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 40 }),
        fc.nat(99),
        (names, seed) => {
          const of = (order: readonly string[]) =>
            assignSplits('ct', listed(order), {}, { ...settings, seed });
          const splits = of(names);
          expect([...splits.keys()].sort()).toEqual([...names].sort());
          const again = of([...names].reverse());
          for (const name of names) expect(again.get(name)).toBe(splits.get(name));
        },
      ),
    );
    const of = (seed: number) =>
      inSplit(assignSplits('ct', listed(named(40)), {}, { ...settings, seed }), 'validation').sort();
    expect(of(4)).toEqual(of(4));
    expect(of(5)).not.toEqual(of(4));
  });

  it('leaves what is fixed where it is, by the case or by the list, and draws among the others', () => {
    const cases: ListedCase[] = [...listed(named(10)), { name: 'held', images: ['held.nii'], split: 'test' }];
    const splits = assignSplits(
      'ct',
      cases,
      { training: ['case0', 'case1'], test: ['held', 'case2'] },
      settings,
    );
    expect(inSplit(splits, 'test').sort()).toEqual(['case2', 'held']);
    expect(inSplit(splits, 'training')).toEqual(expect.arrayContaining(['case0', 'case1']));
    expect(inSplit(splits, 'validation')).toHaveLength(1); // round(0.2 x 7), of the others
    expect(splits.size).toBe(11);
  });

  it('draws nothing more for validation where cases are fixed for it, by the case or by the list', () => {
    const cases: ListedCase[] = [
      ...listed(named(10)),
      { name: 'own', images: ['own.nii'], split: 'validation' },
    ];
    const byList = assignSplits(
      'ct',
      listed(named(10)),
      { validation: ['case0', 'case1'], test: ['case2'] },
      settings,
    );
    expect(inSplit(byList, 'validation').sort()).toEqual(['case0', 'case1']);
    expect(inSplit(byList, 'training')).toHaveLength(7);
    expect(inSplit(assignSplits('ct', cases, { validation: [] }, settings), 'validation')).toEqual(['own']);
    expect(
      inSplit(assignSplits('ct', listed(named(10)), { validation: [] }, settings), 'validation'),
    ).toHaveLength(2); // nobody is fixed
  });

  it('draws the labelled cases as if they were alone, and trains with all that have no label', () => {
    const labelled = named(10).map((name) => ({ name, images: [`${name}.nii`], label: `${name}_seg.nii` }));
    const unlabelled = listed(['u0', 'u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7']);
    const alone = assignSplits('ct', labelled, {}, settings);
    const mixed = assignSplits('ct', [...unlabelled, ...labelled], {}, settings);
    for (const { name } of labelled) expect(mixed.get(name)).toBe(alone.get(name));
    for (const { name } of unlabelled) expect(mixed.get(name)).toBe('training');
    expect(inSplit(mixed, 'validation')).toHaveLength(2);
    const fixed = assignSplits('ct', [...unlabelled, ...labelled], { test: ['u3'] }, settings);
    expect(fixed.get('u3')).toBe('test');
    // A damaged case keeps its place in the draw, so that mending it moves no other.
    const damaged = labelled.map(({ name, ...rest }, i) =>
      i === 4 ? { name, images: rest.images, problem: 'has no label' } : { name, ...rest },
    );
    expect([...assignSplits('ct', damaged, {}, settings)].sort()).toEqual([...alone].sort());
  });

  it('refuses a list that names no case, or one that is elsewhere already', () => {
    const assign = (fixed: Parameters<typeof assignSplits>[2]) => () =>
      assignSplits('ct', listed(['a', 'b']), fixed, settings);
    expect(assign({ test: ['c'] })).toThrow(
      'datasets.json: datasets.ct.splits.test names "c", which is no case of the dataset',
    );
    expect(assign({ test: ['a'], training: ['a'] })).toThrow(/names "a", which is in the test split already/);
    expect(assign({ test: ['c'] })).toThrow(UsageError);
  });
});
