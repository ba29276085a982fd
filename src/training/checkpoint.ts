import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { NamedArrays } from '../engine/index.js';
import { DataError, WorkError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { jsonOrUndefined } from '../json.js';
import {
  type ParameterSpec,
  readSafetensors,
  readWeights,
  writeSafetensors,
  writeWeights,
} from '../network/index.js';
import { readRecordText, readRecordTextIfAny } from '../text-file.js';
import { writeWholeFile } from '../whole-file.js';
import { momentNames } from './adamw.js';

const fileRecord = z.object({ name: z.string(), sha256: z.string() });
const runState = z.object({
  schema: z.literal(1),
  /** Finished updates. The data order, masks and dropout of the next one follow from it and the seed. */
  step: z.int().min(0),
  seed: z.int().min(0),
  schedule: z.object({ steps: z.int().min(1), warmupSteps: z.int().min(0), peak: z.number() }),
  /** Training cases in the order that the crops are drawn from; another order would be another run. */
  cases: z.array(z.string()),
  weights: fileRecord,
  optimizer: fileRecord,
  /** The best validation so far, whose weights are `best.safetensors`. */
  best: z.object({ step: z.int().min(0), value: z.number() }).nullable(),
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
  const text = await readRecordTextIfAny(file);
  if (text === undefined) return undefined;
  const parsed = runState.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new DataError(
    `${file} is damaged (${firstIssue(parsed.error).field}): begin the run again in another folder`,
    { file },
  );
}

/** What is left of a run to go on from. */
export interface FoundCheckpoint {
  /** Of the latest checkpoint that is whole; undefined before the first. */
  readonly state: RunState | undefined;
  /** What is wrong with each later one, in sentences. */
  readonly torn: readonly string[];
}

/**
 * The latest checkpoint of a run that is whole: its record and its files are those that were written.
 * @throws DataError when there are checkpoints, but none is whole
 */
export async function findCheckpoint(run: string): Promise<FoundCheckpoint> {
  const steps = await recordedSteps(run);
  if (steps.length === 0) {
    const state = await readRunState(run); // of a run of an earlier version, which kept one
    if (state) await verifyCheckpoint(run, state);
    return { state, torn: [] };
  }
  const torn: string[] = [];
  for (const step of steps) {
    try {
      const state = await readRecord(run, step);
      await verifyCheckpoint(run, state);
      return { state, torn };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      torn.push(error.message);
    }
  }
  throw new DataError(`no checkpoint of ${run} is whole: ${torn.join('; ')}`, { file: folderOf(run) });
}

/** Takes away the records of checkpoints after a step, from which the run makes them anew. */
export async function dropLaterCheckpoints(run: string, step: number): Promise<void> {
  const later = (await recordedSteps(run)).filter((other) => other > step);
  await Promise.all(later.map((other) => rm(recordFile(run, other), { force: true })));
}

/** Steps of the checkpoints that have a record, the latest first. */
async function recordedSteps(run: string): Promise<number[]> {
  const names = await readdir(folderOf(run)).catch(() => []);
  return names
    .flatMap((name) => /^step-(\d+)\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

const recordFile = (run: string, step: number): string => join(folderOf(run), `step-${step}.json`);

/** A state with the checksum of what it says: a record that was damaged may still be one. */
const checkpointRecord = z.object({ sha256: z.string(), state: runState });

async function readRecord(run: string, step: number): Promise<RunState> {
  const file = recordFile(run, step);
  const text = await readRecordText(file);
  const { data } = checkpointRecord.safeParse(jsonOrUndefined(text));
  if (data?.state.step === step && data.sha256 === checksumOf(data.state)) return data.state;
  throw new DataError(`${file} is damaged: its checksum is not that of what it says`, { file });
}

const checksumOf = (state: RunState): string =>
  createHash('sha256')
    .update(JSON.stringify(runState.parse(state)))
    .digest('hex');

/**
 * Writes a checkpoint so that a run killed at any moment finds the one before or this one whole: first the
 * files of this step under names of their own, then its record, and `state.json` and `last.safetensors`, which
 * are copies for others to read. The checkpoint before stays, what is older goes.
 * @throws WorkError when a value is no finite number, or where the disk takes not all of it; the earlier
 *   checkpoints stay then
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
  const before = await stepBefore(run, facts.step);
  const step = String(facts.step);
  // One after the other, so that both are not in memory at once. Without a record they are no checkpoint yet.
  const readFinite = async (wanted: readonly string[]) => finite(await read(wanted), facts.step);
  await writeWeights(join(folder, weights), await readFinite(names), specs, { ...metadata, step });
  await writeSafetensors(join(folder, optimizer), await readFinite(momentNames(names)), { step });
  const state: RunState = {
    schema: 1,
    ...facts,
    weights: { name: weights, sha256: await sha256(join(folder, weights)) },
    optimizer: { name: optimizer, sha256: await sha256(join(folder, optimizer)) },
  };
  const record = { sha256: checksumOf(state), state };
  await writeWholeFile(recordFile(run, facts.step), `${JSON.stringify(record, null, 1)}\n`);
  await writeCopies(run, state);
  await removeOthers(folder, new Set([facts.step, ...before]));
}

/**
 * Makes `state.json` and `last.safetensors` those of a checkpoint, unless they are: they may be damaged, or the run may
 * have ended after the record, so that they are those of the checkpoint before. Throws WorkError.
 */
async function writeCopies(run: string, state: RunState): Promise<void> {
  const text = `${JSON.stringify(runState.parse(state), null, 1)}\n`; // in one order of keys
  const found = await readRecordTextIfAny(stateFile(run)).catch(() => undefined);
  if (found !== text) await writeWholeFile(stateFile(run), text);
  const [weights, last] = [state.weights.name, 'last.safetensors'].map((name) =>
    join(folderOf(run), name),
  ) as [string, string];
  // A copy, not another name of the same bytes: what damages one leaves the other whole.
  if ((await sha256(last).catch(() => undefined)) !== state.weights.sha256)
    await writeWholeFile(last, createReadStream(weights));
}

/**
 * What a run that ended right after the record of a checkpoint left to do: copies, and the files of earlier ones. Those of
 * later ones, which are damaged, stay. Throws WorkError.
 */
export async function finishCheckpoint(run: string, state: RunState): Promise<void> {
  await writeCopies(run, state);
  const steps = await recordedSteps(run);
  if (steps.length === 0) return; // of an earlier version
  const later = steps.filter((step) => step > state.step);
  await removeOthers(folderOf(run), new Set([state.step, ...later, ...(await stepBefore(run, state.step))]));
}

/** The step of the checkpoint that this one follows; none at the first. */
async function stepBefore(run: string, step: number): Promise<number[]> {
  const recorded = (await recordedSteps(run)).find((other) => other < step);
  if (recorded !== undefined) return [recorded];
  const state = await readRunState(run).catch(() => undefined); // of an earlier version
  return state && state.step < step ? [state.step] : [];
}

/**
 * A loss says what the weights were before its update; the next one would say what they are now, but the
 * checkpoint comes first.
 */
function finite(values: NamedArrays, step: number): NamedArrays {
  for (const [name, { data }] of Object.entries(values)) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at === -1) continue;
    throw new WorkError(
      `after step ${step} the parameter ${name} holds ${data[at]}, which is no finite number, so that no checkpoint ` +
        'was written: lower train.learningRate, then resume from the last one',
      { field: 'train.learningRate', found: name },
    );
  }
  return values;
}

/** Writes the weights of the best validation so far. Throws as `saveCheckpoint` does. */
export async function saveBest(
  run: string,
  values: NamedArrays,
  specs: readonly ParameterSpec[],
  metadata: Record<string, string>,
): Promise<void> {
  const checked = finite(values, Number(metadata.step));
  await writeWeights(join(folderOf(run), 'best.safetensors'), checked, specs, metadata);
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

/** Removes the files of steps that are not kept, also what a killed run left half written. */
async function removeOthers(folder: string, kept: ReadonlySet<number>): Promise<void> {
  const isStale = (name: string) => {
    const step = /^step-(\d+)\./.exec(name)?.[1];
    return name.endsWith('.partial') || (step !== undefined && !kept.has(Number(step)));
  };
  const stale = (await readdir(folder)).filter(isStale);
  await Promise.all(stale.map((name) => rm(join(folder, name), { force: true })));
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
