import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { withSplitFile } from '../../../src/dataset/index/split-file.js';
import { datasetIndex, temporaryFolder, writeJson } from '../generated-data.js';

const folder = temporaryFolder();
const cases = Array.from({ length: 10 }, (_, i) => ({ id: `case${i}`, image: `case${i}.nii.gz` }));
const datasetsFile = writeJson(
  join(folder, 'datasets.json'),
  datasetIndex(cases, { splits: { test: ['case9'] } }),
);
const splitFile = (content: unknown, name = 'splits.json') => writeJson(join(folder, name), content);
const withSplits = async (file: string | undefined) =>
  withSplitFile(await readDatasetFile(datasetsFile), file);

async function splitsWith(file: string | undefined): Promise<Record<string, string>> {
  const [dataset] = await indexDatasets(await withSplits(file));
  return Object.fromEntries(dataset!.cases.map(({ name, split }) => [name, split]));
}

describe('a split file of the user', () => {
  it('fixes the cases it names beside those the index fixes, and the rest is drawn', async () => {
    const found = await splitsWith(splitFile({ ct: { training: ['case0', 'case1', 'case2'] } }));
    expect(found).toMatchObject({ case0: 'training', case1: 'training', case2: 'training', case9: 'test' });
    expect(Object.values(found).filter((split) => split === 'validation')).toHaveLength(1); // round(0.2 x 6)
    expect(await splitsWith(undefined)).not.toEqual(found);
  });

  it('leaves nothing to draw for validation when it names cases for it', async () => {
    const found = await splitsWith(splitFile({ ct: { validation: ['case0', 'case1'] } }));
    const rest = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`case${i + 2}`, 'training']));
    expect(found).toEqual({ case0: 'validation', case1: 'validation', ...rest, case9: 'test' });
  });

  it.each([
    [
      'names a case that is not there',
      { ct: { training: ['nobody'] } },
      /splits.training names "nobody", which is no case/,
    ],
    [
      'contradicts the index',
      { ct: { training: ['case9'] } },
      /names "case9", which is in the .* split already/,
    ],
    [
      'names an unknown dataset',
      { mr: { training: ['case0'] } },
      /names the dataset "mr", which .*datasets.json lacks: it has ct/,
    ],
    ['has another form', [{ train: [], val: [] }], /expected \{"dataset": \{"training"/],
  ])('is refused when it %s', async (_, content, message) => {
    await expect(splitsWith(splitFile(content, 'wrong.json'))).rejects.toThrow(message);
  });

  it('is refused when it is missing', async () => {
    await expect(splitsWith(join(folder, 'absent.json'))).rejects.toThrow(
      /split file .*absent.json cannot be read/,
    );
  });
});
