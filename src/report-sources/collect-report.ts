import { readdir } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { itemAt } from '../at.js';
import { DataError, errorCode } from '../errors.js';
import { isEvaluation, wrongFieldOf } from '../evaluation/index.js';
import { jsonOrUndefined } from '../json.js';
import { softwareVersions } from '../package-version.js';
import type {
  PaperFigure,
  ReportCase,
  ReportContent,
  ReportEvaluation,
  ReportRun,
  SpeedResult,
} from '../report/index.js';
import { readRecordText } from '../text-file.js';
import { lastPicture, readMetrics, readRunConfig, readRunStatus } from '../training/index.js';
import { runCases } from './report-cases.js';
import { cellFile, experimentFile, speedFile } from './report-files.js';

export interface ReportSources {
  /** Folder that is searched with all its folders for run folders, evaluations and speed measurements. */
  readonly from: string;
  /** Names to show in place of paths relative to `from`. */
  readonly names?: ReadonlyMap<string, string> | undefined;
}

/** What the settings of a run say about its results. */
const runFacts = z.object({
  network: z.object({ name: z.string() }).optional().catch(undefined),
  data: z
    .object({ fraction: z.number().optional(), prepared: z.string().optional() })
    .optional()
    .catch(undefined),
  init: z.string().nullish().catch(undefined),
});
type RunFacts = z.infer<typeof runFacts>;

/** Folders that hold volumes or weights, not results. */
const skipped = new Set(['predictions', 'prepared', 'checkpoints', 'node_modules']);

/**
 * Everything under a folder that a report can show, in the order of paths. Files that are no result are
 * passed over; a file called `evaluation*.json` that is none is named in the notes.
 * @throws DataError when there is no such folder, or nothing to show in it
 */
export async function collectReport({ from, names }: ReportSources): Promise<ReportContent> {
  const paperFigures: PaperFigure[] = [];
  const [runs, evaluations, speed, cases, notes]: [
    ReportRun[],
    ReportEvaluation[],
    SpeedResult[],
    ReportCase[],
    string[],
  ] = [[], [], [], [], []];
  for (const folder of await resultFolders(from)) {
    const path = relative(from, folder.path) || basename(resolve(from));
    const facts = folder.files.includes('config.yaml') ? await factsOf(folder.path, notes) : undefined;
    const cell = folder.files.includes('cell.json')
      ? await cellOf(join(folder.path, 'cell.json'))
      : { table: undefined, title: undefined };
    const shownName = (own: string) => names?.get(own) ?? (own === path ? cell.title : undefined) ?? own;
    const lines = folder.files.includes('metrics.jsonl') ? readMetrics(folder.path) : [];
    if (folder.files.includes('log.jsonl')) {
      const { killed, ended } = await readRunStatus(folder.path);
      if (killed) notes.push(`the run ${folder.path} was ${ended}`);
    }
    if (lines.length > 0)
      runs.push({
        name: shownName(path),
        lines,
        reconstruction: await lastPicture(folder.path),
        settings: facts?.text,
      });
    // nnU-Net's form of an evaluation lies beside it.
    for (const name of folder.files.filter(
      (file) => file.endsWith('.json') && !file.endsWith('.summary.json'),
    )) {
      const file = join(folder.path, name);
      const text = await textOrNote(file, notes);
      if (text === undefined) continue;
      const content = jsonOrUndefined(text);
      const measured = speedFile.safeParse(content);
      if (measured.success) speed.push(...measured.data.results.map(speedResult));
      const experiment = experimentFile.safeParse(content);
      if (experiment.success) paperFigures.push(experiment.data.figure);
      if (!isEvaluation(content)) {
        if (/^evaluation.*\.json$/.test(name))
          notes.push(`${file} is no evaluation: ${wrongFieldOf(content)} is wrong`);
        continue;
      }
      const split = /^evaluation-(training|validation|test)\.json$/.exec(name)?.[1];
      const ofRun = facts !== undefined && /^evaluation(-(training|validation|test))?\.json$/.test(name);
      const own = shownName(ofRun ? path : relative(from, file).replace(/\.json$/, ''));
      const entry = {
        name: split ? `${own}, ${split} cases` : own,
        source: file,
        split,
        evaluation: content,
        table: cell.table,
        arm: cell.arm,
        ...resultFacts(facts),
      };
      evaluations.push(entry);
      if (ofRun && split !== 'training')
        cases.push(...(await runCases(folder.path, facts.settings.data?.prepared, entry, notes)));
    }
  }
  const title = `Report of ${basename(resolve(from))}`;
  const made = { date: new Date().toISOString(), software: softwareVersions() };
  if (runs.length + evaluations.length + speed.length + paperFigures.length > 0)
    return { title, made, runs, evaluations, speed, paperFigures, cases, notes };
  const results = 'run folders, files that "hybridmim evaluate" wrote, or measurements of speed';
  const wrong = notes.length > 0 ? `; ${itemAt(notes, 0)}` : '';
  throw new DataError(`${from} holds nothing to report: ${results} are expected${wrong}`, { file: from });
}

interface ResultFolder {
  readonly path: string;
  /** Names, sorted. */
  readonly files: readonly string[];
}

/** A folder and those within, by path. */
async function resultFolders(path: string): Promise<ResultFolder[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    const reason = `the folder ${path} cannot be read (${errorCode(cause)})`;
    throw new DataError(`${reason}: give --from a folder with run folders`, { file: path }, { cause });
  });
  const sorted = entries.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const inner = sorted.filter(
    (entry) => entry.isDirectory() && !skipped.has(entry.name) && !entry.name.startsWith('.'),
  );
  const files = sorted.filter((entry) => entry.isFile()).map(({ name }) => name);
  const below: ResultFolder[] = [];
  for (const { name } of inner) below.push(...(await resultFolders(join(path, name))));
  return [{ path, files }, ...below];
}

interface RunSettings {
  readonly settings: RunFacts;
  /** All of them as YAML; undefined where they cannot be read. */
  readonly text: string | undefined;
}

async function factsOf(folder: string, notes: string[]): Promise<RunSettings> {
  const config = await readRunConfig(folder).catch(() => undefined);
  const parsed = runFacts.safeParse(config);
  if (parsed.success) return { settings: parsed.data, text: stringify(withoutFolders(config)) };
  notes.push(`the settings of ${folder} cannot be read; its results are shown without them`);
  return { settings: {}, text: undefined };
}

/** Settings whose absolute paths are cut to their last part: folders may name people and machines. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === 'string') return isAbsolute(value) ? `.../${basename(value)}` : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutFolders(inner)]));
}

/** The text of a file; what is wrong with one that cannot be read is noted. */
async function textOrNote(file: string, notes: string[]): Promise<string | undefined> {
  try {
    return await readRecordText(file);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    notes.push(error.message);
    return undefined;
  }
}

/** What a cell of an experiment says about the table that it is for, the arm that it is of, and its own name. */
async function cellOf(
  file: string,
): Promise<Pick<ReportEvaluation, 'table' | 'arm'> & { readonly title?: string | undefined }> {
  const parsed = cellFile.safeParse(jsonOrUndefined(await readRecordText(file)));
  if (!parsed.success) return { table: undefined };
  const { arm, title, seed, fraction } = parsed.data.result ?? {};
  const parts = [
    arm,
    ...(fraction === undefined || fraction === 1
      ? []
      : [`${Number((100 * fraction).toPrecision(3))} % of labels`]),
    ...(seed === undefined ? [] : [`seed ${seed}`]),
  ];
  return { table: parsed.data.paperTable, arm, title: arm === undefined ? title : parts.join(', ') };
}

function resultFacts(
  run: RunSettings | undefined,
): Pick<ReportEvaluation, 'network' | 'fraction' | 'pretrained'> {
  const facts = run?.settings;
  if (!facts) return { network: undefined, fraction: undefined, pretrained: undefined };
  return {
    network: facts.network?.name,
    fraction: facts.data?.fraction,
    pretrained: facts.init === undefined ? undefined : facts.init !== null,
  };
}

function speedResult({
  network,
  method,
  precision,
  region,
  stepMs,
}: z.infer<typeof speedFile>['results'][number]): SpeedResult {
  return {
    network,
    method,
    precision,
    region: [region].flat().join('x'),
    medianMs: stepMs.median,
    minMs: stepMs.min,
    maxMs: stepMs.max,
  };
}
