import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { NamedArrays } from '../engine/index.js';
import { DataError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { jsonOrUndefined } from '../json.js';
import {
  type ParameterSpec,
  readSafetensors,
  readWeights,
  writeSafetensors,
  writeWeights,
} from '../network/index.js';
import { writeWholeFile } from '../whole-file.js';
import { momentNames } from './adamw.js';

const fileRecord = z.object({ name: z.string(), sha256: z.string() });
const runState = z.object({
  schema: z.literal(1),
  /** Finished updates. The data order, masks and dropout of the next one follow from it and the seed. */
  step: z.int(),
  seed: z.int(),
  schedule: z.object({ steps: z.int(), warmupSteps: z.int(), peak: z.number() }),
  /** Training cases in the order that the crops are drawn from; another order would be another run. */
  cases: z.array(z.string()),
  weights: fileRecord,
  optimizer: fileRecord,
  /** The best validation so far, whose weights are `best.safetensors`. */
  best: z.object({ step: z.int(), value: z.number() }).nullable(),
});
export type RunState = z.infer<typeof runState>;

/** What a checkpoint holds beside what its files say. */
export type RunFacts = Pick<RunState, 'step' | 'seed' | 'schedule' | 'cases' | 'best'>;

const folderOf = (run: string) => join(run, 'checkpoints');
const stateFile = (run: string) => join(folderOf(run), 'state.json');

/**
 * `checkpoints/state.json` of a run; undefined before its first checkpoint. Throws DataError when it is
 * damaged.
 */
export async function readRunState(run: string): Promise<RunState | undefined> {
  const file = stateFile(run);
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new DataError(`${file} cannot be read (${cause.code})`, { file }, { cause });
  });
  if (text === undefined) return undefined;
  const parsed = runState.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new DataError(
    `${file} is damaged (${firstIssue(parsed.error).field}): begin the run again in another folder`,
    { file },
  );
}

/**
 * Writes a checkpoint so that a run killed at any moment finds the one before or this one whole: first the
 * files of this step under names of their own, then `state.json` that names them, then `last.safetensors` and
 * the removal of what nobody names any more.
 */
export async function saveCheckpoint(
  run: string,
  facts: RunFacts,
  read: (names: readonly string[]) => Promise<NamedArrays>,
  specs: readonly ParameterSpec[],
  metadata: Record<string, string>,
): Promise<void> {
  const folder = folderOf(run);
  const weights = `step-${facts.step}.safetensors`;
  const optimizer = `step-${facts.step}.optimizer.safetensors`;
  const names = specs.map(({ name }) => name);
  await writeWeights(join(folder, weights), await read(names), specs, {
    ...metadata,
    step: String(facts.step),
  });
  await writeSafetensors(join(folder, optimizer), await read(momentNames(names)), {
    step: String(facts.step),
  });
  const state: RunState = {
    schema: 1,
    ...facts,
    weights: { name: weights, sha256: await sha256(join(folder, weights)) },
    optimizer: { name: optimizer, sha256: await sha256(join(folder, optimizer)) },
  };
  await writeWholeFile(stateFile(run), `${JSON.stringify(state, null, 1)}\n`);
  await replaceByLink(join(folder, weights), join(folder, 'last.safetensors'));
  await removeOthers(folder, state);
}

/** Writes the weights of the best validation so far. */
export async function saveBest(
  run: string,
  values: NamedArrays,
  specs: readonly ParameterSpec[],
  metadata: Record<string, string>,
): Promise<void> {
  await writeWeights(join(folderOf(run), 'best.safetensors'), values, specs, metadata);
}

/**
 * Parameters and moments of a checkpoint, in the engine's layout.
 * @throws DataError when a file is missing or not the one that was written
 */
export async function loadCheckpoint(
  run: string,
  state: RunState,
  specs: readonly ParameterSpec[],
): Promise<NamedArrays> {
  await verifyCheckpoint(run, state);
  const { values } = await readWeights(join(folderOf(run), state.weights.name), specs);
  const { arrays: moments } = await readSafetensors(join(folderOf(run), state.optimizer.name));
  return { ...values, ...moments };
}

/** Throws DataError when a file of the checkpoint is missing or not the one that was written. */
export async function verifyCheckpoint(run: string, state: RunState): Promise<void> {
  for (const { name, sha256: expected } of [state.weights, state.optimizer]) {
    const file = join(folderOf(run), name);
    const found = await sha256(file).catch((cause: NodeJS.ErrnoException) => {
      throw new DataError(
        `checkpoint ${file} cannot be read (${cause.code}): begin the run again in another folder`,
        { file },
        { cause },
      );
    });
    if (found !== expected) {
      throw new DataError(
        `checkpoint ${file} is damaged: its checksum is not the one in state.json; begin the run again in another folder`,
        {
          file,
          found,
          expected,
        },
      );
    }
  }
}

/** `target` as another name of `source` (a copy where names cannot share a file), at no moment missing. */
async function replaceByLink(source: string, target: string): Promise<void> {
  const between = `${target}.new`;
  await rm(between, { force: true });
  await link(source, between).catch(() => copyFile(source, between)); // not every file system has links
  await rename(between, target);
}

async function removeOthers(folder: string, { weights, optimizer }: RunState): Promise<void> {
  const kept = new Set([weights.name, optimizer.name]);
  const isStale = (name: string) =>
    name.endsWith('.partial') || (name.startsWith('step-') && !kept.has(name)); // also what a killed run left half written
  const stale = (await readdir(folder)).filter(isStale);
  await Promise.all(stale.map((name) => rm(join(folder, name), { force: true })));
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
