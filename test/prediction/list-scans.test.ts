import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listScans } from '../../src/prediction/list-scans.js';

const root = mkdtempSync(join(tmpdir(), 'list-scans-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let made = 0;

function folderOf(files: readonly string[], name = String(made++)): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  return folder;
}

/** `name: files` of a folder's scans, relative to it. */
async function listed(files: readonly string[], channels = 1) {
  const folder = folderOf(files);
  const scans = await listScans([folder], join(root, 'out'), channels);
  for (const { name, label } of scans) expect(label).toBe(join(root, 'out', `${name}.nii.gz`));
  return Object.fromEntries(
    scans.map(({ name, images }) => [name, images.map((image) => image.slice(folder.length + 1))]),
  );
}

describe('a folder to predict', () => {
  it('gives every scan the name of its file, and passes over hidden twins', async () => {
    const files = ['a.nii.gz', 'b.MHA', 'c.Nrrd', '._a.nii.gz', '.DS_Store', 'notes.txt', '__MACOSX/a.nii'];
    expect(await listed(files)).toEqual({ a: ['a.nii.gz'], b: ['b.MHA'], c: ['c.Nrrd'] });
  });

  it("names labels as nnU-Net does, without the first channel's number", async () => {
    expect(await listed(['a_0000.nii.gz', 'b_0000.nii.gz'])).toEqual({
      a: ['a_0000.nii.gz'],
      b: ['b_0000.nii.gz'],
    });
    const numbered = ['s_0000.nii', 's_0001.nii'];
    expect(await listed(numbered)).toEqual({ s_0000: ['s_0000.nii'], s_0001: ['s_0001.nii'] });
    expect(await listed([...numbered, 't_0000.nii', 't_0001.nii'], 2)).toEqual({
      s: ['s_0000.nii', 's_0001.nii'],
      t: ['t_0000.nii', 't_0001.nii'],
    });
  });

  it('may hold a folder a case: with its scan, its channels or its series', async () => {
    expect(await listed(['c1/ct.nii.gz', 'c2/ct.nii.gz', 'readme.md'])).toEqual({
      c1: ['c1/ct.nii.gz'],
      c2: ['c2/ct.nii.gz'],
    });
    expect(await listed(['c1/m_0000.nii', 'c1/m_0001.nii'], 2)).toEqual({
      c1: ['c1/m_0000.nii', 'c1/m_0001.nii'],
    });
    expect(await listed(['p1/001.dcm', 'p1/002.dcm', 'p2/study/ct/1', 'DICOMDIR'])).toEqual({
      p1: ['p1'],
      p2_study_ct: ['p2/study/ct'],
    });
    expect(await listed(['c1/a.nii', 'c1/b.nii', 'c2/a.nii'])).toEqual({
      c1_a: ['c1/a.nii'],
      c1_b: ['c1/b.nii'],
      c2: ['c2/a.nii'],
    });
  });

  it('may be one series, whose name is that of the folder, also with "/" behind', async () => {
    const folder = folderOf(['1.dcm', '2.dcm'], 'patient 7');
    for (const input of [folder, `${folder}/`])
      expect(await listScans([input], join(root, 'out'), 1)).toEqual([
        { name: 'patient 7', images: [input], label: join(root, 'out', 'patient 7.nii.gz') },
      ]);
    expect((await listScans([folder], join(root, 'one.nii.gz'), 1))[0]?.label).toBe(join(root, 'one.nii.gz'));
  });

  it.each([
    ['nothing', [], 1, /holds nothing to predict: --input takes a scan/],
    ['empty folders', ['a/.hidden'], 1, /holds nothing to predict/],
    ['one scan twice', ['a.nii', 'a.nii.gz'], 1, /a\.nii and .*a\.nii\.gz are both the scan a: remove/],
    ['one channel twice', ['a_0000.nii', 'a_0001.nii', 'a_0001.mha'], 2, /are both the scan a_0001/],
    [
      'names that become one',
      ['a/b.nii', 'a/c.nii', 'a_b.dir/x.nii', 'a_b/x.nii'],
      1,
      /would both be predicted as .*a_b/,
    ],
    ['names that differ in case', ['A.nii', 'a.nii'], 1, /would both be predicted as/],
    ['slices and scans', ['1.dcm', 'old/a.nii'], 1, /holds slices itself and scans in old: name the one/],
  ])('is refused with %s', async (_, files, channels, message) => {
    await expect(listed(files, channels)).rejects.toThrow(message);
  });
});

describe('files to predict', () => {
  it('are one scan, named without its channel', async () => {
    const label = async (...input: string[]) => (await listScans(input, 'out', input.length))[0];
    expect(await label('x/CASE_0000.nii.gz')).toEqual({
      name: 'CASE',
      images: ['x/CASE_0000.nii.gz'],
      label: join('out', 'CASE.nii.gz'),
    });
    expect((await label('x/CASE_0001.nii', 'x/CASE_0000.nii'))?.name).toBe('CASE');
    expect((await label('x/scan_0001.nii'))?.name).toBe('scan_0001');
    await expect(listScans(['x/001.DCM'], 'out', 1)).rejects.toThrow(/is one file of a DICOM series/);
  });
});
