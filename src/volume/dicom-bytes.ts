import { open, stat } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';

/** How many bytes of pixels a slice must have, when they are not compressed. */
export interface PixelNeed {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samples: number;
  /** Of each number. */
  readonly bits: number;
}

/** An element's tag as little-endian files have it. */
const tagBytes = (group: number, element: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(group, 0);
  bytes.writeUInt16LE(element, 2);
  return bytes;
};

const pixelData = tagBytes(0x7fe0, 0x0010);

/** Transfer syntaxes whose elements are not to be found in the bytes. */
const deflated = /1\.2\.840\.10008\.1\.2\.1\.99[^.0-9]/;
const bigEndian = /1\.2\.840\.10008\.1\.2\.2[^.0-9]/;

/**
 * Refuses a file whose pixels are not all there. ITK fills such a slice up, or says nothing but that some
 * slice failed. Pixels that are compressed must have all their fragments, to the mark of their end: ITK decodes
 * them, and fills up what it does not find.
 * @throws DataError naming the file, with the bytes that are there and those that should be
 */
export async function requireWholePixels(file: string, need: PixelNeed): Promise<void> {
  const { rows, columns, frames, samples, bits } = need;
  const expected = Math.ceil((rows * columns * frames * samples * bits) / 8);
  const bytes = await contentOf(file);
  if (!(expected > 0)) return;
  const syntax = bytes.toString('latin1', 0, 1024);
  if (bigEndian.test(syntax)) return; // ITK reads no such header, and has refused it
  const elements = deflated.test(syntax) ? inflatedElements(bytes, file, expected) : bytes;
  const found = pixelLengths(elements);
  if (found.some((pixels) => (pixels === 'whole' ? true : pixels !== 'cut' && pixels >= expected))) return;
  if (found.includes('cut')) {
    throw new DataError(
      `${file} is truncated: its compressed pixels end before the mark of their end; copy or download it again`,
      { file },
    );
  }
  const most = Math.max(0, ...found.map((pixels) => (typeof pixels === 'number' ? pixels : 0)));
  throw new DataError(
    `${file} is truncated: its header promises ${expected} bytes of pixels, ${most} are there; ` +
      'copy or download it again',
    { file, found: most, expected },
  );
}

/** What is there of an element of pixels: bytes, or of compressed ones whether all fragments are. */
type PixelsThere = number | 'whole' | 'cut';

/** Of each element of pixels, an icon's among them. */
function pixelLengths(bytes: Buffer): PixelsThere[] {
  const lengths: PixelsThere[] = [];
  for (let at = bytes.indexOf(pixelData); at !== -1; at = bytes.indexOf(pixelData, at + 4)) {
    const named = /^O[BW]\0\0$/.test(bytes.toString('latin1', at + 4, at + 8));
    const start = at + (named ? 12 : 8);
    if (start > bytes.length) continue;
    const said = bytes.readUInt32LE(start - 4);
    lengths.push(said === 0xffffffff ? fragmentsThere(bytes, start) : Math.min(said, bytes.length - start));
  }
  return lengths;
}

const [fragment, endOfFragments] = [tagBytes(0xfffe, 0xe000), tagBytes(0xfffe, 0xe0dd)];

/** Whether every fragment of compressed pixels is there, and the mark after the last (DICOM PS3.5, A.4). */
function fragmentsThere(bytes: Buffer, start: number): 'whole' | 'cut' {
  for (let at = start; at + 8 <= bytes.length; ) {
    const tag = bytes.subarray(at, at + 4);
    if (tag.equals(endOfFragments)) return 'whole';
    if (!tag.equals(fragment)) return 'cut';
    at += 8 + bytes.readUInt32LE(at + 4);
  }
  return 'cut';
}

/** What a deflated file may hold beside its pixels. */
const mostBesidePixels = 1 << 26;

/** The elements of a deflated file (DICOM PS3.5, A.5), after those that say that it is one. */
function inflatedElements(bytes: Buffer, file: string, expected: number): Buffer {
  try {
    const start = 144 + bytes.readUInt32LE(140); // the length of the group before them is its first element
    return inflateRawSync(bytes.subarray(start), { maxOutputLength: expected + mostBesidePixels });
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(
      `${file} is damaged or truncated: it could not be decompressed to its end (${what}); copy or download it again`,
      { file },
      { cause },
    );
  }
}

/**
 * The values of every element of a tag before the pixels, in whatever sequence it stands: one a frame, where
 * each frame has its own. Little-endian files alone have any.
 */
export async function valuesBeforePixels(file: string, group: number, element: number): Promise<string[]> {
  const bytes = await contentOf(file);
  const end = bytes.lastIndexOf(pixelData);
  const header = end === -1 ? bytes : bytes.subarray(0, end);
  const tag = tagBytes(group, element);
  const values: string[] = [];
  for (let at = header.indexOf(tag); at !== -1; at = header.indexOf(tag, at + 4)) {
    if (at + 8 > header.length) break;
    const named = header.toString('latin1', at + 4, at + 6) === 'DS';
    const length = named ? header.readUInt16LE(at + 6) : header.readUInt32LE(at + 4);
    const text = header.toString('latin1', at + 8, at + 8 + Math.min(length, 256)).replace(/[\0 ]+$/, '');
    if (/^[-+0-9.eE\\ ]+$/.test(text)) values.push(text.trim());
  }
  return values;
}

async function contentOf(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Where each frame of a file lies, and that they are one even stack; see `requireOneStack`. */
export interface FrameStack {
  /** From one frame to the next, mm, LPS. */
  readonly step: readonly number[];
}

/** Steps between frames may differ by this share: positions are rounded. */
const stepTolerance = 0.01;

/**
 * The step between the frames of a file that holds them all.
 * @throws DataError when the frames are not one even stack of slices with one slope and intercept, as those of
 * a file with several times or echoes are not
 */
export async function requireOneStack(file: string, frames: number): Promise<FrameStack> {
  const texts = await valuesBeforePixels(file, 0x0020, 0x0032);
  const places = texts.map((text) => text.split('\\').map(Number)).filter((place) => place.length === 3);
  const different = new Set(places.map((place) => place.map((mm) => mm.toFixed(3)).join())).size;
  const refuse = (what: string) =>
    new DataError(
      `${file} holds ${frames} frames ${what}; expected one stack of slices: write each stack as a file or ` +
        'series of its own',
      { file, field: 'ImagePositionPatient', found: different, expected: frames },
    );
  if (places.length !== frames) throw refuse(`and the places of ${places.length}`);
  if (different < frames) throw refuse(`at ${different} places`);
  const steps = places
    .slice(1)
    .map((place, i) => place.map((mm, axis) => mm - itemAt(itemAt(places, i), axis)));
  const step = itemAt(steps, 0);
  const apart = (other: readonly number[]) => Math.hypot(...other.map((mm, axis) => mm - itemAt(step, axis)));
  if (!steps.every((other) => apart(other) <= stepTolerance * Math.hypot(...step)))
    throw refuse('that do not follow one another evenly');
  for (const [name, tag] of [
    ['slopes', 0x1053],
    ['intercepts', 0x1052],
  ] as const) {
    const values = new Set((await valuesBeforePixels(file, 0x0028, tag)).map(Number));
    if (values.size > 1) throw refuse(`with ${values.size} rescale ${name}`);
  }
  return { step };
}
