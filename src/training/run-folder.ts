import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { DataError, UsageError, WorkError } from '../errors.js';
import { lockFolder } from '../folder-lock.js';
import { removeLeftovers } from '../leftovers.js';
import { readText } from '../text-file.js';
import { appendWhole, writeWholeFile } from '../whole-file.js';
import { dropLaterCheckpoints, findCheckpoint, type RunState } from './checkpoint.js';

/** A run's settings as plain data; `config.yaml` holds them as resolved. */
export type RunConfig = object;

export interface RunFolder {
  readonly path: string;
  /** Where the last checkpoint left the run; undefined at its beginning. */
  readonly state: RunState | undefined;
  /** What should be said of how the run goes on, in sentences. */
  readonly notes: readonly string[];
  /** Writes down the settings that changed; for when nothing else speaks against going on with them. */
  keepChanges(): Promise<void>;
  release(): Promise<void>;
}

/** Settings that change how a run is carried out but not one bit of what comes out. */
const free = new Set([
  'data.workers',
  'data.prefetch',
  'data.prepared',
  'train.checkpointEvery',
  'device.memoryGrowth',
  'device.memoryShare',
]);

/**
 * Settings, or groups of them, that somebody may want to be others from a step on. All else says what the run
 * is: its network, its method, its data, its seed.
 */
const changeable = [
  'train.learningRate',
  'train.encoderRate',
  'train.weightDecay',
  'train.decayNormsAndBiases',
  'train.clipNorm',
  'train.notFiniteSteps',
  'train.reduction',
  'train.steps',
  'train.epochs',
  'train.warmupSteps',
  'train.warmupEpochs',
  'train.validateEvery',
  'train.validationBatches',
  'train.threads',
  'train.engine',
  'train.augmentation',
  'data.foregroundRatio',
  'device',
  'inference',
];

/**
 * Opens a run folder for writing, and keeps others from it until released. A run that goes on does so from its
 * latest checkpoint that is whole. `keepChanges` writes settings that changed down in `config.yaml` as they are
 * now, and in `changes.jsonl` as they were.
 * @param mayChange whether settings of `changeable` may be others than before; otherwise such a run is refused
 * @throws UsageError when it holds a run and `resume` is not set, or the run to resume had other settings;
 *   DataError when it has checkpoints, but none is whole; WorkError when it is in use
 */
export async function openRunFolder(
  path: string,
  config: RunConfig,
  resume: boolean,
  mayChange = false,
): Promise<RunFolder> {
  const configFile = join(path, 'config.yaml');
  requireAsExpected(path, existsSync(configFile), resume);
  await mkdir(join(path, 'checkpoints'), { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new WorkError(
      `the run folder ${path} cannot be made (${cause.code}): choose another --out`,
      { file: path },
      { cause },
    );
  });
  const release = await lockFolder(
    path,
    `another process is writing to ${path}: wait for it or choose another --out`,
  );
  try {
    requireAsExpected(path, existsSync(configFile), resume); // another process may have begun it while this one waited
    removeLeftovers(path, 'all');
    removeLeftovers(join(path, 'checkpoints'), 'all');
    if (!resume) {
      await writeWholeFile(configFile, stringify(config));
      return { path, state: undefined, notes: [], keepChanges: async () => {}, release };
    }
    const stored = await readRunConfig(path);
    const changes = changedSettings(config, stored, configFile, mayChange);
    const { state, torn } = await findCheckpoint(path);
    if (state && torn.length > 0) await dropLaterCheckpoints(path, state.step);
    const notes = [
      ...torn.map((sentence) => `${sentence}; going on from the checkpoint before it`),
      ...changes.map(
        ({ key, before, now }) => `${key} is ${shown(now)} from here on, and was ${shown(before)}`,
      ),
    ];
    const keepChanges = async () => {
      if (changes.length > 0) await recordChanges(path, changes, state?.step ?? 0, withFree(config, stored));
    };
    return { path, state, notes, keepChanges, release };
  } catch (error) {
    await release();
    throw error;
  }
}

function requireAsExpected(path: string, begun: boolean, resume: boolean): void {
  if (begun && !resume) {
    throw new UsageError(
      `${path} already holds a run: add --resume to continue it, or choose another folder with --out`,
      { file: path },
    );
  }
  if (!begun && resume)
    throw new UsageError(`${path} holds no run to resume: leave out --resume to begin one there`, {
      file: path,
    });
}

/** The settings of a run. Throws DataError when the folder holds none. */
export async function readRunConfig(path: string): Promise<RunConfig> {
  const file = join(path, 'config.yaml');
  const text = await readText(
    file,
    (cause) => new DataError(`${path} is no run folder: ${file} cannot be read`, { file }, { cause }),
  );
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    const [what] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new DataError(`${file} is not valid YAML (${what}): restore it`, { file }, { cause });
  }
  const config = z.record(z.string(), z.unknown()).safeParse(content);
  if (config.success) return config.data;
  throw new DataError(`${file} holds no settings of a run: restore it`, { file, found: content });
}

/** What runs did that were begun before a setting was there, so that they can go on. */
const earlier = new Map<string, unknown>([
  ['network.pools', [2, 2, 2, 2]],
  ['transfer', 'all'],
  ['method.subVolumeFeatures', 'mean'],
  ['method.contrastFeatures', 'mean'],
  ['method.mask', 'zero'],
  ['method.output', 'linear'],
  ['train.notFiniteSteps', 0],
  ['train.encoderRate', 1],
  ['train.replicas', 1],
  ['train.reduction', 'exact'],
  ['inference.constantWindows', 'run'],
  ['device.use', 'auto'],
  ['device.tensorFloat32', false],
  ['device.deterministic', false],
]);

/**
 * The settings that must be the same on all ranks of a run, as text by dotted key: all but those that change no bit, and the
 * weights to start from, which rank 0 sends to the others.
 */
export function sharedSettings(config: RunConfig): Record<string, string> {
  const shared = [...flattened(config)].filter(([key]) => !free.has(key) && key !== 'init');
  return Object.fromEntries(shared.map(([key, value]) => [key, shown(value)]));
}

interface Change {
  readonly key: string;
  readonly before: unknown;
  readonly now: unknown;
}

const shown = (value: unknown): string => JSON.stringify(value) ?? 'not set';

/** Writes down what is different from a step on: first what it was. */
async function recordChanges(
  path: string,
  changes: readonly Change[],
  step: number,
  config: RunConfig,
): Promise<void> {
  const settings = changes.map(({ key, before = null, now = null }) => ({ key, before, now }));
  appendWhole(join(path, 'changes.jsonl'), `${JSON.stringify({ schema: 1, afterStep: step, settings })}\n`);
  await writeWholeFile(join(path, 'config.yaml'), stringify(config));
}

/** The settings of now, but those that change no bit as they were written. */
function withFree(config: RunConfig, stored: RunConfig): RunConfig {
  const before = flattened(stored);
  const keep = (value: object, prefix: string): object =>
    Object.fromEntries(
      Object.entries(value).map(([key, part]: [string, unknown]) => {
        const path = `${prefix}${key}`;
        if (free.has(path) && before.has(path)) return [key, before.get(path)];
        return [key, isGroup(part) ? keep(part, `${path}.`) : part];
      }),
    );
  return keep(config, '');
}

const isGroup = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What is asked for otherwise than before.
 * @throws UsageError for what may not be
 */
function changedSettings(config: RunConfig, stored: RunConfig, file: string, mayChange: boolean): Change[] {
  const [now, before] = [flattened(config), flattened(stored)];
  for (const [key, value] of earlier) if (now.has(key) && !before.has(key)) before.set(key, value);
  const differing = [...new Set([...now.keys(), ...before.keys()])].filter(
    (key) => !free.has(key) && !isDeepStrictEqual(now.get(key), before.get(key)),
  );
  const isChangeable = (key: string) =>
    mayChange && changeable.some((group) => key === group || key.startsWith(`${group}.`));
  const fixed = differing.find((key) => !isChangeable(key));
  if (fixed !== undefined) {
    throw new UsageError(
      `${file} says ${fixed} ${JSON.stringify(before.get(fixed))}, but ${JSON.stringify(now.get(fixed))} is asked for: ` +
        'resume with the same settings, or begin another run with --out',
      { file, field: fixed, found: now.get(fixed), expected: before.get(fixed) },
    );
  }
  return differing.map((key) => ({ key, before: before.get(key), now: now.get(key) }));
}

/** Leaves of nested records by dotted path; what YAML would not keep (undefined) is left out. */
function flattened(config: RunConfig, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(config).flatMap(([key, value]): [string, unknown][] => {
      if (value === undefined) return [];
      if (!isGroup(value)) return [[prefix + key, value]];
      return [...flattened(value, `${prefix}${key}.`)];
    }),
  );
}
