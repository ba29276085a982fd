import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { niftiBytes, openSlices, readLabel, readVolume } from '../../src/volume/index.js';
import { readReference, referenceFile } from './references.js';

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-whole-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** All values of a file, read slice by slice. */
async function slicesOf(file: string): Promise<number[]> {
  const values: number[] = [];
  for await (const slice of (await openSlices(file)).slices()) values.push(...slice);
  return values;
}

const readers: Record<string, (file: string) => Promise<ArrayLike<number>>> = {
  volume: async (file) => (await readVolume(file)).data,
  label: async (file) => (await readLabel(file)).data,
  slices: slicesOf,
};

describe('a gzip file', () => {
  // Made by `test/parity/volume/gzip-members.py`, which read them by nibabel.
  const { files } = readReference<{ files: Record<string, { sum: number; first: number; last: number }> }>(
    'gzip-members/gzip-members.json',
  );
  it.each(Object.entries(files))('gives what nibabel reads of %s', async (name, expected) => {
    for (const read of Object.values(readers)) {
      const values = Array.from(await read(referenceFile(join('gzip-members', name))));
      const sum = values.reduce((all, value) => all + value, 0);
      expect({ sum, first: values[0], last: values.at(-1) }).toEqual(expected);
    }
  });

  it('is refused where another member is begun and cut off', async () => {
    const whole = readFileSync(referenceFile('gzip-members/one.nii.gz'));
    const second = gzipSync(Buffer.alloc(40));
    for (let length = 2; length < second.length; length++) {
      const file = join(folder, 'second.nii.gz');
      writeFileSync(file, Buffer.concat([whole, second.subarray(0, length)]));
      await expect(readVolume(file)).rejects.toThrow(
        /is damaged or truncated: .*; copy or download it again/,
      );
    }
  });
});

/** Compressed files of every kind, and which of their bytes are compressed. */
const samples: readonly (readonly [name: string, from: string, dataFile?: string])[] = [
  ['one.nii.gz', 'gzip-members'],
  ['described.nii.gz', 'gzip-members'],
  ['stored.nii.gz', 'gzip-members'],
  ['two.nii.gz', 'gzip-members'],
  ['compressed.mha', 'formats'],
  ['int16.nrrd', 'formats'],
  ['channels.nrrd', 'gzip-members'],
  ['channels.mha', 'gzip-members'],
  ['zraw.mhd', 'formats', 'zraw.zraw'],
  ['detached-gz.nhdr', 'formats', 'detached-gz.raw.gz'],
];

describe('a compressed scan', () => {
  /** A folder with the sample alone; its compressed file and where in it the compressed bytes begin. */
  function copyOf([name, from, dataFile = name]: (typeof samples)[number], into: string) {
    const target = join(folder, into);
    mkdirSync(target, { recursive: true });
    const content = readFileSync(referenceFile(join(from, dataFile)));
    if (dataFile !== name) writeFileSync(join(target, name), readFileSync(referenceFile(join(from, name))));
    const end = /\n\n|ElementDataFile *= *LOCAL\n/.exec(content.toString('latin1', 0, 4096));
    const start = name === dataFile && end && !name.endsWith('.gz') ? end.index + end[0].length : 0;
    return { file: join(target, name), data: join(target, dataFile), content, start };
  }

  it.each(samples.map((sample) => [sample[0], sample] as const))(
    '%s is refused with any bit of it turned, or gives the same values',
    async (name, sample) => {
      const { file, data, content, start } = copyOf(sample, `bits-${name}`);
      writeFileSync(data, content);
      const whole = await readVolume(file);
      const step = Math.max(1, Math.floor((content.length - start) / 20));
      const places = Array.from({ length: content.length - start }, (_, i) => start + i).filter(
        (place, i) => i % step === 0 || place >= content.length - 8,
      );
      let refused = 0;
      for (const place of places) {
        const spoilt = Buffer.from(content);
        spoilt.writeUInt8(spoilt.readUInt8(place) ^ (1 << (place % 8)), place);
        writeFileSync(data, spoilt);
        for (const read of [readers.volume!, readers.slices!]) {
          try {
            expect(Array.from(await read(file))).toEqual(Array.from(whole.data));
          } catch (error) {
            expect(error).toBeInstanceOf(DataError);
            expect((error as DataError).message).toContain(basename(data));
            refused++;
          }
        }
      }
      // Harmless are the bits of time, system and names that some headers hold.
      expect(refused).toBeGreaterThan(1.5 * places.length);
    },
  );

  it.each(samples.map((sample) => [sample[0], sample] as const))(
    '%s is refused wherever it is cut off',
    async (name, sample) => {
      const { file, data, content, start } = copyOf(sample, `cut-${name}`);
      writeFileSync(data, content);
      await readVolume(file);
      const rest = content.length - start;
      const lengths = [
        0,
        1,
        2,
        9,
        10,
        11,
        Math.floor(rest / 2),
        ...[8, 7, 6, 5, 4, 3, 2, 1].map((n) => rest - n),
      ];
      for (const length of lengths) {
        writeFileSync(data, content.subarray(0, start + length));
        for (const read of Object.values(readers))
          await expect(read(file), `cut to ${length} bytes of ${rest}`).rejects.toBeInstanceOf(DataError);
      }
    },
  );
});

describe('a small file that holds gigabytes', () => {
  /** A NIfTI file whose header says a size, and what follows the header. */
  function fileOf(name: string, size: readonly [number, number, number], content: Buffer): string {
    const grid = { spacing: [1, 1, 1], affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] } } as const;
    const header = niftiBytes({ ...grid, size, channels: 1, data: new Uint8Array(0) });
    writeFileSync(join(folder, name), gzipSync(Buffer.concat([header, content])));
    return join(folder, name);
  }

  it('is refused by its header, before anything of it is decompressed', async () => {
    // Only its header counts: a file as long as one of so many zeros is.
    const file = fileOf('large.nii.gz', [1600, 1600, 1600], randomBytes(4_000_000));
    const before = process.memoryUsage().rss;
    for (const read of Object.values(readers))
      await expect(read(file)).rejects.toThrow(/has 4096000000 voxels, but 2147483648 are the most/);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });

  it('is refused soon after the voxels that its header promises', async () => {
    const file = fileOf('long.nii.gz', [32, 32, 32], Buffer.alloc(2 ** 28));
    const before = process.memoryUsage().rss;
    for (const read of Object.values(readers))
      await expect(read(file)).rejects.toThrow(/goes on for more than 1048576 bytes after the 32768 bytes/);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
  });
});
