import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { DataError, UsageError, WorkError } from '../errors.js';
import { lockFolder } from '../folder-lock.js';
import { writeWholeFile } from '../whole-file.js';
import { type RunState, readRunState } from './checkpoint.js';

/** A run's settings as plain data; `config.yaml` holds them as resolved. */
export type RunConfig = object;

export interface RunFolder {
  readonly path: string;
  /** Where the last checkpoint left the run; undefined at its beginning. */
  readonly state: RunState | undefined;
  release(): Promise<void>;
}

/** Settings that change how a run is carried out but not one bit of what comes out. */
const free = new Set(['data.workers', 'data.prefetch', 'data.prepared', 'train.checkpointEvery']);

/**
 * Opens a run folder for writing, and keeps others from it until released.
 * @throws UsageError when it holds a run and `resume` is not set, or the run to resume had other settings;
 *   WorkError when it is in use
 */
export async function openRunFolder(path: string, config: RunConfig, resume: boolean): Promise<RunFolder> {
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
    if (resume) requireSameConfig(config, await readRunConfig(path), configFile);
    else await writeWholeFile(configFile, stringify(config));
    return { path, state: await readRunState(path), release };
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
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DataError(`${path} is no run folder: ${file} cannot be read`, { file }, { cause });
  });
  return parse(text) as RunConfig;
}

/** What runs did that were begun before a setting was there, so that they can go on. */
const earlier = new Map<string, unknown>([
  ['network.pools', [2, 2, 2, 2]],
  ['transfer', 'all'],
  ['method.subVolumeFeatures', 'mean'],
  ['method.contrastFeatures', 'mean'],
  ['method.mask', 'zero'],
  ['method.output', 'linear'],
]);

function requireSameConfig(config: RunConfig, stored: RunConfig, file: string): void {
  const [now, before] = [flattened(config), flattened(stored)];
  for (const [key, value] of earlier) if (now.has(key) && !before.has(key)) before.set(key, value);
  const differing = [...new Set([...now.keys(), ...before.keys()])].find(
    (key) => !free.has(key) && !isDeepStrictEqual(now.get(key), before.get(key)),
  );
  if (differing === undefined) return;
  throw new UsageError(
    `${file} says ${differing} ${JSON.stringify(before.get(differing))}, but ${JSON.stringify(now.get(differing))} is asked for: ` +
      'resume with the same settings, or begin another run with --out',
    { file, field: differing, found: now.get(differing), expected: before.get(differing) },
  );
}

/** Leaves of nested records by dotted path; what YAML would not keep (undefined) is left out. */
function flattened(config: RunConfig, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(config).flatMap(([key, value]): [string, unknown][] => {
      if (value === undefined) return [];
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[prefix + key, value]];
      return [...flattened(value, `${prefix}${key}.`)];
    }),
  );
}
