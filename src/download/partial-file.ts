import { rm, stat } from 'node:fs/promises';
import { z } from 'zod';
import { jsonOrUndefined } from '../json.js';
import { readTextIfAny } from '../text-file.js';
import { type GrowingFile, openGrowingFile, writeWholeFile } from '../whole-file.js';

/** What a server says of a file's state; equal ones mean the same bytes. */
export interface FileState {
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** Of the whole file, in bytes; null where the server does not say. */
  readonly size: number | null;
}

/** The first bytes of a download, on disk, and the state of the file that they are of. */
export interface KeptPart extends FileState {
  readonly bytes: number;
}

/** Nothing is on disk, or nothing that can be gone on from. */
export const nothingKept: KeptPart = { bytes: 0, etag: null, lastModified: null, size: null };

const recordSchema = z.strictObject({
  schema: z.literal(1),
  url: z.string(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  size: z.int().nonnegative().nullable(),
});

/**
 * What is on disk of a download.
 * @param file the partial file; its record lies beside it
 * @returns `nothingKept` where the bytes are of another address, or their record is missing or damaged
 */
export async function readKeptPart(file: string, url: string): Promise<KeptPart> {
  const [bytes, text] = await Promise.all([
    sizeOf(file),
    readTextIfAny(recordFile(file)).catch(() => undefined), // the next line refuses what is missing
  ]);
  const record = recordSchema.safeParse(jsonOrUndefined(text ?? ''));
  if (!record.success || record.data.url !== url) return nothingKept;
  const { etag, lastModified, size } = record.data;
  if (size !== null && bytes > size) return nothingKept;
  return { bytes, etag, lastModified, size };
}

/**
 * Opens a partial file to write from byte `from` on, and notes what it is a part of. Old bytes go before the
 * note is changed, so that a kill in between never leaves bytes under the note of another file.
 * @returns what adds to the end of the file; close it when done
 */
export async function openPart(
  file: string,
  url: string,
  from: number,
  state: FileState,
): Promise<GrowingFile> {
  const part = await openGrowingFile(file, from);
  try {
    await writeRecord(file, url, state);
    return part;
  } catch (error) {
    await part.close();
    throw error;
  }
}

/** Writes what the bytes of a partial file belong to beside it. */
export async function writeRecord(
  file: string,
  url: string,
  { etag, lastModified, size }: FileState,
): Promise<void> {
  await writeWholeFile(recordFile(file), `${JSON.stringify({ schema: 1, url, etag, lastModified, size })}\n`);
}

/** Removes the note on a partial file, and with `bytes` the file itself. */
export async function removePart(file: string, what: 'bytes' | 'record'): Promise<void> {
  if (what === 'bytes') await rm(file, { force: true });
  await rm(recordFile(file), { force: true });
}

const recordFile = (file: string): string => `${file}.json`;

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );
