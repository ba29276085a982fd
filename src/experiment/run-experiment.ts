import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ExperimentConfig } from '../config/index.js';
import { type PrepareProgress, prepareDatasets, readDatasetFile } from '../dataset/index.js';
import { DataError, InterruptedError, UsageError } from '../errors.js';
import { writePhantoms } from '../phantoms/index.js';
import { markdownText, writeContourFigureOf, writePaperFigure } from '../report/index.js';
import type { RunProgress } from '../training/index.js';
import { makeFolder, writeWholeFile } from '../whole-file.js';
import { type Cell, planCells } from './cells.js';
import { experimentPicture, pictureColumns } from './experiment-picture.js';
import type { ExperimentResult } from './experiment-result.js';
import { experimentMarkdown } from './experiment-tables.js';
import { filledFigure } from './filled-figure.js';
import { filledTable } from './filled-table.js';
import { type ExperimentRun, finishedCell, type PretrainingRun, runCell } from './run-cell.js';
import { type FailedCell, runCells } from './run-cells.js';

export interface ExperimentOptions {
  readonly config: ExperimentConfig;
  /**
   * Folder of the experiment: the prepared set, a run folder a cell, `results.json`, `results.md`,
   * `picture.png`, and `figure.png` where it is a figure of the paper.
   */
  readonly out: string;
  /** The only cell to run; nothing is collected then. */
  readonly only?: string | undefined;
  /** Cells at a time; more than one only with `launch`. Default 1. */
  readonly jobs?: number;
  /** Carries a cell out in another process, which must call this with `only`; absent: here. */
  readonly launch?: ((cell: Cell) => Promise<void>) | undefined;
  readonly onPrepare?: (progress: PrepareProgress) => void;
  /** What a run shows while it goes on. */
  readonly watchRun?: (name: string, folder: string) => RunProgress;
  /** A finished cell that is left as it is, a failed one, or an evaluation. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs every cell of an experiment: prepare, pre-train, fine-tune, evaluate. What an earlier, interrupted
 * call has finished is kept, and what it began is resumed; a cell that fails stops only what needs its
 * weights.
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { config, out, signal, onNote } = options;
  const prepared = await prepareExperiment(options);
  const cells = cellsToRun(planCells(config, prepared), options.only, config.name);
  const failed = await runCells(cells, options.launch ? (options.jobs ?? 1) : 1, async (cell) => {
    if (signal?.aborted) throw new InterruptedError(`stopped before ${cell.title}: the same command goes on`);
    if (await finishedCell(out, cell)) return onNote?.(`${cell.title} is finished`);
    try {
      await (options.launch ?? runHere(options))(cell);
    } catch (error) {
      if (signal?.aborted)
        throw new InterruptedError(
          `stopped in ${cell.title}, state saved: the same command goes on`,
          {},
          { cause: error },
        );
      onNote?.(`${cell.title} failed: ${error instanceof Error ? error.message : error}`);
      throw error;
    }
  });
  return collect(options, prepared, cells, failed);
}

/** Carries cells out in this process. */
const runHere =
  ({ config: { evaluateTraining, paperTable }, ...options }: ExperimentOptions) =>
  (cell: Cell): Promise<void> =>
    runCell(cell, { ...options, evaluateTraining, paperTable });

async function collect(
  { config, out, only }: ExperimentOptions,
  prepared: string,
  cells: readonly Cell[],
  failed: readonly FailedCell[],
): Promise<ExperimentResult> {
  const pretrainings: PretrainingRun[] = [];
  const runs: ExperimentRun[] = [];
  for (const cell of cells) {
    const result = await finishedCell(out, cell);
    if (result) 'arm' in result ? runs.push(result) : pretrainings.push(result);
  }
  const picture = runs.length > 0 && only === undefined ? join(out, 'picture.png') : null;
  const paper =
    config.paperTable !== undefined && runs.length > 0 ? filledTable(config.paperTable, cells, runs) : null;
  const figure =
    config.paperFigure !== undefined && runs.length + pretrainings.length > 0
      ? filledFigure(config.paperFigure, cells, runs, pretrainings)
      : null;
  const plot = figure && only === undefined ? join(out, 'figure.png') : null;
  const result: ExperimentResult = {
    schema: 1,
    name: config.name,
    evaluated: { split: config.evaluate, checkpoint: config.checkpoint },
    pretrainings,
    runs,
    failed,
    compare: config.compare ?? null,
    paper,
    figure,
    plot,
    picture,
  };
  if (only !== undefined) return result;
  if (figure && plot) await writePaperFigure(plot, figure);
  if (picture) {
    const content = await experimentPicture(config.name, prepared, columnsOf(config, cells), runs);
    await writeContourFigureOf(picture, content);
  }
  await writeWholeFile(join(out, 'results.json'), `${JSON.stringify(result, null, 1)}\n`);
  await writeWholeFile(
    join(out, 'results.md'),
    `# ${markdownText(config.name)}\n\n${experimentMarkdown(result)}\n`,
  );
  return result;
}

const columnsOf = ({ picture }: ExperimentConfig, cells: readonly Cell[]) =>
  pictureColumns(
    cells.filter((cell) => cell.kind === 'finetune'),
    picture,
  );

function cellsToRun(cells: readonly Cell[], only: string | undefined, name: string): readonly Cell[] {
  if (only === undefined) return cells;
  const cell = cells.find(({ id }) => id === only);
  if (cell) return [cell];
  throw new UsageError(
    `experiment ${name} has no cell "${only}"; it has ${cells.map(({ id }) => id).join(', ')}`,
    { field: '--only', found: only },
  );
}

/** The folder of the prepared set of an experiment, whether it stands yet or not. */
export const preparedFolder = (out: string): string => join(out, 'prepared');

/**
 * Prepares the data of an experiment; what stands already is kept.
 * @returns the folder of the prepared set
 * @throws DataError when a case of the experiment's own index cannot be used; those of an index that it only
 *   names are left out, and said
 */
export async function prepareExperiment({
  config,
  out,
  only,
  onPrepare,
  onNote,
  signal,
}: Pick<ExperimentOptions, 'config' | 'out' | 'only' | 'onPrepare' | 'onNote' | 'signal'>): Promise<string> {
  const prepared = preparedFolder(out);
  if (typeof config.datasets === 'string') await requireDatasets(config.datasets, config, prepared);
  // The caller has prepared it; cells may run side by side.
  if (only !== undefined && existsSync(join(prepared, 'index.json'))) return prepared;
  await makeFolder(out);
  if (config.phantoms)
    await writePhantoms(join(out, 'phantoms'), config.phantoms.count, config.phantoms.seed);
  const { skipped } = await prepareDatasets({
    datasetsFile: await datasetsFile(config, out),
    out: prepared,
    workers: 2,
    ...(onPrepare && { onProgress: onPrepare }),
    ...(signal && { signal }),
  });
  const [first] = skipped;
  if (first === undefined) return prepared;
  const { id, reason, file } = first;
  if (typeof config.datasets === 'string') {
    onNote?.(
      `${skipped.length} cases cannot be used, the first, ${id}, because ${reason}; the experiment goes on without them`,
    );
    return prepared;
  }
  throw new DataError(
    `${skipped.length} cases of experiment ${config.name} cannot be used, the first, ${id}, because ${reason}`,
    file === undefined ? {} : { file },
  );
}

/** Refuses an index of the user's that lacks what the runs learn from, before hours of preparing. */
async function requireDatasets(file: string, config: ExperimentConfig, prepared: string): Promise<void> {
  const { datasets } = await readDatasetFile(file);
  const known = Object.keys(datasets);
  const wanted = planCells(config, prepared).flatMap(({ settings }) => settings.data.datasets ?? []);
  const missing = [...new Set(wanted)].filter((name) => !known.includes(name));
  if (missing.length === 0) return;
  throw new UsageError(
    `experiment ${config.name} learns from ${missing.join(', ')}, which ${file} lacks: it has ${known.join(', ')}; ` +
      'add them as datasets.example.json shows, or name your own with --set',
    { file, field: 'datasets', found: known, expected: missing },
  );
}

async function datasetsFile({ datasets }: ExperimentConfig, out: string): Promise<string> {
  if (typeof datasets === 'string') return datasets;
  const file = join(out, 'datasets.json');
  await writeWholeFile(file, `${JSON.stringify(datasets, null, 1)}\n`);
  return file;
}
