import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { UsageError } from '../../../src/errors.js';
import { temporaryFolder, writeJson } from '../generated-data.js';

const root = temporaryFolder();
let written = 0;

const read = (entry: object) =>
  readDatasetFile(
    writeJson(join(root, `index-${written++}.json`), {
      schema: 1,
      datasets: { d: { modality: 'ct', classes: { 1: 'liver', 2: 'spleen' }, ...entry } },
    }),
  );

describe('a label in several files', () => {
  it.each([
    ['a list', ['liver.nii.gz', 'spleen.nii.gz']],
    ['a list of one', ['liver.nii.gz']],
    ['an object', { liver: 'liver.nii.gz' }],
  ])('given as %s is refused by what names masks', async (_, label) => {
    const reading = read({ layout: 'files', cases: [{ id: 'a', image: 'ct.nii.gz', label }] });
    await expect(reading).rejects.toBeInstanceOf(UsageError);
    await expect(reading).rejects.toThrow(
      /datasets\.d\.cases\.0\.label: found the (list|object) .*, expected one file; where each file is the mask of one structure, .*"masks": {"liver"/,
    );
  });

  it('given as a list of globs is refused by what names masks', async () => {
    const reading = read({ layout: 'folder', path: root, labels: ['*/liver.nii.gz', '*/spleen.nii.gz'] });
    await expect(reading).rejects.toBeInstanceOf(UsageError);
    await expect(reading).rejects.toThrow(
      /datasets\.d\.labels: found the list .*, expected one glob, .* use the layout "masks"/,
    );
  });

  it('still has to be text where it is a number', async () => {
    const reading = read({ layout: 'files', cases: [{ id: 'a', image: 'ct.nii.gz', label: 3 }] });
    await expect(reading).rejects.toThrow(/label: found 3, expected text/);
  });

  it.each([
    [
      'any name',
      '*/segmentations/*.nii.gz',
      /segmentations\/(liver|spleen)\.nii\.gz has no image: .* use the layout "masks"$/,
    ],
    [
      'two names',
      '*/segmentations/{liver,spleen}.nii.gz',
      /two labels where one is expected, .* use the layout "masks"$/,
    ],
  ])('found by a glob for %s is unusable, with what names masks', async (name, labels, sentence) => {
    const path = join(root, name);
    for (const file of ['ct.nii.gz', 'segmentations/liver.nii.gz', 'segmentations/spleen.nii.gz']) {
      for (const id of ['s0', 's1']) {
        mkdirSync(dirname(join(path, id, file)), { recursive: true });
        writeFileSync(join(path, id, file), '');
      }
    }
    const [dataset] = await indexDatasets(
      await read({ layout: 'folder', path, images: '*/ct.nii.gz', labels }),
    );
    const problems = dataset!.cases.flatMap(({ problem }) => problem ?? []);
    expect(problems.length).toBeGreaterThanOrEqual(2);
    for (const problem of problems.filter((found) => !found.includes('has no label')))
      expect(problem).toMatch(sentence);
    expect(problems.some((problem) => sentence.test(problem))).toBe(true);
  });

  it('says nothing of masks where one label has no image', async () => {
    const path = join(root, 'one');
    for (const file of ['images/a.nii.gz', 'labels/a.nii.gz', 'labels/b.nii.gz']) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), '');
    }
    const entry = { layout: 'folder', path, images: 'images/*.nii.gz', labels: 'labels/*.nii.gz' };
    const [dataset] = await indexDatasets(await read(entry));
    const [problem] = dataset!.cases.flatMap(({ problem }) => problem ?? []);
    expect(problem).toMatch(/has no image: download the image of b, or remove the label$/);
  });
});
