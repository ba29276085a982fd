import { open } from 'node:fs/promises';
import type { Image } from 'itk-wasm';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { inflatedData, isBigEndian, isNative, type PixelPlace } from './dicom-file.js';
import type { DicomImage, PixelFormat } from './dicom-image.js';
import { quietly } from './itk-console.js';
import type { VoxelArray, VoxelArrayType } from './volume.js';

/** A slice whose values are to be read. */
export interface SliceToRead {
  readonly image: DicomImage;
  /** Which of its frames, from 0. */
  readonly frame: number;
  readonly rescale: readonly [slope: number, intercept: number];
}

/**
 * The type that holds every value of a series: of whole numbers where stored numbers, slopes and intercepts
 * are whole.
 */
export function valueTypeOf(
  formats: readonly (PixelFormat & { readonly syntax: string })[],
  rescales: readonly (readonly [slope: number, intercept: number])[],
): VoxelArrayType {
  // A compressed stream has a precision of its own, which need not be what the header says.
  const bits = (format: PixelFormat & { readonly syntax: string }) =>
    isNative(format.syntax) ? format.bitsStored : format.bitsAllocated;
  const stored = formats.flatMap((format) =>
    format.signed ? [-(2 ** (bits(format) - 1)), 2 ** (bits(format) - 1) - 1] : [0, 2 ** bits(format) - 1],
  );
  const pairs = [...new Set(rescales.map((pair) => pair.join('\\')))].map((text) =>
    text.split('\\').map(Number),
  );
  const values = pairs.flatMap(([slope = 1, intercept = 0]) => stored.map((n) => n * slope + intercept));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const fits = (from: number, to: number) => low >= from && high <= to;
  if (!pairs.flat().every(Number.isInteger)) return Float32Array;
  if (fits(0, 255)) return Uint8Array;
  if (fits(-32768, 32767)) return Int16Array;
  if (fits(0, 65535)) return Uint16Array;
  return fits(-(2 ** 31), 2 ** 31 - 1) ? Int32Array : Float32Array;
}

/**
 * The values of slices, one after another: stored numbers, times slope, plus intercept, in rows. What is not
 * compressed is read from its file, a frame at a time. The rest is decoded by ITK: a file of several frames whole, and
 * files of one frame a few at a time, since each call of ITK costs as much as many slices.
 * @param into filled with each slice in turn: use one before you ask for the next
 * @throws DataError when pixels cannot be decoded
 */
export async function* sliceValues(
  slices: readonly SliceToRead[],
  into: VoxelArray,
): AsyncGenerator<VoxelArray, void> {
  let decoded: { files: readonly string[]; values: VoxelArray } | undefined;
  let inflated: { file: string; bytes: Buffer } | undefined;
  const bytesAt = async ({ file, pixels }: DicomImage, start: number, end: number): Promise<Buffer> => {
    const { offset, deflatedAt } = pixels;
    if (deflatedAt === undefined) return bytesOfFile(file, offset + start, offset + end);
    if (inflated?.file !== file) inflated = { file, bytes: await inflatedData(file, deflatedAt) };
    return Buffer.from(inflated.bytes.subarray(offset + start, offset + end));
  };
  for (const [i, { image, frame, rescale }] of slices.entries()) {
    if (isNative(image.syntax)) {
      fillFromBytes(await bytesOfFrame(image, frame, bytesAt), image, rescale, into);
    } else {
      if (!decoded?.files.includes(image.file)) {
        const images = decodedTogether(slices, i);
        for (const { file, pixels } of images) await requireWholeFragments(file, pixels);
        decoded = { files: images.map(({ file }) => file), values: await decodedByItk(images) };
      }
      const start = (decoded.files.indexOf(image.file) + frame) * into.length;
      into.set(decoded.values.subarray(start, start + into.length));
    }
    yield into;
  }
}

/** Slices that ITK decodes in one call. */
const slicesTogether = 32;

/** The file of a slice, with those of the slices after it that are of its kind: ITK takes one kind for all. */
function decodedTogether(slices: readonly SliceToRead[], from: number): DicomImage[] {
  const first = itemAt(slices, from);
  const images = [first.image];
  const kindOf = ({ image, rescale }: SliceToRead) => JSON.stringify([image.syntax, image.format, rescale]);
  for (const slice of slices.slice(from + 1, from + slicesTogether)) {
    const single = first.image.frames.length === 1 && slice.image.frames.length === 1;
    if (!single || kindOf(slice) !== kindOf(first)) break;
    images.push(slice.image);
  }
  return images;
}

/** Tags of a fragment and of the mark after the last one, as little-endian numbers (DICOM PS3.5, A.4). */
const [fragment, endOfFragments] = [0xe000fffe, 0xe0ddfffe];

/**
 * Refuses compressed pixels that are not all there: each fragment, and the mark of their end. ITK fills up what it
 * does not find.
 * @throws DataError naming the file
 */
export async function requireWholeFragments(
  file: string,
  { offset }: Pick<PixelPlace, 'offset'>,
): Promise<void> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    for (let at = offset; at + 8 <= size; ) {
      const { buffer } = await handle.read(Buffer.alloc(8), 0, 8, at);
      const tag = buffer.readUInt32LE(0);
      if (tag === endOfFragments) return;
      if (tag !== fragment) break;
      at += 8 + buffer.readUInt32LE(4);
    }
  } finally {
    await handle.close();
  }
  throw new DataError(
    `${file} is truncated: its compressed pixels end before the mark of their end; copy or download it again`,
    { file },
  );
}

/** The bytes of one frame, in the order of little-endian numbers. */
async function bytesOfFrame(
  image: DicomImage,
  frame: number,
  bytesAt: (image: DicomImage, start: number, end: number) => Promise<Buffer>,
): Promise<Buffer> {
  const { file, syntax, pixels, format } = image;
  const length = (format.columns * format.rows * format.bitsAllocated) / 8;
  const from = frame * length;
  // Words of two bytes, turned round, hold two numbers of one byte each.
  const inWords = isBigEndian(syntax) && format.bitsAllocated === 8 && pixels.words;
  const [start, end] = inWords
    ? [from - (from % 2), from + length + ((from + length) % 2)]
    : [from, from + length];
  const bytes = await bytesAt(image, start, end);
  if (bytes.length < length) {
    throw new DataError(`${file} became shorter while it was read: copy or download it again`, { file });
  }
  if (inWords) bytes.swap16();
  else if (isBigEndian(syntax) && format.bitsAllocated === 16) bytes.swap16();
  else if (isBigEndian(syntax) && format.bitsAllocated === 32) bytes.swap32();
  return bytes.subarray(from - start, from - start + length);
}

/** The bytes of a file from `start` up to `end`, as far as it goes. */
export async function bytesOfFile(file: string, start: number, end: number): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Bits above and below those that are stored may hold anything, such as overlays of old scanners. */
function fillFromBytes(
  bytes: Buffer,
  { format: { bitsAllocated, bitsStored, highBit, signed } }: DicomImage,
  [slope, intercept]: readonly [number, number],
  into: VoxelArray,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = bitsAllocated / 8;
  const [up, down] = [31 - highBit, 32 - bitsStored]; // to the top of 32 bits, and down from there with the sign
  for (let i = 0; i < into.length; i++) {
    const raw =
      each === 2 ? view.getUint16(2 * i, true) : each === 1 ? view.getUint8(i) : view.getUint32(4 * i, true);
    const stored = signed ? (raw << up) >> down : (raw << up) >>> down;
    into[i] = stored * slope + intercept;
  }
}

/** All frames of compressed files of one kind, with slope and intercept applied. */
async function decodedByItk(images: readonly DicomImage[]): Promise<VoxelArray> {
  const { file, syntax, format, frames } = itemAt(images, 0);
  const refuse = (cause?: unknown) =>
    new DataError(
      `${file}: its pixels, in the transfer syntax ${syntax}, could not be decoded, so that the file is damaged or of ` +
        'a kind that ITK does not know: copy or download it again, or decompress it first, such as with decompress() ' +
        'of pydicom',
      { file, field: 'PixelData' },
      { cause },
    );
  let data: Image['data'];
  try {
    const { readImageDicomFileSeriesNode } = await import('@itk-wasm/dicom');
    const inputImages = images.map((image) => image.file);
    const read = () => readImageDicomFileSeriesNode({ inputImages, singleSortedSeries: true });
    ({ data } = (await quietly(read)).outputImage);
  } catch (cause) {
    if (images.length > 1) for (const image of images) await decodedByItk([image]); // which says which one it is
    throw refuse(cause);
  }
  const expected = format.columns * format.rows * frames.length * images.length;
  if (!data || data.length !== expected || data instanceof BigInt64Array || data instanceof BigUint64Array)
    throw refuse();
  return data instanceof Uint8ClampedArray || data instanceof Float64Array ? Float32Array.from(data) : data;
}
