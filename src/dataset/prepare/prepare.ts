import { join, resolve } from 'node:path';
import { WorkError } from '../../errors.js';
import { writeWholeFile } from '../../whole-file.js';
import { type DatasetFile, readDatasetFile } from '../index/dataset-file.js';
import { indexDatasets } from '../index/index-datasets.js';
import type { SourceDataset } from '../index/listed-case.js';
import {
  indexFileName,
  type PreparedIndex,
  readPreparedIndexIfAny,
  type SkippedCase,
  storedCase,
  storedSkipped,
} from '../index/prepared-index.js';
import { withSplitFile } from '../index/split-file.js';
import { summariseDataset } from '../index/summary.js';
import { lossesOf } from './label-survival.js';
import type { PrepareCaseTask } from './prepare-case.js';
import {
  asListed,
  type Outcomes,
  type PrepareCasesOptions,
  prepareCases,
  unchangedRecord,
} from './prepare-cases.js';
import { leftoverCases, lockPreparedFolder, removePartialFiles } from './prepared-folder.js';
import {
  itemsOfShard,
  readSkippedOfShards,
  removeShardRecords,
  type Shard,
  shardName,
  writeShardRecord,
} from './shards.js';

/** Which datasets, and the folder for them. */
export interface DatasetChoice {
  /** The dataset index, see `datasets.example.json`. */
  readonly datasetsFile: string;
  readonly out: string;
  /** Names of datasets; absent: all. The others stay in the prepared index as they are. */
  readonly only?: readonly string[];
  /** Splits of the user's, see `withSplitFile`. */
  readonly splitFile?: string | undefined;
}

export type PrepareOptions = DatasetChoice & PrepareCasesOptions;

/** What became of the cases of a call. */
export interface ShardResult {
  readonly prepared: number;
  /** Left as they were, because neither source nor settings changed. */
  readonly unchanged: number;
  /** Cases of this call that cannot be used, with the reason. */
  readonly skipped: readonly SkippedCase[];
  /** What the command ends with: 3 when a case was skipped, else 0. */
  readonly exitCode: 0 | 3;
}

/** What `prepareDatasets` has done, and the index that it wrote. */
export interface PrepareResult extends ShardResult {
  readonly indexFile: string;
  readonly index: PreparedIndex;
  /**
   * What the layouts left out or found odd, in sentences that begin with
   * the dataset's name, and what the folder holds beside the index.
   */
  readonly notes: readonly string[];
  /** Of each case that lost something of its label by resampling or cropping, what it lost, in sentences. */
  readonly losses: readonly CaseLosses[];
}

/** What a case lost of its label. */
export interface CaseLosses {
  /** `dataset/name`. */
  readonly id: string;
  readonly lost: readonly string[];
}

/**
 * Prepares the cases of a dataset index in worker threads and writes `index.json`.
 * A second call redoes what changed and nothing else; an interrupted call
 * continues. A case that cannot be used is skipped and listed with its reason.
 * @throws UsageError for a wrong index, DataError when a dataset as a whole is missing,
 *   InterruptedError after `signal`, WorkError when the folder is in use or the disk full or too small
 */
export async function prepareDatasets(options: PrepareOptions): Promise<PrepareResult> {
  const work = await listWork(options);
  const release = await lockPreparedFolder(work.out);
  try {
    await removePartialFiles(work.out, work.tasks);
    return await writeIndex(work, await prepareCases(work.tasks, { ...options, out: work.out }));
  } finally {
    await release();
  }
}

/**
 * Prepares one shard of the cases and no index: several machines with the same files may each do one, at
 * once or not, without knowing of each other. `mergeShards` ends it. Throws as `prepareDatasets` does.
 */
export async function prepareShard(options: PrepareOptions, shard: Shard): Promise<ShardResult> {
  const { out, tasks } = await listWork(options);
  const own = itemsOfShard(tasks, shard);
  const release = await lockPreparedFolder(out, shardName(shard));
  try {
    await removePartialFiles(out, own);
    const outcomes = await prepareCases(own, { ...options, out });
    await writeShardRecord(out, shard, withStoredPaths(outcomes.skipped, own, out));
    return resultOf(outcomes);
  } finally {
    await release();
  }
}

/**
 * Writes `index.json` over what shards have prepared, when all of it is there.
 * @throws WorkError naming how many cases are missing and the first of them, and as `prepareDatasets` does
 */
export async function mergeShards(choice: DatasetChoice): Promise<PrepareResult> {
  const work = await listWork(choice);
  const release = await lockPreparedFolder(work.out);
  try {
    const skippedByShards = new Map((await readSkippedOfShards(work.out)).map((entry) => [entry.id, entry]));
    const skippedBefore = new Map((await previousIndex(work))?.skipped.map((entry) => [entry.id, entry]));
    const outcomes: Outcomes = { cases: [], skipped: [], unchanged: 0 };
    const missing: string[] = [];
    for (const task of work.tasks) {
      const { id } = task.source;
      const known = await unchangedRecord(task);
      const skipped = skippedByShards.get(id) ?? skippedBefore.get(id);
      if (known) outcomes.cases.push(asListed(known, task.source));
      else if (skipped) outcomes.skipped.push(skipped);
      else missing.push(id);
    }
    if (missing.length > 0) {
      throw new WorkError(
        `${work.out} lacks ${missing.length} of ${work.tasks.length} cases, the first is ${missing[0]}: ` +
          'run every shard to its end with the same dataset index, then merge again',
        { file: work.out, found: missing },
      );
    }
    const result = await writeIndex(work, { ...outcomes, unchanged: outcomes.cases.length });
    await removeShardRecords(work.out);
    return result;
  } finally {
    await release();
  }
}

interface Work {
  readonly out: string;
  readonly file: DatasetFile;
  readonly datasets: readonly SourceDataset[];
  readonly tasks: readonly PrepareCaseTask[];
}

async function listWork({ datasetsFile, out: folder, only, splitFile }: DatasetChoice): Promise<Work> {
  const out = resolve(folder);
  const file = await withSplitFile(await readDatasetFile(datasetsFile), splitFile);
  const datasets = await indexDatasets(file, only);
  const tasks = datasets.flatMap(({ cases, preprocessing, classes, ignore }) =>
    cases.map((source) => ({ out, source, preprocessing, classes, ignore })),
  );
  return { out, file, datasets, tasks };
}

async function writeIndex(work: Work, outcomes: Outcomes): Promise<PrepareResult> {
  const index = mergeIndex(await previousIndex(work), work, outcomes);
  const indexFile = join(work.out, indexFileName);
  const stored: PreparedIndex = {
    ...index,
    cases: index.cases.map((prepared) => storedCase(prepared, work.out)),
    skipped: withStoredPaths(index.skipped, work.tasks, work.out),
  };
  await writeWholeFile(indexFile, `${JSON.stringify(stored, null, 1)}\n`);
  const notes = work.datasets.flatMap(({ name, notes, groupOddities }) =>
    [...notes, ...groupOddities.map(({ message }) => message)].map((note) => `${name}: ${note}`),
  );
  const allNotes = [...notes, ...(await leftoverNote(work))];
  return { ...resultOf(outcomes), indexFile, index, notes: allNotes, losses: lossesIn(work, outcomes) };
}

function lossesIn({ tasks }: Work, { cases }: Pick<Outcomes, 'cases'>): CaseLosses[] {
  const classes = new Map(tasks.map(({ source, classes }) => [source.id, classes]));
  return cases.flatMap(({ id, labelSurvival }) => {
    const lost = labelSurvival ? lossesOf(labelSurvival, classes.get(id) ?? {}) : [];
    return lost.length > 0 ? [{ id, lost }] : [];
  });
}

function withStoredPaths(
  skipped: readonly SkippedCase[],
  tasks: readonly PrepareCaseTask[],
  out: string,
): SkippedCase[] {
  const paths = new Map(tasks.map(({ source: { id, images, label = '' } }) => [id, [...images, label]]));
  return skipped.map((one) => storedSkipped(one, (paths.get(one.id) ?? []).filter(Boolean), out));
}

/**
 * Nothing reads the files of a case that is listed no more, but they
 * may be somebody's, and hours of work: they are named, not removed.
 */
async function leftoverNote({ out, file, datasets }: Work): Promise<string[]> {
  const lookedAt = new Map(datasets.map(({ name, cases }) => [name, new Set(cases.map(({ id }) => id))]));
  const leftover = await leftoverCases(
    out,
    new Map(Object.keys(file.datasets).map((name) => [name, lookedAt.get(name)])),
  );
  if (leftover.length === 0) return [];
  const [count, those] =
    leftover.length === 1 ? ['1 prepared case', 'it is'] : [`${leftover.length} prepared cases`, 'they are'];
  return [
    `${file.file} lists ${count} of ${out} no more: ${leftover.join(', ')}; ` +
      `no later command reads the files, delete those whose names begin so if ${those} not wanted`,
  ];
}

function resultOf({ cases, unchanged, skipped }: Outcomes): ShardResult {
  return { prepared: cases.length - unchanged, unchanged, skipped, exitCode: skipped.length > 0 ? 3 : 0 };
}

/** The earlier index's other datasets stay, as long as the dataset index still has them. */
function mergeIndex(
  previous: PreparedIndex | undefined,
  { file, datasets }: Work,
  { cases, skipped }: Outcomes,
): PreparedIndex {
  const redone = new Set(datasets.map(({ name }) => name));
  const stays = (dataset: string) => !redone.has(dataset) && dataset in file.datasets;
  const summaries = datasets.map(
    (dataset) => [dataset.name, summariseDataset(dataset, cases, skipped)] as const,
  );
  const kept = Object.entries(previous?.datasets ?? {}).filter(([dataset]) => stays(dataset));
  return {
    schema: 1,
    seed: file.seed,
    validationShare: file.validationShare,
    datasets: Object.fromEntries([...kept, ...summaries]),
    cases: [...(previous?.cases ?? []).filter(({ dataset }) => stays(dataset)), ...cases],
    skipped: [...(previous?.skipped ?? []).filter(({ dataset }) => stays(dataset)), ...skipped],
  };
}

/** An index that cannot be read counts only when another dataset would be lost with it. */
async function previousIndex({ out, file, datasets }: Work): Promise<PreparedIndex | undefined> {
  return readPreparedIndexIfAny(out).catch((error: unknown) => {
    if (datasets.length < Object.keys(file.datasets).length) throw error;
    return undefined;
  });
}
