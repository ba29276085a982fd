import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { jsonOrUndefined } from '../../json.js';
import { readRecordText } from '../../text-file.js';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { openedSkipped, type SkippedCase, storedSkippedSchema } from '../index/prepared-index.js';

/** One of `count` parts of the work, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

const shardRecord = z.object({ schema: z.literal(1), skipped: z.array(storedSkippedSchema) });
const folderName = 'shards';

/** "2/16" is the second of sixteen. Throws UsageError for anything else. */
export function parseShard(text: string): Shard {
  const [index, count] = (/^([0-9]+)\/([0-9]+)$/.exec(text) ?? []).slice(1).map(Number);
  if (index !== undefined && count !== undefined && index >= 1 && index <= count) return { index, count };
  throw new UsageError(`--shard is "${text}", but must be a part and how many there are, such as 2/16`, {
    field: '--shard',
    found: text,
  });
}

/**
 * The shard's own of all items: every `count`-th, so that
 * neighbours in an index, which are alike, are spread.
 */
export function itemsOfShard<T>(items: readonly T[], { index, count }: Shard): T[] {
  return items.filter((_, i) => i % count === index - 1);
}

/** The name of a shard's lock and record. */
export const shardName = ({ index, count }: Shard): string => `shard-${index}-of-${count}`;

/** Leaves for the merge what a finished shard could not use. */
export async function writeShardRecord(
  out: string,
  shard: Shard,
  skipped: readonly SkippedCase[],
): Promise<void> {
  await makeFolder(join(out, folderName));
  await writeWholeFile(
    join(out, folderName, `${shardName(shard)}.json`),
    JSON.stringify({ schema: 1, skipped }),
  );
}

/** What the finished shards of a folder could not use. */
export async function readSkippedOfShards(out: string): Promise<SkippedCase[]> {
  const files = (await readdir(join(out, folderName)).catch(() => []))
    .filter((file) => file.endsWith('.json'))
    .sort();
  const records = await Promise.all(files.map((file) => readRecordText(join(out, folderName, file))));
  return records
    .flatMap((text) => shardRecord.safeParse(jsonOrUndefined(text)).data?.skipped ?? [])
    .map((stored) => openedSkipped(stored, out));
}

/** Removes the records of shards, when they are in the index. */
export async function removeShardRecords(out: string): Promise<void> {
  await rm(join(out, folderName), { recursive: true, force: true });
}
