import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamedArray } from '../../src/engine/index.js';
import {
  initialiseParameters,
  type ParameterSpec,
  readSafetensors,
  readWeights,
  toPyTorch,
  unet,
  writeSafetensors,
  writeWeights,
} from '../../src/network/index.js';
import { referenceFile } from './unet-parity.js';

const folder = mkdtempSync(join(tmpdir(), 'weights-'));
let files = 0;
const newFile = () => join(folder, `${files++}.safetensors`);

const config = {
  inChannels: 1,
  outChannels: 3,
  features: [3, 4, 5, 6, 8, 2],
  pools: [2, 2, 2, 2],
  dropout: 0.1,
} as const;
const { specs } = unet(config);

describe('safetensors files', () => {
  it('written in Python are read in every floating type, bit for bit', async () => {
    const { arrays } = await readSafetensors(referenceFile('types.safetensors'));
    const expected = JSON.parse(readFileSync(referenceFile('types.json'), 'utf8')) as Record<
      string,
      string[]
    >;
    expect(Object.keys(arrays).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) {
      expect(arrays[name]?.shape).toEqual([2, 5]);
      const numbers = values.map((text) => Number(text.replace('inf', 'Infinity')));
      expect([...(arrays[name]?.data ?? [])]).toEqual(numbers.map((value) => Math.fround(value))); // tells -0 from 0
    }
  });

  it('come back as they were written: names, shapes, bits and metadata', async () => {
    const array = fc
      .array(fc.float({ noNaN: true }), { maxLength: 12 })
      .map((data): NamedArray => ({ shape: [data.length, 1], data: Float32Array.from(data) }));
    const names = fc
      .string({ minLength: 1 })
      .filter((name) => name !== '__metadata__' && name !== '__proto__');
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, array),
        fc.dictionary(names, fc.string()),
        async (arrays, metadata) => {
          const file = newFile();
          await writeSafetensors(file, arrays, metadata);
          const read = await readSafetensors(file);
          expect({ ...read.arrays }).toEqual({ ...arrays });
          expect({ ...read.metadata }).toEqual({ ...metadata });
        },
      ),
      { numRuns: 40 },
    );
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('with any bit turned are refused, or hold the same values', async () => {
    const file = newFile();
    const arrays = { a: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } };
    await writeSafetensors(file, arrays, { step: '4', axisOrder: 'xyz' });
    const whole = readFileSync(file);
    let refused = 0;
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const spoilt = Buffer.from(whole);
      spoilt.writeUInt8(spoilt.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      writeFileSync(file, spoilt);
      const read = await readSafetensors(file).catch((error: unknown) => error);
      if (read instanceof Error) {
        expect(read).toMatchObject({ exitCode: 3, facts: { file } });
        refused++;
      } else expect(read).toMatchObject({ arrays, metadata: { step: '4', axisOrder: 'xyz' } });
    }
    // Harmless are padding, blanks of JSON, and the name of the checksum itself.
    expect(refused).toBeGreaterThan(0.85 * 8 * whole.length);
  });

  it('in another order of arrays and metadata are the same to their checksum', async () => {
    const [file, other] = [newFile(), newFile()];
    const one = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
    await writeSafetensors(file, { a: one(1), b: one(2) }, { first: '1', second: '2' });
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, object>;
    const { __metadata__: metadata = {}, a, b } = header;
    const turned = JSON.stringify({
      b: { ...b, data_offsets: [0, 4] },
      a: { ...a, data_offsets: [4, 8] },
      __metadata__: Object.fromEntries(Object.entries(metadata).reverse()),
    });
    const start = Buffer.alloc(8);
    const data = bytes.subarray(8 + length);
    const write = (text: string) => {
      start.writeBigUInt64LE(BigInt(text.length));
      writeFileSync(
        other,
        Buffer.concat([start, Buffer.from(text), data.subarray(4, 8), data.subarray(0, 4)]),
      );
    };
    write(turned);
    expect(await readSafetensors(other)).toEqual(await readSafetensors(file));
    write(turned.replace('"first":"1"', '"first":"3"'));
    await expect(readSafetensors(other)).rejects.toThrow(
      /is damaged: what it holds is not what its checksum \(contentSha256 in its metadata\) is of/,
    );
    write(turned.replace('contentSha256', 'anotherKey')); // as of another program
    expect(Object.keys((await readSafetensors(other)).arrays)).toEqual(['b', 'a']);
  });

  it('that are cut off, or not such files at all, are refused with the file and what is wrong', async () => {
    const whole = readFileSync(referenceFile('weights-1.safetensors'));
    const damaged = async (bytes: Uint8Array) => {
      const file = newFile();
      writeFileSync(file, bytes);
      const error = (await readSafetensors(file).catch((thrown: unknown) => thrown)) as Error;
      expect(error).toMatchObject({ exitCode: 3, facts: { file } });
      return error.message;
    };
    expect(await damaged(whole.subarray(0, 5))).toMatch(/has 5 bytes, fewer than the 8/);
    expect(await damaged(whole.subarray(0, 100))).toMatch(
      /header says it is \d+ bytes long, but the file has 100/,
    );
    expect(await damaged(whole.subarray(0, whole.length - 4))).toMatch(/the file is cut off/);
    expect(await damaged(Buffer.concat([whole, Buffer.alloc(4)]))).toMatch(
      /4 bytes at its end belong to no tensor/,
    );
    expect(await damaged(Buffer.from('\x04\0\0\0\0\0\0\0oops'))).toMatch(/not a JSON object/);
    await expect(readSafetensors(join(folder, 'nowhere'))).rejects.toMatchObject({
      exitCode: 3,
      message: /nowhere cannot be read \(ENOENT\)/,
    });
  });
});

describe('weights', () => {
  it('go from PyTorch to here and back without a change', async () => {
    const reference = referenceFile('weights-1.safetensors');
    const { values, report } = await readWeights(reference, specs);
    expect(report).toEqual({ loaded: specs.map(({ name }) => name), fresh: [], unused: [], adapted: [] });
    const file = newFile();
    await writeWeights(file, values, specs, { format: 'pt' });
    expect((await readSafetensors(file)).arrays).toEqual((await readSafetensors(reference)).arrays);
  });

  it('have each element where PyTorch has it', () => {
    // [z, y, x, in, out] of [1, 2, 3, 2, 2]: PyTorch's [out, in, x, y, z]
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    const there = toPyTorch({ shape: [1, 2, 3, 2, 2], data }, 'convolution');
    expect(there.shape).toEqual([2, 2, 3, 2, 1]);
    const at = (out: number, input: number, h: number, w: number) =>
      there.data[((out * 2 + input) * 3 + w) * 2 + h];
    for (const [out, input, h, w] of [
      [0, 0, 0, 0],
      [1, 0, 0, 2],
      [0, 1, 1, 1],
      [1, 1, 1, 2],
    ] as const)
      expect(at(out, input, h, w)).toBe(((h * 3 + w) * 2 + input) * 2 + out);
    expect([...toPyTorch({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }, 'linear').data]).toEqual(
      [1, 4, 2, 5, 3, 6],
    );
  });

  it('of a last layer that is replaced are left out, and pre-training heads passed over', async () => {
    const head: ParameterSpec = {
      name: 'pretext.number.weight',
      layout: 'linear',
      shape: [2, 2],
      init: { constant: 1 },
    };
    const file = newFile();
    await writeWeights(file, initialiseParameters([...specs, head], 1), [...specs, head]);
    await expect(readWeights(file, specs)).rejects.toThrow(
      /holds a parameter pretext\.number\.weight, which this network lacks/,
    );
    const wider = unet({ ...config, outChannels: 9 }).specs;
    await expect(readWeights(file, wider, { ignore: 'pretext.' })).rejects.toThrow(
      /parameter final_conv\.weight has shape \[3,2,1,1,1\], but the network's is \[9,2,1,1,1\]/,
    );
    const { values, report } = await readWeights(file, wider, { ignore: 'pretext.', replace: 'final_conv' });
    expect(report).toMatchObject({
      fresh: ['final_conv.weight', 'final_conv.bias'],
      unused: expect.arrayContaining(['pretext.number.weight']),
    });
    expect(Object.keys(values)).toHaveLength(specs.length - 2);
  });

  it('that lack a parameter are refused by its name', async () => {
    const file = newFile();
    await writeWeights(file, initialiseParameters(specs, 1), specs.slice(1));
    await expect(readWeights(file, specs)).rejects.toMatchObject({
      exitCode: 3,
      message: /lacks the parameter conv_0\.conv_0\.conv\.weight/,
    });
  });
});
