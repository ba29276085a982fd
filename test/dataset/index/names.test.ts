import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { caseIds, isFileName, longestName, sameOnSomeSystem } from '../../../src/dataset/index/case-ids.js';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { datasetIndex, labelledCase, temporaryFolder, writeJson } from '../generated-data.js';

const root = temporaryFolder();
let written = 0;

async function indexed(content: object) {
  const file = writeJson(join(root, `datasets-${written++}.json`), content);
  const [dataset] = await indexDatasets(await readDatasetFile(file));
  return dataset!;
}

function folderOf(files: readonly string[], entry: object = {}) {
  const path = join(root, `folder-${written++}`);
  for (const file of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), '');
  }
  const globs = { images: 'i/*.nii', labels: 'l/*.nii' };
  const dataset = { layout: 'folder', modality: 'ct', path, classes: { 1: 'x' }, ...globs, ...entry };
  return indexed({ schema: 1, datasets: { d: dataset } });
}
const pair = (name: string) => [`i/${name}.nii`, `l/${name}.nii`];

const nfc = 'Sättiger'.normalize('NFC');
const nfd = 'Sättiger'.normalize('NFD');

describe('ids of cases', () => {
  const awkward = [
    ...['检查', '報告', 'Обследование', 'Пациент 1', 'αβγ', 'محمد', 'สวัสดี', 'ひらがな', nfc, 'Ærø'],
    ...[
      'a b',
      'a_b',
      'a  b',
      'a/b',
      'a:b',
      'A_b',
      '.',
      '..',
      ' ',
      '-x',
      '#1 100%',
      'a\tb',
      'x'.repeat(300),
      '长'.repeat(200),
    ],
    ...['con', 'NUL', 'com1.ct', 'a.', 'ﬁ', 'fi', '１２', '12', 'Straße', 'STRASSE', '\u{1F600}', 'a\u200db'],
  ];

  it('stay apart and are file names on every system, whatever the names are', () => {
    const ids = caseIds(awkward);
    expect(new Set([...ids.values()].map(sameOnSomeSystem)).size).toBe(new Set(awkward).size);
    for (const [name, id] of ids) {
      expect(id, name).toMatch(/^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u);
      expect(id).toBe(id.normalize('NFC'));
      expect(Buffer.byteLength(id)).toBeLessThanOrEqual(longestName);
      expect(isFileName(id), id).toBe(true);
    }
  });

  it('are the names where nothing is in the way, and do not depend on the order', () => {
    const ids = caseIds(awkward);
    for (const name of ['检查', 'Обследование', nfc, 'A_b', 'fi', '12']) expect(ids.get(name)).toBe(name);
    expect(ids.get('Пациент 1')).toBe('Пациент_1');
    expect(ids.get('a b')).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(caseIds([...awkward].reverse())).toEqual(new Map([...ids].reverse()));
    expect(caseIds(['bert 2']).get('bert 2')).toBe('bert_2');
  });
});

describe('names of files', () => {
  it('in other scripts are cases of their own', async () => {
    const names = ['检查一', '检查二', '报告', 'Пётр', 'Павел', 'José 1', 'José 2'];
    const { cases, notes } = await folderOf(names.flatMap(pair));
    expect(cases.map(({ name }) => name).sort()).toEqual(names.map((name) => name.replace(' ', '_')).sort());
    expect([cases.every(({ label, problem }) => label && !problem), notes]).toEqual([true, []]);
  });

  it('pair in any Unicode form', async () => {
    const { cases } = await folderOf([`i/${nfd}.nii`, `l/${nfc}.nii`]);
    expect(cases).toMatchObject([
      { name: nfc, images: [expect.stringMatching(nfd)], label: expect.stringMatching(nfc) },
    ]);
    expect(cases[0]!.problem).toBeUndefined();
  });

  it('that differ in Unicode form alone are one case with two files, which is named', async () => {
    const { cases } = await folderOf([`i/${nfd}.nii`, `i/${nfc}.nii`, `l/${nfc}.nii`]);
    expect(cases.map(({ name, problem }) => [name, problem])).toEqual([
      [nfc, expect.stringMatching(/has two files where one is expected/)],
    ]);
  });

  it('may have their endings in any case where no glob is given', async () => {
    const files = ['a.NII.GZ', 'B.Nii', 'c.MHA', 'd.nrrd', 'e.NHDR', 'f.Mhd', 'g.nii.GZ', 'h.TXT'];
    const path = join(root, 'endings');
    mkdirSync(path, { recursive: true });
    for (const file of files) writeFileSync(join(path, file), '');
    const entry = { layout: 'folder', modality: 'ct', path };
    const datasets = writeJson(join(root, 'endings.json'), { schema: 1, datasets: { d: entry } });
    const [dataset] = await indexDatasets(await readDatasetFile(datasets));
    expect(dataset!.cases.map(({ name }) => name).sort()).toEqual(['B', 'a', 'c', 'd', 'e', 'f', 'g']);
  });

  it('that differ in case alone stay apart on every system, with a note', async () => {
    const { cases, notes } = await folderOf(['Anna', 'anna', 'ANNA'].flatMap(pair));
    expect(cases.map(({ problem }) => problem)).toEqual([undefined, undefined, undefined]);
    expect(new Set(cases.map(({ name }) => name.toLowerCase())).size).toBe(3);
    expect(cases.map(({ name }) => name)).toContain('ANNA');
    expect(notes).toEqual([expect.stringMatching(/^"Anna" and 1 others|^"anna" and 1 others/)]);
  });

  it('may be used by the index as they are, or by their ids', async () => {
    const files = ['Fall 1', 'Fall 2', 'Fall 3', nfd].flatMap(pair);
    const { cases } = await folderOf(files, {
      exclude: ['Fall 1'],
      splits: { test: ['Fall 2', nfc], validation: ['Fall_3'] },
    });
    expect(Object.fromEntries(cases.map(({ name, split }) => [name, split]))).toEqual({
      Fall_2: 'test',
      Fall_3: 'validation',
      [nfc]: 'test',
    });
    await expect(folderOf(files, { exclude: ['Fall 9'] })).rejects.toThrow(
      /exclude names "Fall 9", which is no case/,
    );
    const twins = folderOf(['a b', 'a_b'].flatMap(pair), { exclude: ['a b'] });
    expect((await twins).cases.map(({ name }) => name)).toEqual(['a_b']);
  });

  it('listed in one Unicode form are found in the other', async () => {
    const folder = join(root, nfd, 'scans');
    mkdirSync(folder, { recursive: true });
    for (const file of [`${nfd}.nii`, 'x.nii']) writeFileSync(join(folder, file), '');
    const image = `${nfc}/scans/${nfc}.nii`;
    const { cases } = await indexed(datasetIndex([{ id: nfd, image, label: `${nfc}/scans/x.nii` }]));
    expect(cases).toMatchObject([
      { name: nfc, images: [join(folder, `${nfd}.nii`)], label: join(folder, 'x.nii') },
    ]);
  });
});

describe('ids that the index gives', () => {
  it('may be of any script, but not two that some system takes for one', async () => {
    const { cases } = await indexed(datasetIndex(['检查', 'Пётр'].map((id) => labelledCase(id))));
    expect(cases.map(({ id }) => id)).toEqual(['ct/检查', 'ct/Пётр']);
    await expect(indexed(datasetIndex(['a', 'A'].map((id) => labelledCase(id))))).rejects.toThrow(
      /lists the cases "a" and "A", which macOS and Windows take for one/,
    );
    await expect(indexed(datasetIndex([nfc, nfd].map((id) => labelledCase(id))))).rejects.toThrow(/twice/);
    const dataset = { layout: 'files', modality: 'ct', cases: [{ id: 'a', image: 'a.nii' }] };
    await expect(indexed({ schema: 1, datasets: { ct: dataset, CT: dataset } })).rejects.toThrow(
      /the datasets "ct" and "CT" differ in case or Unicode form alone/,
    );
  });

  it.each(['con', '../a', 'a b', '.a', 'a/b', '', '长'.repeat(41)])('are refused as "%s"', async (id) => {
    await expect(indexed(datasetIndex([{ id, image: 'a.nii' }]))).rejects.toThrow(
      /cases\.0\.id: must consist of letters, digits.*; found "/,
    );
  });
});
