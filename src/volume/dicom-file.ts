import { open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { z } from 'zod';
import { byteSize } from '../byte-size.js';
import { DataError } from '../errors.js';

/** A DICOM file up to its pixels. */
export interface DicomFile {
  readonly file: string;
  readonly header: DataSet;
  /** SOPClassUID: what kind of object it is; empty where it is not said. */
  readonly kind: string;
  /** TransferSyntaxUID: how elements and pixels are written. */
  readonly syntax: string;
  /** Where its pixels are; undefined where it has none, as a report has. */
  readonly pixels: PixelPlace | undefined;
}

/** Where the pixels of a file stand. */
export interface PixelPlace {
  /** Byte at which they begin, of the file, or of what is inflated of it. */
  readonly offset: number;
  /** Bytes, as the element says; undefined for pixels in pieces, which are compressed. */
  readonly length: number | undefined;
  /** Bytes that are there. */
  readonly present: number;
  /** Whether they are written as words of two bytes, which turns bytes round in big-endian files. */
  readonly words: boolean;
  /** Where the whole data set is deflated: the byte of the file at which that begins. */
  readonly deflatedAt?: number;
}

const implicitLittle = '1.2.840.10008.1.2';
const explicitLittle = '1.2.840.10008.1.2.1';
const deflated = '1.2.840.10008.1.2.1.99';
const explicitBig = '1.2.840.10008.1.2.2';

/** Whether pixels of this syntax are numbers one after another, and so are read here. */
export function isNative(syntax: string): boolean {
  return [implicitLittle, explicitLittle, deflated, explicitBig].includes(syntax);
}

/** Whether numbers have their highest byte first. */
export const isBigEndian = (syntax: string): boolean => syntax === explicitBig;

/** Most headers end within this; where one does not, more of its file is read. */
const usualHeader = 1 << 18;

/** Bytes before the pixels: what each of 10,000 frames has of its own takes some 20 MB. */
const mostHeader = 1 << 26;

/** Bytes of a deflated file, which is read whole. */
const mostDeflated = 1 << 30;

/** A deflate stream can shrink by 1032 at most. */
const largestCompression = 1100;

/**
 * Opens a file that may be DICOM: with or without the preamble of 128 bytes, its group of meta information, or
 * an ending of its name; in any transfer syntax, deflated too.
 * @returns undefined when it is no DICOM file, or only an index of others (`DICOMDIR`)
 * @throws DataError when it is DICOM, but its header cannot be read to its end
 */
export async function openDicomFile(file: string): Promise<DicomFile | undefined> {
  if (/^DICOMDIR$/i.test(basename(file))) return undefined;
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const readTo = async (end: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(Math.min(end, size)),
        0,
        Math.min(end, size),
        0,
      );
      return buffer.subarray(0, bytesRead);
    };
    const start = await readTo(usualHeader);
    const body = bodyOf(start, file);
    if (!body) return undefined;
    if (size > start.length) {
      const early = body.syntax === deflated ? undefined : parsedOrUndefined(start, body);
      if (early?.elements[pixelData]) return withPixels(file, early, body, size);
    }
    if (body.syntax === deflated) {
      if (size > mostDeflated)
        throw tooLarge(file, size, `but one that is deflated is read up to ${byteSize(mostDeflated)}`);
      return fromDeflated(file, await readTo(size), body);
    }
    const bytes = size > start.length ? await readTo(mostHeader) : start;
    if (size > bytes.length) return fromBeginning(file, bytes, body, size);
    return withPixels(file, parsed(file, bytes, body), body, size);
  } finally {
    await handle.close();
  }
}

const pixelData = 'x7fe00010';

/** A file of which only the beginning was read: its pixels must begin there. */
function fromBeginning(file: string, bytes: Buffer, body: Body, size: number): DicomFile | undefined {
  const header = parsedOrUndefined(bytes, body);
  if (header?.elements[pixelData]) return withPixels(file, header, body, size);
  if (!body.certain) return undefined;
  throw tooLarge(file, size, `but no pixels begin in its first ${byteSize(bytes.length)}`);
}

const tooLarge = (file: string, size: number, what: string): DataError =>
  new DataError(`${file} has ${byteSize(size)}, ${what}: copy or download it again, or leave it out`, {
    file,
  });

/** Where the data of a file begin, and how they are written. */
interface Body {
  readonly at: number;
  readonly syntax: string;
  /** MediaStorageSOPClassUID, of the meta information. */
  readonly kind?: string;
  /** Whether the file says that it is DICOM; else its first element does, and the rest must bear it out. */
  readonly certain: boolean;
}

/** Undefined for what is no DICOM file. */
function bodyOf(start: Buffer, file: string): Body | undefined {
  if (start.toString('latin1', 128, 132) === 'DICM') return bodyAfterMeta(start, 132, file);
  if (
    start.length >= 12 &&
    start.readUInt16LE(0) === 2 &&
    start.readUInt16LE(2) <= 0x18 &&
    namesType(start, 4)
  )
    return bodyAfterMeta(start, 0, file);
  const bare = bareSyntax(start, 0);
  return bare === undefined ? undefined : { at: 0, syntax: bare, certain: false };
}

/** What the library's types leave out: the byte after the group of meta information. */
const afterMeta = z.object({ position: z.number().int().min(0) });

/** Past the group of meta information, which is in explicit little-endian in every file. */
function bodyAfterMeta(start: Buffer, from: number, file: string): Body {
  // The library looks for the four letters after 128 bytes.
  const bytes = from === 0 ? Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), start]) : start;
  const moved = bytes.length - start.length;
  try {
    const meta = dicomParser.readPart10Header(bytes);
    const kind = meta.string('x00020002');
    const at = afterMeta.parse(meta).position - moved;
    const syntax = meta.string('x00020010') ?? bareSyntax(start, at);
    if (syntax !== undefined) return { at, syntax, certain: true, ...(kind !== undefined && { kind }) };
  } catch (cause) {
    throw damaged(file, cause);
  }
  throw damaged(file);
}

/** The syntax of data that begin with an element of group 8, which every object has first. */
function bareSyntax(start: Buffer, at: number): string | undefined {
  if (start.length < at + 12) return undefined;
  const [group, element] = [start.readUInt16LE(at), start.readUInt16LE(at + 2)];
  if (group === 0x0800 && start.readUInt16BE(at + 2) <= 0x18 && namesType(start, at + 4)) return explicitBig;
  if (group !== 8 || element > 0x18) return undefined;
  if (namesType(start, at + 4)) return explicitLittle;
  return start.readUInt32LE(at + 4) <= 256 ? implicitLittle : undefined;
}

const types = new Set(
  'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV'.split(
    ' ',
  ),
);
const namesType = (bytes: Buffer, at: number): boolean => types.has(bytes.toString('latin1', at, at + 2));

function parse(bytes: Uint8Array, syntax: string): DataSet {
  return dicomParser.parseDicom(bytes, { TransferSyntaxUID: syntax, untilTag: pixelData });
}

function parsedOrUndefined(bytes: Buffer, { at, syntax }: Body): DataSet | undefined {
  try {
    return parse(bytes.subarray(at), syntax);
  } catch {
    return undefined; // it ends later: the whole file will say
  }
}

function parsed(file: string, bytes: Buffer, { at, syntax, certain }: Body): DataSet | undefined {
  try {
    const header = parse(bytes.subarray(at), syntax);
    return certain || header.elements.x00080016 || header.elements.x0020000e ? header : undefined;
  } catch (cause) {
    if (!certain) return undefined;
    throw damaged(file, cause);
  }
}

function withPixels(
  file: string,
  header: DataSet | undefined,
  { at, syntax, kind: metaKind }: Body,
  size: number,
  deflatedAt?: number,
): DicomFile | undefined {
  if (!header) return undefined;
  const element = header.elements[pixelData];
  const kind = header.string('x00080016') ?? metaKind ?? '';
  if (!element) return { file, header, kind, syntax, pixels: undefined };
  const offset = at + element.dataOffset;
  return {
    file,
    header,
    kind,
    syntax,
    pixels: {
      offset,
      length: element.hadUndefinedLength ? undefined : element.length,
      present: Math.max(0, Math.min(element.length, size - offset)),
      words: element.vr !== 'OB',
      ...(deflatedAt !== undefined && { deflatedAt }),
    },
  };
}

function fromDeflated(file: string, bytes: Buffer, { at, ...body }: Body): DicomFile | undefined {
  const inflated = inflatedFrom(file, bytes, at);
  const whole = { at: 0, syntax: explicitLittle, certain: true };
  const header = parsed(file, inflated, whole);
  return withPixels(file, header, { ...body, at: 0 }, inflated.length, at);
}

/**
 * The data set of a deflated file.
 * @param at byte of the file at which it begins
 * @throws DataError when it is damaged
 */
export async function inflatedData(file: string, at: number): Promise<Buffer> {
  return inflatedFrom(file, await readFile(file), at);
}

function inflatedFrom(file: string, bytes: Buffer, at: number): Buffer {
  try {
    return inflateRawSync(bytes.subarray(at), {
      maxOutputLength: Math.max(1 << 20, largestCompression * bytes.length),
    });
  } catch (cause) {
    throw damaged(file, cause);
  }
}

function damaged(file: string, cause?: unknown): DataError {
  return new DataError(
    `${file} is damaged or truncated: its DICOM header cannot be read; copy or download it again`,
    { file },
    { cause },
  );
}

/** Whether a file's content is DICOM, and no index of slices (`DICOMDIR`). */
export async function isDicomFile(file: string): Promise<boolean> {
  try {
    return (await openDicomFile(file)) !== undefined;
  } catch (error) {
    if (error instanceof DataError) return true; // it is, and damaged
    throw error;
  }
}
