import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openChunkedFile, withChunkedFile } from '../../../src/dataset/cache/chunked-file.js';
import { codesWorthwhile, valueCodes } from '../../../src/dataset/cache/value-codes.js';
import { writeChunkedFile } from '../../../src/dataset/cache/write-chunked.js';
import {
  prepareDatasets,
  preprocessImage,
  readPreparedIndex,
  readPreparedVolume,
} from '../../../src/dataset/index.js';
import { readVolume, type Triple, writeNifti } from '../../../src/volume/index.js';
import { datasetIndex, temporaryFolder, volumeOf, writeJson } from '../generated-data.js';

const folder = temporaryFolder();
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength);
const described = (size: Triple) => ({
  size: [...size] as [number, number, number],
  spacing: [1, 1, 1] as [number, number, number],
  affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
  channels: 1,
  steps: [],
  sources: [],
});

/** A volume of at most 32 planes, written by its codes. */
function writeCoded(file: string, size: Triple, data: Float32Array): void {
  const codes = valueCodes([data])!;
  const encoded = new Uint16Array(data.length);
  codes.encode(data, encoded);
  writeChunkedFile(file, { ...described(size), dtype: 'uint16' }, [encoded], {}, codes.values);
}

describe('the codes of values', () => {
  it('give every bit back, of any numbers, 0 and -0, infinities and NaN among them', () => {
    const number = fc.oneof(fc.float(), fc.constantFrom(0, -0, Number.NaN, Number.NEGATIVE_INFINITY, 1e-45));
    fc.assert(
      fc.property(fc.array(fc.array(number, { maxLength: 40 }), { maxLength: 4 }), (numbers) => {
        const parts = numbers.map((part) => Float32Array.from(part));
        const { values, encode } = valueCodes(parts)!;
        for (const part of parts) {
          const codes = new Uint16Array(part.length);
          encode(part, codes);
          const decoded = Float32Array.from(codes, (code) => values[code]!);
          expect(bytesOf(decoded).equals(bytesOf(part))).toBe(true);
        }
        const distinct = new Set(parts.flatMap((part) => [...new Uint32Array(part.buffer)]));
        expect(values).toHaveLength(distinct.size);
      }),
    );
  });

  it('are 65,536, and none where there is one value more, which ends the search', () => {
    const all = Float32Array.from({ length: 2 ** 16 }, (_, i) => i / 7);
    expect(valueCodes([all])?.values).toEqual(all);
    const begun: number[] = [];
    const parts = function* () {
      for (const part of [0, 1, 2]) {
        begun.push(part);
        yield part === 1 ? Float32Array.of(-1) : all;
      }
    };
    expect(valueCodes(parts())).toBeUndefined();
    expect(begun).toEqual([0, 1]);
  });
});

it('codes are worth it where values are a quarter of the voxels at most', () => {
  expect([8, 400, 2 ** 18, 2 ** 30].map(codesWorthwhile)).toEqual([2, 100, 2 ** 16, 2 ** 16]);
  expect(valueCodes([Float32Array.of(1, 2, 1)], 2)?.values).toEqual(Float32Array.of(1, 2));
  expect(valueCodes([Float32Array.of(1, 2, 1)], 1)).toBeUndefined();
});

describe('a volume of codes', () => {
  const size: Triple = [40, 20, 30];
  const hu = Float32Array.from({ length: 40 * 20 * 30 }, (_, i) => Math.fround(((i * 7919) % 2001) / 2000));

  it('is read as its values, boxes that reach out of it, too', () => {
    const file = join(folder, 'codes.hmv');
    writeCoded(file, size, hu);
    withChunkedFile(file, ({ header, readBox }) => {
      expect(header).toMatchObject({ dtype: 'uint16', codes: 2001 });
      expect(readBox([0, 0, 0], size)).toEqual(hu);
      const into = new Float32Array(8).fill(9);
      expect(readBox([-1, -1, -1], [2, 2, 2], into)).toBe(into);
      expect([...into]).toEqual([0, 0, 0, 0, 0, 0, 0, hu[0]]);
    });
  });

  it('is refused where a code has no value, or the header contradicts its first bytes', () => {
    const file = join(folder, 'damaged.hmv');
    writeCoded(file, size, hu);
    const whole = readFileSync(file);
    const changed = (at: number, bytes: readonly number[]) => {
      const copy = Buffer.from(whole);
      copy.set(bytes, at);
      writeFileSync(file, copy);
    };
    const data = 12 + whole.readUInt32LE(8);
    changed(data, [0xd1, 0x07]); // 2001
    expect(() => withChunkedFile(file, ({ readBox }) => readBox([0, 0, 0], [3, 3, 3]))).toThrow(
      /damaged.hmv is damaged, as a voxel has a code without a value: delete it and run prepare again$/,
    );
    changed(7, [0x31]); // HYBMIMV1, whose voxels are values
    expect(() => openChunkedFile(file)).toThrow(/contradicts itself/);
    writeFileSync(file, whole.subarray(0, -4));
    expect(() => openChunkedFile(file)).toThrow(/bytes, but its header calls for/);
  });
});

it('prepare writes codes where they lose nothing and are fewer than voxels: on the own grid of a scan, not where it is resampled', async () => {
  // Whole HU, a third of which lie outside the window.
  await writeNifti(
    join(folder, 'scan.nii.gz'),
    volumeOf(
      [60, 50, 40],
      (x, y, z) => ((((x * 73_856_093) ^ (y * 19_349_663) ^ (z * 83_492_791)) >>> 0) % 3000) - 1500,
    ),
  );
  const cases = [{ id: 'scan', image: 'scan.nii.gz', split: 'training' }];
  const dtypes: string[] = [];
  for (const [name, spacing] of Object.entries({ own: null, resampled: [0.7, 0.8, 0.9] })) {
    const datasetsFile = writeJson(join(folder, `${name}.json`), datasetIndex(cases, { spacing }));
    const out = join(folder, name);
    await prepareDatasets({ datasetsFile, out, workers: 1 });
    const [prepared] = (await readPreparedIndex(out)).cases;
    const { dtype } = withChunkedFile(join(out, prepared!.image), ({ header }) => header);
    dtypes.push(dtype);
    if (dtype === 'uint16') {
      const { image } = await readPreparedVolume(out, prepared!);
      const scan = await readVolume(join(folder, 'scan.nii.gz'));
      const { image: inMemory } = preprocessImage(scan, prepared!.preprocessing); // which knows no codes
      expect(bytesOf(image.data).equals(bytesOf(inMemory.data))).toBe(true);
    }
  }
  expect(dtypes).toEqual(['uint16', 'float32']);
});
