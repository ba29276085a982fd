import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import {
  readVolume,
  readVolumeHeader,
  spacingOf,
  type Triple,
  type VoxelArray,
  writeNifti,
} from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

interface ReadingCase {
  readonly file: string;
  readonly size: Triple;
  readonly channels: number;
  readonly affine: readonly number[];
  readonly data: string;
}

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-nifti-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('reading NIfTI', () => {
  it.each(readReference<ReadingCase[]>('reading.json'))('reads $file as nibabel does', async (reference) => {
    const volume = await readVolume(referenceFile(reference.file));
    expect(volume.size).toEqual(reference.size);
    expect(volume.channels).toBe(reference.channels);
    expect(largestDifference(volume.affine.rows, reference.affine)).toBeLessThan(1e-5);
    expect(largestDifference(volume.data, decodeFloats(reference.data))).toBeLessThan(1e-5);
    expect((await readVolumeHeader(referenceFile(reference.file))).size).toEqual(reference.size);
  });
});

describe('writing NIfTI', () => {
  const kinds = [
    Uint8Array,
    Int8Array,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
  ] as const;
  const side = fc.integer({ min: 1, max: 6 });
  const volumes = fc
    .record({
      size: fc.tuple(side, side, side),
      channels: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom(...kinds),
      spacing: fc.tuple(
        ...([0, 1, 2].map(() => fc.integer({ min: 1, max: 40 })) as [
          fc.Arbitrary<number>,
          fc.Arbitrary<number>,
          fc.Arbitrary<number>,
        ]),
      ),
      turn: fc.integer({ min: 0, max: 628 }),
      flip: fc.constantFrom(1, -1),
      name: fc.constantFrom('v.nii', 'v.nii.gz'),
      salt: fc.integer({ min: 1, max: 1000 }),
    })
    .map(({ size, channels, kind, spacing: [sx, sy, sz], turn, flip, name, salt }) => {
      const [c, s] = [Math.cos(turn / 100), Math.sin(turn / 100)];
      const [mx, my, mz] = [sx / 8, sy / 8, sz / 8];
      const affine = { rows: [c * mx, -s * my, 0, 3, s * mx, c * my, 0, -4, 0, 0, flip * mz, 5.5] };
      const data: VoxelArray = new kind(size[0] * size[1] * size[2] * channels).map(
        (_, i) => (i * salt) % 127,
      );
      return { name, volume: { size, spacing: spacingOf(affine), affine, channels, data } };
    });

  it('reads back what it wrote: size, channels, type, values and place', async () => {
    await fc.assert(
      fc.asyncProperty(volumes, async ({ name, volume }) => {
        const file = join(folder, name);
        await writeNifti(file, volume);
        const read = await readVolume(file);
        expect(read.size).toEqual(volume.size);
        expect(read.channels).toBe(volume.channels);
        expect(read.data).toEqual(volume.data);
        expect(largestDifference(read.affine.rows, volume.affine.rows)).toBeLessThan(1e-5);
      }),
      { numRuns: 60 },
    );
  });

  it('writes a qform that says the same as the sform', async () => {
    await fc.assert(
      fc.asyncProperty(volumes, async ({ volume }) => {
        const file = join(folder, 'qform.nii');
        await writeNifti(file, volume);
        const bytes = readFileSync(file);
        bytes.writeInt16LE(0, 254); // without sform
        writeFileSync(file, bytes);
        expect(
          largestDifference((await readVolumeHeader(file)).affine.rows, volume.affine.rows),
        ).toBeLessThan(1e-3);
      }),
      { numRuns: 60 },
    );
  });
});

describe('files that cannot be read', () => {
  const whole = gunzipSync(readFileSync(referenceFile('plain.nii.gz')));
  const put = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(whole);
    change(bytes);
    return bytes;
  };
  const dims = (...sizes: number[]) =>
    changed((bytes) => {
      for (const [i, n] of [sizes.length, ...sizes].entries()) bytes.writeInt16LE(n, 40 + 2 * i);
    });

  const refused: readonly [string, () => string, RegExp][] = [
    ['a missing file', () => join(folder, 'none.nii.gz'), /does not exist: check the path$/],
    [
      'a folder',
      () => folder,
      /holds no DICOM file, but .*: a folder given as a scan must hold the slices of one DICOM series, so name a scan/,
    ],
    [
      'a truncated .nii.gz',
      () => put('cut.nii.gz', gzipSync(whole).subarray(0, 500)),
      /truncated.*copy or download it again$/,
    ],
    ['a truncated .nii', () => put('cut.nii', whole.subarray(0, 700)), /truncated/],
    [
      'a .nii.gz of a truncated .nii',
      () => put('inner.nii.gz', gzipSync(whole.subarray(0, 700))),
      /truncated.*copy or download it again$/,
    ],
    ['a file of 20 bytes', () => put('short.nii', whole.subarray(0, 20)), /is not a NIfTI-1 or NIfTI-2 file/],
    ['an empty file', () => put('empty.nii', Buffer.alloc(0)), /is empty; copy or download it again/],
    [
      'another kind of file',
      () => put('text.nii', Buffer.from('a text, and no image at all\n'.repeat(60))),
      /is not a NIfTI-1 or NIfTI-2 file/,
    ],
    [
      'a size of 32767 each way',
      () => put('huge.nii', dims(32767, 32767, 32767)),
      /size of 32767x32767x32767.*damaged$/,
    ],
    [
      'a size beyond the file',
      () => put('big.nii.gz', gzipSync(dims(1500, 1500, 1500))),
      /needs 6750000000 bytes, more than a file of/,
    ],
    ['a negative size', () => put('negative.nii', dims(8, -9, 7)), /size of 8x-9x7/],
    ['no axes', () => put('axes.nii', dims()), /dim\[0\] is 0|not a NIfTI/],
    [
      'an unknown datatype',
      () =>
        put(
          'datatype.nii',
          changed((bytes) => bytes.writeInt16LE(9999, 70)),
        ),
      /datatype is 9999 \(no type of NIfTI\); expected one of uint8, int16/,
    ],
    ...(
      [
        ['a colour image', 128, /datatype is 128 \(RGB24, in colour\); expected one of uint8/],
        ['a colour image with opacity', 2304, /datatype is 2304 \(RGBA32, in colour\)/],
        ['a complex image', 32, /datatype is 32 \(complex64\)/],
        ['an image of 16 bytes a voxel', 1536, /datatype is 1536 \(float128\)/],
        ['an image of bits', 1, /datatype is 1 \(one bit a voxel\)/],
      ] as const
    ).map(([what, code, sentence]): [string, () => string, RegExp] => {
      const file = () =>
        put(
          `type-${code}.nii`,
          changed((bytes) => bytes.writeInt16LE(code, 70)),
        );
      return [what, file, sentence];
    }),
    [
      'a singular affine',
      () =>
        put(
          'singular.nii',
          changed((bytes) => bytes.fill(0, 280, 296)),
        ),
      /is singular.*fix sform or qform/,
    ],
  ];

  it.each(refused)(
    'refuses %s in one sentence that names the file, and does not allocate it',
    async (_, make, sentence) => {
      const file = make();
      const before = process.memoryUsage().arrayBuffers;
      const error = await readVolume(file).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      expect(error).toBeInstanceOf(DataError);
      const { message, exitCode, facts } = error as DataError;
      expect(message).toMatch(sentence);
      expect(message).toContain(file);
      expect(message).not.toContain('\n');
      expect(exitCode).toBe(3);
      expect(facts.file).toBe(file);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
    },
  );
});
