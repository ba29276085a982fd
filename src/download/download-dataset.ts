import { lstat, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, errorCode, HybridMimError, InterruptedError, UsageError, WorkError } from '../errors.js';
import { lockFolder } from '../folder-lock.js';
import { moveWholeFile } from '../whole-file.js';
import { type Checksum, hashFile } from './checksum.js';
import { decathlonCitation, decathlonLicence, decathlonTasks } from './decathlon.js';
import { requireSpace } from './disk-space.js';
import { fetchArchive, type Patience, usualPatience } from './fetch-archive.js';
import { removePart } from './partial-file.js';
import { type DownloadSettings, type downloadableTasks, parseDownloadSettings } from './settings.js';
import { unpackArchive } from './unpack.js';

/** How far one stage is, in bytes of the archive; `totalBytes` is null where the server does not say it. */
export interface DownloadProgress {
  readonly stage: 'download' | 'check' | 'unpack';
  readonly bytes: number;
  readonly totalBytes: number | null;
}

export interface DownloadOptions extends DownloadSettings {
  /** Stops the work; the same call later goes on. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** A sentence for people: a connection that was lost, a file that changed. */
  readonly onNote?: (sentence: string) => void;
  /** Absent: `usualPatience`. */
  readonly patience?: Patience;
}

/** A dataset that is there now. */
export interface DownloadedDataset {
  readonly task: (typeof downloadableTasks)[number];
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
  readonly url: string;
  /** Such as `md5:9d24dba7...`, which the archive has. */
  readonly checksum: string;
  /** The archive, where it was kept. */
  readonly archive: string | null;
  readonly licence: string;
  readonly citation: string;
}

/** Where everything of one download is. */
interface Plan {
  readonly task: (typeof downloadableTasks)[number];
  readonly name: string;
  readonly out: string;
  readonly folder: string;
  readonly archive: string;
  readonly part: string;
  readonly url: string;
  readonly checksum: Checksum;
  readonly keepArchive: boolean;
}

/** What tells people how it goes, and what stops it. */
interface Reporting {
  readonly signal: AbortSignal | undefined;
  readonly patience: Patience;
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly onNote: (sentence: string) => void;
}

/**
 * Downloads, checks and unpacks a task of the Medical Segmentation Decathlon into `<out>/<its folder>`. A
 * call that was stopped, killed or cut off is gone on with by the same call.
 * @returns what is there now; sizes in bytes
 * @throws UsageError when a setting is wrong or the dataset's folder is there already, which stays as it is;
 *   WorkError when the server cannot be reached or refuses, the disk is too small or another process is at
 *   it; DataError when the archive has another checksum or is none; InterruptedError after the signal
 */
export async function downloadDataset(options: DownloadOptions): Promise<DownloadedDataset> {
  const { signal, onProgress = () => {}, onNote = () => {}, patience = usualPatience, ...settings } = options;
  const plan = planDownload(settings);
  const reporting = { signal, onProgress, onNote, patience };
  await requireAbsent(plan.folder);
  await makeFolder(plan.out);
  const busy = `another process is downloading ${plan.name} to ${plan.out}: wait for it or choose another --out`;
  const release = await lockFolder(plan.folder, busy);
  try {
    await requireAbsent(plan.folder); // another process may have finished it meanwhile
    await obtainArchive(plan, reporting);
    return await unpackDataset(plan, reporting);
  } catch (error) {
    if (!signal?.aborted || error instanceof HybridMimError) throw error;
    const sentence = `interrupted: what is here of ${plan.name} is kept; run the same command again, and it goes on from there`;
    throw new InterruptedError(sentence, { file: plan.folder }, { cause: error });
  } finally {
    await release();
  }
}

function planDownload(settings: DownloadSettings): Plan {
  const { task, out, mirror, checksum, keepArchive } = parseDownloadSettings(settings);
  const { folder: name, md5 } = decathlonTasks[task];
  const folder = join(out, name);
  return {
    task,
    name,
    out,
    folder,
    archive: `${folder}.tar`,
    part: `${folder}.tar.part`,
    url: new URL(`${name}.tar`, mirror.endsWith('/') ? mirror : `${mirror}/`).href,
    checksum: checksum ?? { algorithm: 'md5', hex: md5 },
    keepArchive,
  };
}

async function requireAbsent(folder: string): Promise<void> {
  if (!(await isThere(folder))) return;
  throw new UsageError(
    `${folder} is there already and was left as it is: use it, or remove it or choose another --out to download again`,
    { file: folder, field: '--out' },
  );
}

/** Also a link that leads nowhere is there. */
const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    },
  );

async function makeFolder(out: string): Promise<void> {
  await mkdir(out, { recursive: true }).catch((cause: unknown) => {
    throw new WorkError(
      `the folder ${out} cannot be made (${errorCode(cause)}): choose another --out`,
      { file: out },
      { cause },
    );
  });
}

/** Ends with the archive in its place, with the right checksum: found there, or downloaded. */
async function obtainArchive(plan: Plan, reporting: Reporting): Promise<void> {
  const { archive, part, url, out, checksum } = plan;
  const expected = `${checksum.algorithm}:${checksum.hex}`;
  if (await isThere(archive)) {
    const found = await hashOf(archive, plan, reporting);
    if (found === expected) return;
    throw new DataError(
      `${archive} was here already and has ${found}, but ${expected} is expected: remove it to download it anew, or state its checksum by --checksum`,
      { file: archive, found, expected },
    );
  }
  await fetchArchive({
    url,
    file: part,
    ...reporting,
    onSize: (toDownload, size) => requireSpace(out, { toDownload, toUnpack: size }),
    onBytes: (bytes, totalBytes) => reporting.onProgress({ stage: 'download', bytes, totalBytes }),
  });
  const found = await hashOf(part, plan, reporting);
  if (found !== expected) {
    await removePart(part, 'bytes');
    throw new DataError(
      `${url} has ${found}, but ${expected} is expected, so that it is damaged or another archive: ` +
        'it was removed; run the same command again, or name another place by --mirror',
      { file: url, found, expected },
    );
  }
  await moveWholeFile(part, archive);
  await removePart(part, 'record');
}

/** Such as `md5:9d24dba7...`. */
async function hashOf(file: string, { checksum }: Plan, { onProgress, signal }: Reporting): Promise<string> {
  const { size } = await stat(file);
  const onBytes = (bytes: number) => onProgress({ stage: 'check', bytes, totalBytes: size });
  return `${checksum.algorithm}:${await hashFile(file, checksum.algorithm, onBytes, signal)}`;
}

async function unpackDataset(plan: Plan, { onProgress, signal }: Reporting): Promise<DownloadedDataset> {
  const { task, name, out, folder, archive, url, checksum, keepArchive } = plan;
  const { size } = await stat(archive);
  await requireSpace(out, { toDownload: 0, toUnpack: size });
  const onBytes = (bytes: number) => onProgress({ stage: 'unpack', bytes, totalBytes: size });
  const { files, bytes } = await unpackArchive({ archive, folder, name, signal, onBytes });
  if (!keepArchive) await rm(archive);
  return {
    task,
    folder,
    files,
    bytes,
    url,
    checksum: `${checksum.algorithm}:${checksum.hex}`,
    archive: keepArchive ? archive : null,
    licence: decathlonLicence,
    citation: decathlonCitation,
  };
}
