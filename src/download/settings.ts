import { z } from 'zod';
import { UsageError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { checksumText } from './checksum.js';
import { decathlonAddress, decathlonTasks } from './decathlon.js';

/** Names of the datasets that can be downloaded, in the Decathlon's own order. */
export const downloadableTasks = Object.keys(decathlonTasks) as readonly (keyof typeof decathlonTasks)[];

/** The base address of a mirror: archives are looked for right below it. */
const mirrorAddress = z.string().refine(isPlainFolderAddress, {
  error: ({ input }) =>
    `is "${input}", but must be an http or https address of a folder, without user, password, "?" or "#"`,
});

/** What to download, where from and where to; the schema below checks it. */
export interface DownloadSettings {
  /** Such as `msd-hippocampus`. */
  readonly task: string;
  /** The folder in which the dataset's own folder will be. */
  readonly out: string;
  /** Address of a folder with the archives; absent: the public one. */
  readonly mirror?: string | undefined;
  /** Of the archive, such as `sha256:...`; absent: the published MD5. */
  readonly checksum?: string | undefined;
  /** Leaves the archive where it is after unpacking; absent: false. */
  readonly keepArchive?: boolean | undefined;
}

const downloadSettings = z.strictObject({
  task: z.enum(downloadableTasks, {
    error: ({ input }) => `is "${input}", but must be one of ${downloadableTasks.join(', ')}`,
  }),
  out: z.string().min(1, { error: 'is empty, but must name a folder' }),
  mirror: mirrorAddress.default(decathlonAddress),
  checksum: checksumText.optional(),
  keepArchive: z.boolean().default(false),
});

/**
 * The settings with their defaults, checked.
 * @throws UsageError that names the first wrong one by its flag
 */
export function parseDownloadSettings(settings: DownloadSettings): z.output<typeof downloadSettings> {
  const parsed = downloadSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  const name = field === 'task' ? 'the task' : `--${field}`;
  throw new UsageError(`${name} ${message}`, { field: name });
}

function isPlainFolderAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}
