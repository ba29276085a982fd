import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import { scanParts } from '../../volume/index.js';
import type { SourceCase } from '../index/listed-case.js';
import type { PreparedCase } from '../index/prepared-index.js';
import type { Preprocessing } from './preprocessing.js';

export type SourceFingerprint = PreparedCase['fingerprint']['sources'][number];

/** Raised when `prepare` writes something else for the same settings, so that older caches are made again. */
const preparationVersion = 5;

/** Hash of everything but the source files that decides what a prepared case contains. */
export function settingsFingerprint(
  preprocessing: Preprocessing,
  {
    classes,
    ignore,
  }: { readonly classes: Readonly<Record<string, string>>; readonly ignore?: number | undefined },
  source: Pick<SourceCase, 'images' | 'label' | 'labelMap' | 'masks' | 'aligned'>,
): string {
  const { images, label, labelMap, masks, aligned } = source;
  const deciding = {
    preparationVersion,
    preprocessing,
    classes: Object.keys(classes).sort(),
    images,
    label,
    labelMap,
    masks,
    ignore,
    aligned: aligned || undefined,
  };
  return createHash('sha256').update(JSON.stringify(deciding)).digest('hex');
}

/**
 * Size, time and content hash of a source, over all files that it
 * consists of (a header and its data, the slices of a series).
 * @throws DataError when it or a part of it is missing
 */
export async function sourceFingerprint(path: string, role: string): Promise<SourceFingerprint> {
  await requireSource(path, role);
  const parts = await scanParts(path);
  return { path, ...(await sizeAndTime(parts)), sha256: await sha256Of(parts) };
}

/** Whether the file is still what it was: same size and time, or same size and content. Missing: no. */
export async function sourceUnchanged(known: SourceFingerprint): Promise<boolean> {
  const parts = await scanParts(known.path).catch(() => []);
  const found = await sizeAndTime(parts).catch(() => undefined);
  if (found?.bytes !== known.bytes) return false;
  return found.modifiedMs === known.modifiedMs || (await sha256Of(parts)) === known.sha256;
}

/** Bytes of all parts together, and the time of the newest. */
async function sizeAndTime(
  parts: readonly string[],
): Promise<Pick<SourceFingerprint, 'bytes' | 'modifiedMs'>> {
  const found = await Promise.all(parts.map((part) => stat(part)));
  return {
    bytes: found.reduce((sum, { size }) => sum + size, 0),
    modifiedMs: Math.max(...found.map(({ mtimeMs }) => mtimeMs)),
  };
}

export async function requireSource(path: string, role: string): Promise<void> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DataError(
      `${role} ${path} ${why}: correct its path in the dataset index`,
      { file: path },
      { cause },
    );
  });
  if (found.isFile() || found.isDirectory()) return;
  throw new DataError(
    `${role} ${path} is neither a file nor a folder: correct its path in the dataset index`,
    { file: path },
  );
}

async function sha256Of(parts: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const part of parts)
    for await (const piece of createReadStream(part, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('hex');
}
