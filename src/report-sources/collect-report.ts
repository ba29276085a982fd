import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { DataError, errorCode } from '../errors.js';
import { isEvaluation, wrongFieldOf } from '../evaluation/index.js';
import { jsonOrUndefined } from '../json.js';
import type {
  PaperFigure,
  ReportCase,
  ReportContent,
  ReportEvaluation,
  ReportRun,
  SpeedResult,
} from '../report/index.js';
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
  const shownName = (path: string) => names?.get(path) ?? path;
  for (const folder of await resultFolders(from)) {
    const path = relative(from, folder.path) || basename(resolve(from));
    const facts = folder.files.includes('config.yaml') ? await factsOf(folder.path, notes) : undefined;
    const cell = folder.files.includes('cell.json')
      ? await cellOf(join(folder.path, 'cell.json'))
      : { table: undefined };
    const lines = folder.files.includes('metrics.jsonl') ? readMetrics(folder.path) : [];
    if (folder.files.includes('log.jsonl')) {
      const { killed, ended } = await readRunStatus(folder.path);
      if (killed) notes.push(`the run ${folder.path} was ${ended}`);
    }
    if (lines.length > 0)
      runs.push({ name: shownName(path), lines, reconstruction: await lastPicture(folder.path) });
    // nnU-Net's form of an evaluation lies beside it.
    for (const name of folder.files.filter(
      (file) => file.endsWith('.json') && !file.endsWith('.summary.json'),
    )) {
      const file = join(folder.path, name);
      const content = jsonOrUndefined(await readFile(file, 'utf8'));
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
        ...cell,
        ...resultFacts(facts),
      };
      evaluations.push(entry);
      if (ofRun && split !== 'training')
        cases.push(...(await runCases(folder.path, facts.data?.prepared, entry, notes)));
    }
  }
  const title = `Report of ${basename(resolve(from))}`;
  if (runs.length + evaluations.length + speed.length + paperFigures.length > 0)
    return { title, runs, evaluations, speed, paperFigures, cases, notes };
  const results = 'run folders, files that "hybridmim evaluate" wrote, or measurements of speed';
  throw new DataError(`${from} holds nothing to report: ${results} are expected`, { file: from });
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

async function factsOf(folder: string, notes: string[]): Promise<RunFacts> {
  const parsed = runFacts.safeParse(await readRunConfig(folder).catch(() => undefined));
  if (parsed.success) return parsed.data;
  notes.push(`the settings of ${folder} cannot be read; its results are shown without them`);
  return {};
}

/** What a cell of an experiment says about the table that it is for, and the arm that it is of. */
async function cellOf(file: string): Promise<Pick<ReportEvaluation, 'table' | 'arm'>> {
  const parsed = cellFile.safeParse(jsonOrUndefined(await readFile(file, 'utf8')));
  return parsed.success
    ? { table: parsed.data.paperTable, arm: parsed.data.result?.arm }
    : { table: undefined };
}

function resultFacts(
  facts: RunFacts | undefined,
): Pick<ReportEvaluation, 'network' | 'fraction' | 'pretrained'> {
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
