import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DataError } from '../errors.js';
import type { PreparedCase } from './prepared-index.js';
import type { Preprocessing } from './preprocessing.js';
import type { SourceCase } from './source-case.js';

export type SourceFingerprint = PreparedCase['fingerprint']['sources'][number];

/** Raised when `prepare` writes something else for the same settings, so that older caches are made again. */
const preparationVersion = 2;

/** Hash of everything but the source files that decides what a prepared case contains. */
export function settingsFingerprint(
  preprocessing: Preprocessing,
  classes: Readonly<Record<string, string>>,
  source: Pick<SourceCase, 'images' | 'label' | 'labelMap'>,
): string {
  const { images, label, labelMap } = source;
  const deciding = { preparationVersion, preprocessing, classes: Object.keys(classes).sort(), images, label, labelMap };
  return createHash('sha256').update(JSON.stringify(deciding)).digest('hex');
}

/**
 * Size, time and content hash of a source file.
 * @throws DataError when it is missing or no file
 */
export async function sourceFingerprint(path: string, role: string): Promise<SourceFingerprint> {
  const { size, mtimeMs } = await statSource(path, role);
  return { path, bytes: size, modifiedMs: mtimeMs, sha256: await sha256Of(path) };
}

/** Whether the file is still what it was: same size and time, or same size and content. Missing: no. */
export async function sourceUnchanged(known: SourceFingerprint): Promise<boolean> {
  const found = await stat(known.path).catch(() => undefined);
  if (!found?.isFile() || found.size !== known.bytes) return false;
  return found.mtimeMs === known.modifiedMs || (await sha256Of(known.path)) === known.sha256;
}

async function statSource(path: string, role: string): Promise<Stats> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DataError(`${role} ${path} ${why}: correct its path in the dataset index`, { file: path }, { cause });
  });
  if (found.isFile()) return found;
  throw new DataError(`${role} ${path} is no file: correct its path in the dataset index`, { file: path });
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('hex');
}
