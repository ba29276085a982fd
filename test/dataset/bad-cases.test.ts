import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkDatasets, prepareDatasets, readPreparedIndex } from '../../src/dataset/index.js';
import { DataError } from '../../src/errors.js';
import { niftiBytes, readVolume, writeNifti } from '../../src/volume/index.js';
import { affineOf, datasetIndex, temporaryFolder, volumeOf, writeCase, writeJson } from './generated-data.js';

const folder = temporaryFolder();
const { cases, sentences } = await badCases();

/** Scans of which each ended a whole set once, and what is said of each. */
async function badCases(): Promise<{ cases: object[]; sentences: Record<string, RegExp> }> {
  const sentences: Record<string, RegExp> = {};
  const listed: object[] = [];
  const add = (name: string, file: string, sentence: RegExp) => {
    sentences[name] = sentence;
    listed.push({ id: name, image: file });
  };
  await writeCase(folder, 'good', [36, 35, 34], { label: false });
  for (const [name, mm] of [
    ['150-mm', 150],
    ['million-mm', 1e6],
    ['one-axis', 2e4],
  ] as const) {
    const spacing = name === 'one-axis' ? ([1, 1, mm] as const) : ([mm, mm, mm] as const);
    const scan = volumeOf([24, 24, 24], (x) => x, spacing);
    await writeNifti(join(folder, `${name}.nii.gz`), { ...scan, affine: affineOf(spacing) });
    add(
      name,
      `${name}.nii.gz`,
      /24x24x24 voxels of .* would become .*, more than the \d+ that are possible: correct the spacing/,
    );
  }
  const header = Buffer.from(niftiBytes(volumeOf([8, 8, 8], (x) => x)).subarray(0, 352));
  const nifti2 = Buffer.alloc(544);
  nifti2.writeInt32LE(540, 0);
  nifti2.write('n+2\0\r\n\u001a\n', 4, 'latin1');
  nifti2.writeInt16LE(9999, 12);
  nifti2.writeInt16LE(8, 14);
  for (const [i, n] of [3, 8, 8, 8, 1, 1, 1, 1].entries()) nifti2.writeBigInt64LE(BigInt(n), 16 + 8 * i);
  writeFileSync(join(folder, 'type.nii.gz'), gzipSync(nifti2));
  add('type', 'type.nii.gz', /datatype is 9999/);
  for (const [name, data] of [
    ['here', '.'],
    ['above', '..'],
    ['folder', 'a-folder'],
  ] as const) {
    mkdirSync(join(folder, 'a-folder'), { recursive: true });
    const text = `ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_SHORT\nElementSpacing = 1 1 1\nOffset = 0 0 0\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = ${data}\n`;
    writeFileSync(join(folder, `${name}.mhd`), text);
    add(name, `${name}.mhd`, /which is no file: correct the name of the data file/);
  }
  writeFileSync(join(folder, 'cut.nii.gz'), gzipSync(header).subarray(0, 60));
  add('cut', 'cut.nii.gz', /is damaged or truncated/);
  listed.push({ id: 'good', image: 'good.nii.gz' });
  return { cases: listed, sentences };
}

describe('a set with scans that cannot be used', () => {
  it('is prepared without them, and each is named with what is wrong with it', async () => {
    const datasetsFile = writeJson(join(folder, 'bad.json'), datasetIndex(cases, { spacing: [1.5, 1.5, 2] }));
    const out = join(folder, 'out');
    const { prepared, skipped, exitCode } = await prepareDatasets({ datasetsFile, out, workers: 1 });
    expect([prepared, exitCode]).toEqual([1, 3]);
    const reasons = Object.fromEntries(skipped.map(({ id, reason }) => [id.replace('ct/', ''), reason]));
    expect(Object.keys(reasons).sort()).toEqual(Object.keys(sentences).sort());
    for (const [name, sentence] of Object.entries(sentences)) expect(reasons[name]).toMatch(sentence);

    // The files of the prepared folder hold no path of the machine.
    for (const file of ['index.json', 'ct/good.case.json'])
      expect(readFileSync(join(out, file), 'utf8')).not.toContain(folder);
    const index = await readPreparedIndex(out);
    expect(index.cases[0]?.sourceImages).toEqual([join(folder, 'good.nii.gz')]);
    expect(existsSync(index.skipped[0]?.file ?? '')).toBe(true);
    expect((await prepareDatasets({ datasetsFile, out, workers: 1 })).unchanged).toBe(1);
  });

  it('is checked to its end, too', async () => {
    const datasetsFile = writeJson(join(folder, 'check.json'), datasetIndex(cases));
    const { findings } = await checkDatasets({ datasetsFile, workers: 1 });
    const unusable = findings.filter(({ severity }) => severity === 'unusable').map(({ id }) => id);
    for (const name of ['type', 'here', 'above', 'folder', 'cut']) expect(unusable).toContain(`ct/${name}`);
    expect(unusable).not.toContain('ct/good');
  });
});

// Opens, and fails as it is read: no other file of Linux does so without being damaged first.
it.skipIf(process.platform !== 'linux')(
  'what goes wrong with a file in an unforeseen way is bad data of that file',
  async () => {
    const error = await readVolume('/proc/self/mem').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(
      /^\/proc\/self\/mem could not be read \(EIO\): check the file/,
    );
  },
);
