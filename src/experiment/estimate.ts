import { freemem, totalmem } from 'node:os';
import type { ExperimentConfig } from '../config/index.js';
import { type PreparedIndex, readPreparedIndex } from '../dataset/index.js';
import { HybridMimError } from '../errors.js';
import { labelScheme } from '../inference/index.js';
import { markdownTable } from '../report/index.js';
import {
  cropsOfStep,
  type MeasuredStep,
  measureStepApart,
  type StepOfRun,
  scheduleOf,
} from '../training/index.js';
import { type Cell, datasetsOf } from './cells.js';

/** Which prepared cases a run learns from; fine-tuning from the labelled ones of the training split. */
type LearnedFrom = 'training' | 'unlabelled' | 'all' | 'labelled';

/** What is known of the data of an experiment before it runs. */
interface DataFacts {
  /** Cases to learn from; undefined where neither a prepared set nor the configuration says. */
  trainingCases(datasets: readonly string[] | undefined, which: LearnedFrom): number | undefined;
  channels(datasets: readonly string[] | undefined): number;
  /** undefined before anything is prepared. */
  readonly classes: Readonly<Record<string, string>> | undefined;
}

/** A cell as `--dry-run` shows it. */
export interface PlannedCell {
  readonly id: string;
  readonly title: string;
  readonly kind: Cell['kind'];
  readonly cases: number | null;
  readonly epochs: number | null;
  readonly steps: number | null;
  readonly batch: number;
  readonly crop: readonly [number, number, number];
  readonly seed: number;
  /** From a step measured on this machine; null where it could not be, which `unmeasured` then explains. */
  readonly seconds: number | null;
  readonly bytes: number | null;
  readonly unmeasured: string | null;
}

/** What shows how far the measurements are, of which there is one for all cells that take the same step. */
export interface EstimateProgress {
  onMeasure?(what: string, number: number, total: number): void;
  onMeasured?(result: string): void;
}

/**
 * The runs of an experiment with their length, and time and memory as one measured step of each kind predicts
 * them: both are taken to grow with the batch, and time with the steps. Every step is measured in a process
 * of its own.
 * @param prepared folder of the prepared set; need not exist
 * @throws InterruptedError after `signal`
 */
export async function estimateCells(
  config: ExperimentConfig,
  cells: readonly Cell[],
  prepared: string,
  { onMeasure, onMeasured }: EstimateProgress = {},
  signal?: AbortSignal,
): Promise<PlannedCell[]> {
  const facts = await dataFacts(config, prepared);
  const keyOf = (cell: Cell) => JSON.stringify(stepOf(cell, facts));
  const total = new Set(cells.map(keyOf)).size;
  const measured = new Map<string, MeasuredStep | string>();
  const planned: PlannedCell[] = [];
  for (const cell of cells) {
    const key = keyOf(cell);
    let step = measured.get(key);
    if (step === undefined) {
      onMeasure?.(stepName(cell), measured.size + 1, total);
      step = await measureOrReason(cell, facts, signal);
      measured.set(key, step);
      onMeasured?.(typeof step === 'string' ? `no estimate: ${step}` : stepText(step));
    }
    planned.push(plannedCell(cell, facts, step));
  }
  return planned;
}

/** `fine-tuning unetr, 96 x 96 x 96 (UNETR, seed 0)`. */
function stepName({ kind, title, settings }: Cell): string {
  const what =
    kind === 'pretrain'
      ? `pre-training ${settings.network.name} by ${settings.method.name}`
      : `fine-tuning ${settings.network.name}`;
  return `${what}, ${settings.data.cropSize.join(' x ')} (${title})`;
}

const stepText = ({ batch, seconds, peakBytes }: MeasuredStep): string =>
  `${seconds.toPrecision(3)} s${peakBytes === null ? '' : ` and ${gib(peakBytes)}`} with a batch of ${batch}`;

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/**
 * The estimates as a table, their sum, and what this machine has no memory for.
 * @param memory bytes of the machine
 */
export function estimateTable(planned: readonly PlannedCell[], memory: number = totalmem()): string {
  const orDash = (value: number | null, print: (value: number) => string) =>
    value === null ? '-' : print(value);
  const rows = planned.map(({ title, kind, cases, epochs, steps, batch, crop, seed, seconds, bytes }) => [
    title,
    kind === 'pretrain' ? 'pre-train' : 'fine-tune',
    orDash(cases, String),
    orDash(epochs, (value) => String(Number(value.toFixed(1)))),
    orDash(steps, String),
    String(batch),
    crop.join(' x '),
    String(seed),
    orDash(seconds, duration),
    orDash(bytes, gib),
  ]);
  const known = planned.flatMap(({ seconds }) => seconds ?? []);
  const rest = planned.length - known.length;
  const unknown = rest > 0 ? `, and ${rest} runs without an estimate` : '';
  const sum = `together ${duration(known.reduce((a, b) => a + b, 0))} one after the other on this machine${unknown}`;
  const tooLarge = planned.flatMap(({ bytes }) => (bytes !== null && bytes > memory ? [bytes] : []));
  const most = `${tooLarge.length} of them take up to ${gib(Math.max(...tooLarge))} of memory`;
  const excess = `${most}, and this machine has ${gib(memory)}: a smaller train.batchSize takes less`;
  const reasons = [...new Set(planned.flatMap(({ unmeasured }) => unmeasured ?? []))].map(
    (reason) => `no estimate: ${reason}`,
  );
  const header = ['run', 'kind', 'cases', 'epochs', 'steps', 'batch', 'crop', 'seed', 'time', 'memory'];
  return [
    markdownTable(header, rows),
    [sum, ...(tooLarge.length > 0 ? [excess] : []), ...reasons].join('\n'),
  ].join('\n\n');
}

/** Cases of each prepared dataset that a run learns from. */
const preparedCases = ({ datasets, cases }: PreparedIndex, which: LearnedFrom): Record<string, number> => {
  const counted = cases.filter(({ split, label }) => {
    if (which === 'all') return true;
    if (split !== 'training') return false;
    return which === 'training' || (label !== undefined) === (which === 'labelled');
  });
  return Object.fromEntries(
    Object.keys(datasets).map((name) => [name, counted.filter(({ dataset }) => dataset === name).length]),
  );
};

async function dataFacts(
  { trainingCases, channels, finetune }: ExperimentConfig,
  prepared: string,
): Promise<DataFacts> {
  const index = await readPreparedIndex(prepared).catch(() => undefined); // not prepared yet
  const datasets = finetune && datasetsOf(finetune);
  const task: unknown = Array.isArray(datasets) ? datasets[0] : undefined;
  const summary =
    index && (typeof task === 'string' ? index.datasets[task] : Object.values(index.datasets)[0]);
  return {
    trainingCases: (datasets, which) => {
      const counts = index ? preparedCases(index, which) : trainingCases;
      const names = datasets ?? Object.keys(counts);
      const known = names.flatMap((name) => counts[name] ?? []);
      return known.length === 0 || known.length < names.length
        ? undefined
        : known.reduce((sum, count) => sum + count, 0);
    },
    channels: (datasets) => {
      const known = index
        ? Object.fromEntries(Object.entries(index.datasets).map(([name, of]) => [name, of.channels]))
        : channels;
      return Math.max(1, ...(datasets ?? Object.keys(known)).map((name) => known[name] ?? 1));
    },
    classes: summary?.classes,
  };
}

/**
 * Classes to measure with where none are known yet: those of the regions, or a single one; the last layer
 * hardly counts.
 */
const classesOf = (
  regions: Readonly<Record<string, readonly number[]>> = { region: [1] },
): Record<string, string> =>
  Object.fromEntries(
    Object.values(regions).flatMap((values) => values.map((value) => [value, `class ${value}`])),
  );

/** What of a cell makes its step: two cells that agree in it are measured once. */
function stepOf({ kind, settings }: Cell, { channels }: DataFacts): unknown {
  const { network, precision, data, train } = settings;
  const method = 'method' in settings ? settings.method : null;
  return {
    kind,
    network,
    precision,
    crop: data.cropSize,
    batch: train.batchSize,
    channels: channels(data.datasets),
    method,
  };
}

/** The measured step, or why there is none. */
async function measureOrReason(
  cell: Cell,
  { channels: channelsOf, classes }: DataFacts,
  signal: AbortSignal | undefined,
): Promise<MeasuredStep | string> {
  const { data } = cell.settings;
  const channels = channelsOf(data.datasets);
  const stepOfCell = (): StepOfRun => {
    if (cell.kind === 'pretrain') return { kind: cell.kind, settings: cell.settings, channels };
    const { regions } = cell.settings.data;
    const scheme = labelScheme(classes ?? classesOf(regions), regions);
    return { kind: cell.kind, settings: cell.settings, channels, scheme };
  };
  let step: StepOfRun;
  try {
    step = stepOfCell();
  } catch (error) {
    if (error instanceof HybridMimError) return error.message;
    throw error;
  }
  const outcome = await measureStepApart({ step, batch: 'smallest' }, signal);
  if (outcome.kind === 'measured') return outcome.step;
  if (outcome.kind !== 'exceeded') return outcome.reason;
  const free = `${gib(freemem())} of ${gib(totalmem())} are free now`;
  return `a step of ${stepName(cell)} was ended by the system, as where memory runs out: ${free}`;
}

function plannedCell(cell: Cell, facts: DataFacts, step: MeasuredStep | string): PlannedCell {
  const { id, title, kind, seed, settings } = cell;
  const { train, data } = settings;
  const all = facts.trainingCases(
    data.datasets,
    cell.kind === 'pretrain' ? cell.settings.data.split : 'labelled',
  );
  const cases =
    all === undefined
      ? undefined
      : Math.max(1, Math.round(all * (cell.kind === 'finetune' ? cell.fraction : 1)));
  const steps = train.steps ?? (cases === undefined ? undefined : scheduleOf(train, cases).steps);
  const shown = cases === undefined || steps === undefined ? undefined : (steps * cropsOfStep(train)) / cases;
  const epochs = train.steps === undefined ? train.epochs : shown;
  return {
    id,
    title,
    kind,
    cases: cases ?? null,
    epochs: epochs ?? null,
    steps: steps ?? null,
    batch: train.batchSize,
    crop: data.cropSize,
    seed,
    ...(typeof step === 'string'
      ? { seconds: null, bytes: null, unmeasured: step }
      : { ...grownStep(step, train.batchSize / step.batch, steps), unmeasured: null }),
  };
}

/** Seconds of all steps and bytes of one, with a batch `growth` times as large as the measured one. */
function grownStep({ seconds, peakBytes }: MeasuredStep, growth: number, steps: number | undefined) {
  return {
    seconds: steps === undefined ? null : seconds * growth * steps,
    bytes: peakBytes === null ? null : peakBytes * growth,
  };
}

/** `3.2 days`, `5 h 20 min`, `40 s`. */
function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${(seconds / 86_400).toFixed(1)} days`;
}
