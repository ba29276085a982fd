import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { z } from 'zod';
import type { NamedArray, NamedArrays } from '../engine/index.js';
import { DataError, errorCode } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import { writeWholeFile } from '../whole-file.js';
import { elementCount } from './parameters.js';

const tensorEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const headerSchema = z.record(z.string(), z.unknown());
const metadataSchema = z.record(z.string(), z.string());

/**
 * Under this key a file's metadata has the checksum of all that it holds: the format has none, and one turned bit
 * would be another weight. Files of other programs lack it.
 */
const CHECKSUM_KEY = 'contentSha256';

/** The format's own limit. */
const LARGEST_HEADER = 100_000_000;

/** How many bytes an element takes, and how it becomes float32. */
const decoders: Readonly<Record<string, { bytes: number; decode(view: DataView, at: number): number }>> = {
  F32: { bytes: 4, decode: (view, at) => view.getFloat32(at, true) },
  F64: { bytes: 8, decode: (view, at) => view.getFloat64(at, true) },
  F16: { bytes: 2, decode: (view, at) => halfToNumber(view.getUint16(at, true)) },
  BF16: { bytes: 2, decode: (view, at) => bfloat16ToNumber(view.getUint16(at, true)) },
  // PyTorch's indices and counters.
  I64: { bytes: 8, decode: (view, at) => Number(view.getBigInt64(at, true)) },
};

/** An array of a file to write; its values are asked for when it is its turn. */
export interface WrittenArray {
  readonly name: string;
  readonly shape: readonly number[];
  /** How it is stored; F32 unless said otherwise. The values of an I64 are whole numbers. */
  readonly dtype?: 'F32' | 'I64';
  values(): Float32Array;
}

/** What a weights file holds: arrays under its own names, and what it says of itself. */
export interface WeightsContent {
  readonly arrays: NamedArrays;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes arrays as float32 in Hugging Face's `.safetensors` format, atomically, with a checksum of what they and
 * the metadata are. Shapes and order stay as given.
 */
export async function writeSafetensors(
  file: string,
  arrays: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries = Object.entries(arrays).map(([name, { shape, data }]) => ({
    name,
    shape,
    values: () => data,
  }));
  await writeArrays(file, entries, metadata);
}

/** As `writeSafetensors`, with one array's values in memory at a time. */
export async function writeArrays(
  file: string,
  arrays: readonly WrittenArray[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeWholeFile(file, encodedArrays(arrays, metadata));
}

function* encodedArrays(
  arrays: readonly WrittenArray[],
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
  const summed = arrays.map((array) => ({
    ...array,
    dtype: array.dtype ?? 'F32',
    bytes: () => encoded(array),
  }));
  const { [CHECKSUM_KEY]: _, ...said } = metadata;
  yield encodedHeader(arrays, { ...said, [CHECKSUM_KEY]: contentChecksum(summed, said) });
  for (const array of arrays) yield encoded(array);
}

function encoded({ values, dtype }: WrittenArray): Buffer {
  const data = dtype === 'I64' ? BigInt64Array.from(values(), BigInt) : values();
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** SHA-256 of names, types, shapes and bytes, and of the metadata; in whatever order a file has them. */
function contentChecksum(
  arrays: readonly { name: string; dtype: string; shape: readonly number[]; bytes(): Uint8Array }[],
  metadata: Readonly<Record<string, string>>,
): string {
  const hash = createHash('sha256');
  const byName = <T>(a: readonly [string, T], b: readonly [string, T]) => (a[0] < b[0] ? -1 : 1);
  hash.update(JSON.stringify(Object.entries(metadata).sort(byName)));
  for (const [name, { dtype, shape, bytes }] of arrays
    .map((array) => [array.name, array] as const)
    .sort(byName))
    hash.update(JSON.stringify([name, dtype, shape])).update(bytes());
  return hash.digest('hex');
}

function encodedHeader(arrays: readonly WrittenArray[], metadata: Readonly<Record<string, string>>): Buffer {
  let offset = 0;
  const entries = arrays.map(({ name, shape, dtype = 'F32' }) => {
    const begin = offset;
    offset += (dtype === 'I64' ? 8 : 4) * elementCount(shape);
    return [name, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const unpadded = Buffer.from(json, 'utf8');
  // The format's own padding, so that the data is aligned.
  const header = Buffer.concat([unpadded, Buffer.alloc(-unpadded.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header]);
}

/**
 * Reads a `.safetensors` file; F16, BF16, F64 and I64 become float32. Every length and offset is checked
 * before it is used, and the checksum where the file has one.
 * @throws DataError naming the file and what is wrong with it
 */
export async function readSafetensors(file: string): Promise<WeightsContent> {
  const fail = (what: string): never => {
    throw new DataError(
      `${file} is no .safetensors file that can be read: ${what}; make it again, or download it again`,
      { file },
    );
  };
  const bytes = await readBehindHeader(file, fail);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = headerSchema.safeParse(jsonOrUndefined(bytes.toString('utf8', 8, 8 + headerLength)));
  if (!header.success) return fail('its header is not a JSON object');
  const { __metadata__: rawMetadata = {}, ...tensors } = header.data;
  const metadata = metadataSchema.safeParse(rawMetadata);
  if (!metadata.success) return fail('its metadata is not a map of strings');
  const data = bytes.subarray(8 + headerLength);
  let covered = 0;
  const arrays: Record<string, NamedArray> = {};
  const parsed = Object.entries(tensors).map(([name, raw]) => {
    const entry = tensorEntry.safeParse(raw);
    return entry.success
      ? { name, ...entry.data }
      : fail(`the entry of ${name} is not one of dtype, shape and data_offsets`);
  });
  for (const { name, dtype, shape, data_offsets: offsets } of parsed.sort(
    (a, b) => a.data_offsets[0] - b.data_offsets[0],
  )) {
    const decoder = decoders[dtype];
    if (!decoder) return fail(`${name} is of type ${dtype}, but F32, F16, BF16, F64 or I64 is expected`);
    const [begin, end] = offsets;
    const expected = elementCount(shape) * decoder.bytes;
    if (end - begin !== expected)
      fail(`${name} of shape [${shape}] takes ${expected} bytes, but has ${end - begin}`);
    if (begin !== covered)
      fail(`${name} begins at byte ${begin} of the data, but the one before it ends at ${covered}`);
    if (end > data.length)
      fail(`${name} ends at byte ${end} of the data, but there are ${data.length}: the file is cut off`);
    arrays[name] = { shape, data: decoded(data.subarray(begin, end), decoder, dtype === 'F32') };
    covered = end;
  }
  if (covered !== data.length) fail(`${data.length - covered} bytes at its end belong to no tensor`);
  const { [CHECKSUM_KEY]: checksum, ...said } = metadata.data;
  const summed = parsed.map(({ data_offsets, ...entry }) => ({
    ...entry,
    bytes: () => data.subarray(...data_offsets),
  }));
  if (checksum !== undefined && checksum !== contentChecksum(summed, said)) {
    throw new DataError(
      `${file} is damaged: what it holds is not what its checksum (${CHECKSUM_KEY} in its metadata) is of; copy it again, ` +
        'or, where another program changed it on purpose, write it without that key',
      { file, field: CHECKSUM_KEY, found: checksum },
    );
  }
  return { arrays, metadata: said };
}

function decoded(
  bytes: Buffer,
  { bytes: width, decode }: (typeof decoders)[string],
  isFloat32: boolean,
): Float32Array {
  // A copy, so that it is aligned and the file's bytes can go.
  if (isFloat32) return new Float32Array(Uint8Array.from(bytes).buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / width }, (_, i) => decode(view, i * width));
}

/** The bytes of a file, whose first ones are looked at before the others are read: those of other files are not. */
async function readBehindHeader(file: string, fail: (what: string) => never): Promise<Buffer> {
  try {
    // To open a pipe would wait for somebody to write to it.
    const stats = await stat(file);
    if (!stats.isFile()) return fail('it is no file, but a folder, a pipe or a device');
    const handle = await open(file);
    try {
      if (stats.size < 8) return fail(`it has ${stats.size} bytes, fewer than the 8 of its header's length`);
      const { buffer } = await handle.read({ buffer: Buffer.alloc(9), position: 0 });
      const headerLength = Number(buffer.readBigUInt64LE(0));
      if (headerLength > Math.min(LARGEST_HEADER, stats.size - 8))
        return fail(`its header says it is ${headerLength} bytes long, but the file has ${stats.size}`);
      if (buffer[8] !== openingBrace) return fail('its header is not a JSON object');
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `weights ${file} cannot be read (${errorCode(cause) ?? cause}): check the path`,
      { file },
      { cause },
    );
  }
}

/** With which a header begins, as the format has it. */
const openingBrace = 0x7b;

/** IEEE 754 half precision. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}
