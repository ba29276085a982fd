import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { create, Header } from 'tar';
import { type DownloadOptions, downloadDataset, type Patience } from '../../src/download/index.js';

export const folderName = 'Task04_Hippocampus';

/** Patience for tests: no second try, and none of the pauses that are for people. */
export const impatient: Patience = { retries: 0, firstPauseMs: 1, idleMs: 10_000 };

/** The hashes of the files of a small task by their paths, and its archive, with a Mac's file of attributes in the archive alone. */
export interface SmallTask {
  readonly archive: Buffer;
  readonly files: Readonly<Record<string, string>>;
}

/** A task with some scans of random bytes, the first by a seed, in a real tar archive, made in a temporary folder. */
export async function smallTask(folder: string, bytesPerScan = 300_000, seed = 1): Promise<SmallTask> {
  const files = {
    'dataset.json': Buffer.from('{"name": "Hippocampus"}\n'),
    'imagesTr/hippocampus_001.nii.gz': randomBytes(seed, bytesPerScan),
    'imagesTr/hippocampus_002.nii.gz': randomBytes(2, bytesPerScan + 1),
    'labelsTr/hippocampus_001.nii.gz': randomBytes(3, 1000),
    'labelsTr/hippocampus_002.nii.gz': Buffer.alloc(0),
  };
  const source = join(folder, 'source');
  const attributes = {
    'imagesTr/._hippocampus_001.nii.gz': Buffer.from('Mac OS X'),
    '._imagesTr': Buffer.from(''),
  };
  for (const [path, content] of Object.entries({ ...files, ...attributes })) {
    const file = join(source, folderName, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const file = join(folder, 'made.tar');
  await create({ cwd: source, file }, [folderName]);
  const hashes = Object.entries(files).map(([path, content]) => [path, md5Of(content)]);
  return { archive: readFileSync(file), files: Object.fromEntries(hashes) };
}

/** A tar archive of hand-made entries, which the tools that make archives would not write. */
export function handMadeTar(
  entries: readonly {
    path: string;
    type?: 'File' | 'SymbolicLink' | 'Link' | 'FIFO';
    linkpath?: string;
    text?: string;
  }[],
): Buffer {
  const blocks = entries.flatMap(({ path, type = 'File', linkpath, text = '' }) => {
    const content = Buffer.from(text);
    const header = new Header({
      path,
      type,
      mode: 0o644,
      size: content.length,
      ...(linkpath && { linkpath }),
    });
    header.encode();
    return [header.block!, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export const md5Of = (content: Buffer): string => `md5:${createHash('md5').update(content).digest('hex')}`;

export const sha256Of = (content: Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** Every file below a folder by its path, with the hash of its content. */
export function filesBelow(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [file.slice(folder.length + 1), md5Of(readFileSync(file))]),
  );
}

/** Downloads the small task from a mirror, with its own checksum unless another is stated. */
export const download = (
  options: Pick<DownloadOptions, 'out' | 'mirror'> & Partial<DownloadOptions>,
  archive: Buffer,
) => downloadDataset({ task: 'msd-hippocampus', checksum: md5Of(archive), patience: impatient, ...options });

/** The same bytes for the same seed, with no pattern in them. */
function randomBytes(seed: number, count: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(count));
}
