import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkError } from '../../errors.js';
import { lockFolder } from '../../folder-lock.js';
import { caseRecordFile, type PrepareCaseTask } from './prepare-case.js';

/**
 * Takes a prepared folder, made where it is missing, for one writer.
 * @param part what of it is taken, such as a shard; absent: everything
 * @returns what gives it back
 * @throws WorkError when the folder cannot be made or another writer has that part
 */
export async function lockPreparedFolder(out: string, part?: string): Promise<() => Promise<void>> {
  await mkdir(out, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new WorkError(
      `the folder ${out} cannot be made (${cause.code}): choose another --out`,
      { file: out },
      { cause },
    );
  });
  const path = part === undefined ? out : join(out, part);
  return lockFolder(path, `another prepare is writing to ${out}: wait for it or choose another --out`);
}

/**
 * What killed runs, of other machines too, left half written of these cases and the index. Other cases may be
 * some other shard's, which is at work on them. Earlier versions numbered what they had in the making.
 */
export async function removePartialFiles(out: string, tasks: readonly PrepareCaseTask[]): Promise<void> {
  for (const file of await readdir(out))
    if (/^index\.json\.([0-9]+|[0-9a-f-]+\.partial)$/.test(file)) await rm(join(out, file), { force: true });
  const names = new Map<string, Set<string>>();
  for (const { source } of tasks)
    names.set(source.dataset, (names.get(source.dataset) ?? new Set()).add(source.name));
  for (const [dataset, own] of names) {
    for (const file of await readdir(join(out, dataset)).catch(() => [])) {
      const name = partialFile.exec(file)?.groups?.name;
      if (name !== undefined && own.has(name)) await rm(join(out, dataset, file), { force: true });
    }
  }
}

/**
 * The ids of prepared cases in the folder that no dataset index lists any more, sorted.
 * @param listed ids of the cases of each dataset that was looked at; undefined
 *   for one of the index that was not. Other folders are no dataset's
 */
export async function leftoverCases(
  out: string,
  listed: ReadonlyMap<string, ReadonlySet<string> | undefined>,
): Promise<string[]> {
  const folders = (await readdir(out, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const found = await Promise.all(
    folders.map(async (dataset) => {
      const records = (await readdir(join(out, dataset))).filter((file) => file.endsWith(caseRecordFile('')));
      const ids = records.map((file) => `${dataset}/${file.slice(0, -caseRecordFile('').length)}`);
      if (!listed.has(dataset)) return ids;
      const known = listed.get(dataset);
      return known ? ids.filter((id) => !known.has(id)) : [];
    }),
  );
  return found.flat().sort();
}

const partialFile =
  /^(?<name>.*?)(?:(?:\.(?:image|label)\.hmv|\.case\.json)?\.[0-9a-f-]{19,}\.partial|\.case\.json\.[0-9]+)$/;
