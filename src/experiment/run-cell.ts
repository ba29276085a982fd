import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { entryOf, itemAt } from '../at.js';
import { type Evaluation, isEvaluation, readEvaluation } from '../evaluation/index.js';
import { jsonOrUndefined } from '../json.js';
import { evaluateRun } from '../prediction/index.js';
import { type TableNumber, writeEvaluation } from '../report/index.js';
import { readRecordText } from '../text-file.js';
import { finetune, pretrain, type RunProgress, readMetrics, type StepLine } from '../training/index.js';
import { writeWholeFile } from '../whole-file.js';
import type { Cell, FinetuneCell, PretrainCell } from './cells.js';

/** A finished pre-training. */
export interface PretrainingRun {
  readonly id: string;
  readonly title: string;
  readonly seed: number;
  readonly run: string;
  readonly steps: number;
  /** Of training steps in all. */
  readonly seconds: number;
  /**
   * Of one step without waiting for data; the first, which also makes the graph ready, left out where there are
   * others.
   */
  readonly stepSeconds: { readonly median: number; readonly min: number; readonly max: number };
  readonly firstLoss: number;
  readonly lastLoss: number;
  /**
   * Each task's training loss, mean over the first and the last tenth of the steps, and that of a network
   * that has learned nothing.
   */
  readonly tasks: readonly {
    readonly name: string;
    readonly first: number;
    readonly last: number;
    /** null where it is not known beforehand. */
    readonly chance: number | null;
  }[];
}

/** One arm with one seed and one share of the labels. */
export interface ExperimentRun {
  readonly arm: string;
  readonly seed: number;
  readonly fraction: number;
  readonly run: string;
  /** Seconds of training steps, pre-training apart. */
  readonly pretrainSeconds: number | null;
  readonly finetuneSeconds: number;
  /** Of the cases that it was trained on; null where the experiment leaves that out. */
  readonly training: Evaluation | null;
  readonly evaluation: Evaluation;
}

export type CellResult = PretrainingRun | ExperimentRun;

export interface CellOptions {
  /** Folder of the experiment. */
  readonly out: string;
  readonly evaluateTraining: boolean;
  /** The table of the paper that the experiment fills, for reports. */
  readonly paperTable?: TableNumber | undefined;
  readonly watchRun?: ((name: string, folder: string) => RunProgress) | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `cell.json` in a cell's run folder says that the cell is done, with which settings and what came out. */
const cellFile = (out: string, { id }: Cell): string => join(out, id, 'cell.json');

const storedCell = z.object({
  settings: z.unknown(),
  needs: z.string().nullable(),
  evaluated: z.unknown().optional(),
  result: z.unknown(),
});

const seconds = z.number();

const pretrainingRun = z.object({
  id: z.string(),
  title: z.string(),
  seed: z.int(),
  run: z.string(),
  steps: z.int(),
  seconds,
  stepSeconds: z.object({ median: seconds, min: seconds, max: seconds }),
  firstLoss: z.number(),
  lastLoss: z.number(),
  tasks: z.array(
    z.object({ name: z.string(), first: z.number(), last: z.number(), chance: z.number().nullable() }),
  ),
});

const experimentRun = z.object({
  arm: z.string(),
  seed: z.int(),
  fraction: z.number(),
  run: z.string(),
  pretrainSeconds: seconds.nullable(),
  finetuneSeconds: seconds,
  training: z.custom<Evaluation>(isEvaluation).nullable(),
  evaluation: z.custom<Evaluation>(isEvaluation),
});

const isCellResult = (value: unknown): value is CellResult =>
  pretrainingRun.safeParse(value).success || experimentRun.safeParse(value).success;

/** What a cell gave when it was done with the settings that it has now; undefined when it is still to do. */
export async function finishedCell(out: string, cell: Cell): Promise<CellResult | undefined> {
  const file = cellFile(out, cell);
  if (!existsSync(file)) return undefined;
  const stored = storedCell.safeParse(jsonOrUndefined(await readRecordText(file)));
  if (!stored.success) return undefined;
  const { result, ...identified } = stored.data;
  return isDeepStrictEqual({ evaluated: null, ...identified }, identity(cell)) && isCellResult(result)
    ? result
    : undefined;
}

/** Carries a cell out, from where an earlier, interrupted call left it, and writes that it is done. */
export async function runCell(cell: Cell, options: CellOptions): Promise<void> {
  const result =
    cell.kind === 'pretrain' ? await runPretraining(cell, options) : await runFinetuning(cell, options);
  const { out, paperTable } = options;
  await writeWholeFile(
    cellFile(out, cell),
    `${JSON.stringify({ schema: 1, ...identity(cell), paperTable, result }, null, 1)}\n`,
  );
}

/**
 * What makes a cell the same one: its settings as JSON keeps them, the pre-training that it starts from, and
 * which weights are evaluated on which cases.
 */
function identity(cell: Cell): { settings: unknown; needs: string | null; evaluated: unknown } {
  const finetuning = cell.kind === 'finetune' ? cell : undefined;
  return {
    settings: JSON.parse(JSON.stringify(cell.settings)),
    needs: finetuning?.needs ?? null,
    evaluated: finetuning?.evaluated ?? null,
  };
}

async function runPretraining(
  cell: PretrainCell,
  { out, watchRun, signal }: CellOptions,
): Promise<PretrainingRun> {
  const run = join(out, cell.id);
  const { steps, chance } = await pretrain({
    settings: cell.settings,
    out: run,
    resume: isBegun(run),
    progress: watchRun?.(cell.title, run) ?? {},
    signal,
  });
  const lines = stepLines(run);
  const { id, title, seed } = cell;
  return {
    id,
    title,
    seed,
    run,
    steps,
    seconds: total(lines),
    stepSeconds: stepSeconds(lines),
    firstLoss: itemAt(lines, 0).loss,
    lastLoss: itemAt(lines, lines.length - 1).loss,
    tasks: taskLosses(lines, chance),
  };
}

async function runFinetuning(cell: FinetuneCell, options: CellOptions): Promise<ExperimentRun> {
  const { out, watchRun, signal } = options;
  const run = join(out, cell.id);
  const pretraining = cell.needs === undefined ? undefined : join(out, cell.needs);
  const init = pretraining && join(pretraining, 'checkpoints', 'last.safetensors');
  await finetune({
    settings: cell.settings,
    init,
    out: run,
    resume: isBegun(run),
    progress: watchRun?.(cell.title, run) ?? {},
    signal,
  });
  return {
    arm: cell.arm,
    seed: cell.seed,
    fraction: cell.fraction,
    run,
    pretrainSeconds: pretraining === undefined ? null : total(stepLines(pretraining)),
    finetuneSeconds: total(stepLines(run)),
    training: options.evaluateTraining ? await evaluateOnce(cell, run, 'training', options) : null,
    evaluation: await evaluateOnce(cell, run, cell.evaluated.split, options),
  };
}

async function evaluateOnce(
  { title, evaluated: { checkpoint } }: FinetuneCell,
  run: string,
  split: 'training' | 'validation' | 'test',
  { onNote, signal }: CellOptions,
): Promise<Evaluation> {
  const file = join(run, `evaluation-${split}.json`);
  const found = existsSync(file) ? await readEvaluation(file) : undefined;
  if (found?.weights?.checkpoint === checkpoint) return found;
  onNote?.(`evaluating ${title} on the ${split} cases, with its ${checkpoint} weights`);
  const evaluation = await evaluateRun({ run, split, checkpoint, task: title, signal });
  await writeEvaluation(file, evaluation);
  return evaluation;
}

function taskLosses(
  lines: readonly StepLine[],
  chance: Readonly<Record<string, number>>,
): PretrainingRun['tasks'] {
  const tenth = Math.max(1, Math.floor(lines.length / 10));
  const mean = (part: readonly StepLine[], name: string) =>
    part.reduce((sum, { losses }) => sum + entryOf(losses, name), 0) / part.length;
  return Object.keys(itemAt(lines, 0).losses).map((name) => ({
    name,
    first: mean(lines.slice(0, tenth), name),
    last: mean(lines.slice(-tenth), name),
    chance: chance[name] ?? null,
  }));
}

const isBegun = (run: string): boolean => existsSync(join(run, 'config.yaml'));

const stepLines = (run: string): StepLine[] => readMetrics(run).filter((line) => 'seconds' in line);

const total = (lines: readonly StepLine[]): number => lines.reduce((sum, { seconds }) => sum + seconds, 0);

function stepSeconds(lines: readonly StepLine[]): PretrainingRun['stepSeconds'] {
  const counted = lines.length > 1 ? lines.slice(1) : lines;
  const sorted = counted.map(({ seconds, waitSeconds }) => seconds - waitSeconds).sort((a, b) => a - b);
  return {
    median: itemAt(sorted, Math.floor(sorted.length / 2)),
    min: itemAt(sorted, 0),
    max: itemAt(sorted, sorted.length - 1),
  };
}
