import { describe, expect, it } from 'vitest';
import type { PreparedCase, PreparedIndex } from '../../../src/dataset/index.js';
import { type CaseSelection, selectCases } from '../../../src/dataset/index.js';
import { DataError } from '../../../src/errors.js';

const cases = (
  [
    ['ct/a', 'training'],
    ['ct/b', 'validation'],
    ['mr/c', 'training'],
    ['mr/d', 'test'],
  ] as const
).map(([id, split]) => ({ id, split, dataset: id.slice(0, 2) }) as PreparedCase);
const index = {
  datasets: { ct: {}, mr: {}, empty: {} },
  cases,
  skipped: [{ id: 'ct/x', dataset: 'ct', reason: 'it is missing' }],
} as unknown;
const select = (selection: CaseSelection) =>
  selectCases(index as PreparedIndex, selection, 'prepared').map(({ id }) => id);

describe('selecting prepared cases', () => {
  it('goes by split, dataset and case, in the order of the index', () => {
    expect(select({ split: 'training' })).toEqual(['ct/a', 'mr/c']);
    expect(select({ split: 'all', datasets: ['mr'] })).toEqual(['mr/c', 'mr/d']);
    expect(select({ split: 'all', caseIds: ['mr/d', 'ct/a'] })).toEqual(['ct/a', 'mr/d']);
  });

  it.each([
    [
      { split: 'training', datasets: ['pet'] },
      /prepared has no dataset "pet": it has ct, mr, empty; run prepare with "pet" in the dataset index/,
    ],
    [
      { split: 'training', caseIds: ['ct/b'] },
      /prepared has no case "ct\/b" in the split "training": prepare it first/,
    ],
    [
      { split: 'test', datasets: ['ct'] },
      /no prepared case in the split "test" of ct; 1 cases were skipped, the first because: it is missing/,
    ],
  ] as const)('says what is not there: %j', (selection, message) => {
    expect(() => select(selection)).toThrow(message);
    expect(() => select(selection)).toThrow(DataError);
  });
});
