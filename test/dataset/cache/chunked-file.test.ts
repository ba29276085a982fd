import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openChunkedFile, withChunkedFile } from '../../../src/dataset/cache/chunked-file.js';
import type { ChunkedArray } from '../../../src/dataset/cache/chunked-format.js';
import { type ClassPositions, classFinder } from '../../../src/dataset/cache/class-positions.js';
import { writeChunkedFile } from '../../../src/dataset/cache/write-chunked.js';
import { DataError } from '../../../src/errors.js';
import type { Triple } from '../../../src/volume/index.js';
import { temporaryFolder } from '../../temporary-folder.js';

const folder = temporaryFolder();

const described = (size: Triple, channels = 1) => ({
  size: [...size] as [number, number, number],
  spacing: [1, 1, 1] as [number, number, number],
  affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
  channels,
  steps: [],
  sources: [],
});

const counting = (size: Triple, channels = 1) =>
  Float32Array.from({ length: size[0] * size[1] * size[2] * channels }, (_, i) => i + 1);

/** Writes a whole volume `[c][z][y][x]`, cut into slabs of 32 planes. */
function writeWhole(
  file: string,
  { data, ...header }: Parameters<typeof writeChunkedFile>[1] & { data: ChunkedArray },
  positions: Record<string, ClassPositions> = {},
): void {
  const [nx, ny, nz] = header.size;
  const slabs = Array.from({ length: Math.ceil(nz / 32) }, (_, k) => {
    const planes = Math.min(32, nz - 32 * k);
    const channels = Array.from({ length: header.channels }, (_, c) => {
      const first = nx * ny * (32 * k + nz * c);
      return [...data.subarray(first, first + nx * ny * planes)];
    });
    return new (data.constructor as new (values: number[]) => ChunkedArray)(channels.flat());
  });
  writeChunkedFile(file, header, slabs, positions);
}

/** The obvious slow way: every voxel by its index, 0 outside. */
function sliced(
  data: Float32Array,
  size: Triple,
  channels: number,
  start: Triple,
  box: Triple,
): Float32Array {
  const result = new Float32Array(box[0] * box[1] * box[2] * channels);
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = start[2]; z < start[2] + box[2]; z++) {
      for (let y = start[1]; y < start[1] + box[1]; y++) {
        for (let x = start[0]; x < start[0] + box[0]; x++, to++) {
          const inside = x >= 0 && y >= 0 && z >= 0 && x < size[0] && y < size[1] && z < size[2];
          if (inside) result[to] = data[x + size[0] * (y + size[1] * (z + size[2] * c))]!;
        }
      }
    }
  }
  return result;
}

const side = fc.integer({ min: 1, max: 70 });
const sizes = fc.tuple(side, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));
const starts = fc.tuple(
  fc.integer({ min: -20, max: 80 }),
  fc.integer({ min: -20, max: 50 }),
  fc.integer({ min: -20, max: 50 }),
);

describe('a chunked volume', () => {
  it('gives every box as the slice of the whole volume, with 0 outside, at any sizes, starts and channels', () => {
    let made = 0;
    fc.assert(
      fc.property(sizes, starts, sizes, fc.integer({ min: 1, max: 3 }), (size, start, box, channels) => {
        const file = join(folder, `property-${made++}.hmv`);
        const data = counting(size, channels);
        writeWhole(file, { ...described(size, channels), dtype: 'float32', data });
        const read = withChunkedFile(file, (open) => open.readBox(start, box));
        expect(
          Buffer.from(read.buffer).equals(Buffer.from(sliced(data, size, channels, start, box).buffer)),
        ).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['begins at a chunk', [32, 0, 0], [32, 32, 32]],
    ['ends one voxel into the next chunk', [1, 0, 0], [32, 33, 32]],
    ['begins one voxel before a chunk', [31, 31, 31], [2, 2, 2]],
    ['is the whole volume', [0, 0, 0], [65, 40, 33]],
  ] as [string, Triple, Triple][])('gives the right voxels when the box %s', (_, start, box) => {
    const size: Triple = [65, 40, 33];
    const file = join(folder, 'boundaries.hmv');
    writeWhole(file, { ...described(size), dtype: 'float32', data: counting(size) });
    expect(withChunkedFile(file, (open) => open.readBox(start, box))).toEqual(
      sliced(counting(size), size, 1, start, box),
    );
  });

  it('fills an array that is given, whatever was in it, where the box reaches out of the volume, too', () => {
    const size: Triple = [20, 15, 12];
    const file = join(folder, 'into.hmv');
    writeWhole(file, { ...described(size, 2), dtype: 'float32', data: counting(size, 2) });
    for (const start of [
      [2, 3, 1],
      [-4, 3, 1],
      [2, 9, 1],
      [2, 3, 8],
      [2, 3, -1],
      [40, 3, 1],
    ] as Triple[]) {
      const into = new Float32Array(10 * 8 * 6 * 2).fill(-7);
      const box = withChunkedFile(file, (open) => open.readBox(start, [10, 8, 6], into));
      expect(box).toBe(into);
      expect(box).toEqual(sliced(counting(size, 2), size, 2, start, [10, 8, 6]));
    }
  });

  it.each([
    [32, 32, 32], // of caches of earlier versions
    [32, 16, 16],
    [5, 7, 3],
  ] as Triple[])('is read whatever shape its chunks have: %i x %i x %i', (...chunk) => {
    const size: Triple = [45, 40, 38];
    const data = counting(size, 2);
    const file = join(folder, `shape-${chunk.join('x')}.hmv`);
    const { steps, sources, spacing, affine } = described(size);
    const header = {
      dtype: 'float32',
      size,
      spacing,
      affine,
      channels: 2,
      chunk,
      steps,
      sources,
      classPositions: {},
    };
    const text = JSON.stringify(header);
    const prefix = Buffer.concat([Buffer.from('HYBMIMV1'), Buffer.alloc(4), Buffer.from(text)]);
    prefix.writeUInt32LE(text.length, 8);
    const grid = size.map((n, axis) => Math.ceil(n / chunk[axis]!));
    const chunks: Buffer[] = [];
    for (let z = 0; z < grid[2]!; z++) {
      for (let y = 0; y < grid[1]!; y++) {
        for (let x = 0; x < grid[0]!; x++) {
          const start: Triple = [x * chunk[0], y * chunk[1], z * chunk[2]];
          chunks.push(Buffer.from(sliced(data, size, 2, start, chunk).buffer));
        }
      }
    }
    writeFileSync(file, Buffer.concat([prefix, ...chunks]));
    for (const [start, box] of [
      [[0, 0, 0], size],
      [
        [7, 20, 11],
        [30, 18, 25],
      ],
      [
        [-3, 30, 30],
        [20, 20, 20],
      ],
    ] as [Triple, Triple][])
      expect(withChunkedFile(file, (open) => open.readBox(start, box))).toEqual(
        sliced(data, size, 2, start, box),
      );
  });

  it('reads the chunks a box touches and no others: the rest of the file may be rubbish', () => {
    const size: Triple = [96, 96, 96];
    const file = join(folder, 'rubbish.hmv');
    writeWhole(file, { ...described(size), dtype: 'float32', data: counting(size) });
    const bytes = readFileSync(file);
    const chunkBytes = 32 * 16 * 16 * 4;
    const first = bytes.length - 3 * 6 * 6 * chunkBytes;
    const touched = [2, 3].flatMap((z) => [2, 3].map((y) => 1 + 3 * (y + 6 * z))); // of 3 x 6 x 6
    for (let place = 0; place < 3 * 6 * 6; place++) {
      const begin = first + place * chunkBytes;
      if (!touched.includes(place)) bytes.fill(0xff, begin, begin + chunkBytes);
    }
    writeFileSync(file, bytes);
    const box = withChunkedFile(file, (open) => open.readBox([34, 33, 40], [20, 30, 22]));
    expect(box).toEqual(sliced(counting(size), size, 1, [34, 33, 40], [20, 30, 22]));
  });

  it('stores positions of each class that can be read one at a time', () => {
    const size: Triple = [5, 4, 3];
    const labels = new Uint8Array(60);
    labels[7] = 1; // x 2, y 1, z 0
    labels[59] = 1; // x 4, y 3, z 2
    labels[20] = 3; // x 0, y 0, z 1
    const file = join(folder, 'positions.hmv');
    const finder = classFinder([labels]);
    finder.add(labels);
    writeWhole(file, { ...described(size), dtype: 'uint8', data: labels }, finder.classes);
    withChunkedFile(file, ({ header, readClassPosition }) => {
      expect(header.classPositions).toEqual({
        1: { voxels: 2, stored: 2, offset: 0 },
        3: { voxels: 1, stored: 1, offset: 2 },
      });
      expect([readClassPosition('1', 0), readClassPosition('1', 1), readClassPosition('3', 0)]).toEqual([
        [2, 1, 0],
        [4, 3, 2],
        [0, 0, 1],
      ]);
      expect(() => readClassPosition('2', 0)).toThrow(DataError);
    });
  });

  it('says in a sentence when the file is missing, foreign or cut off', () => {
    expect(() => openChunkedFile(join(folder, 'absent.hmv'))).toThrow(
      /absent.hmv cannot be opened \(ENOENT\): run prepare again/,
    );
    const foreign = join(folder, 'foreign.hmv');
    writeFileSync(foreign, 'something else altogether');
    expect(() => openChunkedFile(foreign)).toThrow(/is no prepared volume of this version/);
    const cut = join(folder, 'cut.hmv');
    writeWhole(cut, { ...described([8, 8, 8]), dtype: 'float32', data: counting([8, 8, 8]) });
    truncateSync(cut, 1000);
    expect(() => openChunkedFile(cut)).toThrow(/cut.hmv has 1000 bytes, but its header calls for/);
  });
});
