import type { ExperimentConfig } from '../config/index.js';
import { readPreparedIndex } from '../dataset/index.js';
import { HybridMimError } from '../errors.js';
import { labelScheme } from '../inference/index.js';
import { markdownTable } from '../report/index.js';
import { type MeasuredStep, measureFinetuningStep, measurePretrainingStep, scheduleOf } from '../training/index.js';
import type { Cell } from './cells.js';

/** What is known of the data of an experiment before it runs. */
interface DataFacts {
  /** Training cases; undefined where neither a prepared set nor the configuration says. */
  trainingCases(datasets: readonly string[] | undefined): number | undefined;
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

/**
 * The runs of an experiment with their length, and time and memory as one measured step of each kind predicts them: both are taken to grow
 * with the batch, and time with the steps.
 * @param prepared folder of the prepared set; need not exist
 * @param onMeasure tells that a step is being measured
 */
export async function estimateCells(
  config: ExperimentConfig,
  cells: readonly Cell[],
  prepared: string,
  onMeasure: (title: string) => void,
): Promise<PlannedCell[]> {
  const facts = await dataFacts(config, prepared);
  const measured = new Map<string, MeasuredStep | string>();
  const planned: PlannedCell[] = [];
  for (const cell of cells) {
    const key = JSON.stringify(stepOf(cell, facts));
    if (!measured.has(key)) {
      onMeasure(cell.title);
      measured.set(key, await measureOrReason(cell, facts));
    }
    planned.push(plannedCell(cell, facts, measured.get(key)!));
  }
  return planned;
}

/** The estimates as a table, and their sum. */
export function estimateTable(planned: readonly PlannedCell[]): string {
  const orDash = (value: number | null, print: (value: number) => string) => (value === null ? '-' : print(value));
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
    orDash(bytes, (value) => `${(value / 2 ** 30).toFixed(1)} GiB`),
  ]);
  const known = planned.flatMap(({ seconds }) => seconds ?? []);
  const rest = planned.length - known.length;
  const sum = `together ${duration(known.reduce((a, b) => a + b, 0))} one after the other on this machine${rest > 0 ? `, and ${rest} runs without an estimate` : ''}`;
  const reasons = [...new Set(planned.flatMap(({ unmeasured }) => unmeasured ?? []))].map((reason) => `no estimate: ${reason}`);
  const header = ['run', 'kind', 'cases', 'epochs', 'steps', 'batch', 'crop', 'seed', 'time', 'memory'];
  return [markdownTable(header, rows), [sum, ...reasons].join('\n')].join('\n\n');
}

async function dataFacts({ trainingCases, channels, finetune }: ExperimentConfig, prepared: string): Promise<DataFacts> {
  const index = await readPreparedIndex(prepared).catch(() => undefined); // not prepared yet
  const counts = index ? Object.fromEntries(Object.entries(index.datasets).map(([name, { counts: of }]) => [name, of.training])) : trainingCases;
  const task = (finetune?.data as { datasets?: readonly string[] } | undefined)?.datasets?.[0];
  const summary = index && (task ? index.datasets[task] : Object.values(index.datasets)[0]);
  return {
    trainingCases: (datasets) => {
      const known = (datasets ?? Object.keys(counts)).map((name): number | undefined => counts[name]);
      return known.length === 0 || known.includes(undefined) ? undefined : known.reduce<number>((sum, count) => sum + count!, 0);
    },
    channels: (datasets) => {
      const known = index ? Object.fromEntries(Object.entries(index.datasets).map(([name, of]) => [name, of.channels])) : channels;
      return Math.max(1, ...(datasets ?? Object.keys(known)).map((name) => known[name] ?? 1));
    },
    classes: summary?.classes,
  };
}

/** Classes to measure with where none are known yet: those of the regions, or a single one; the last layer hardly counts. */
const classesOf = (regions: Readonly<Record<string, readonly number[]>> = { region: [1] }): Record<string, string> =>
  Object.fromEntries(Object.values(regions).flatMap((values) => values.map((value) => [value, `class ${value}`])));

/** What of a cell makes its step: two cells that agree in it are measured once. */
function stepOf({ kind, settings }: Cell, { channels }: DataFacts): unknown {
  const { network, precision, data, train } = settings;
  const method = 'method' in settings ? settings.method : null;
  return { kind, network, precision, crop: data.cropSize, batch: train.batchSize, channels: channels(data.datasets), method };
}

/** The measured step, or why there is none. */
async function measureOrReason(cell: Cell, { channels, classes }: DataFacts): Promise<MeasuredStep | string> {
  try {
    const { datasets } = cell.settings.data;
    if (cell.kind === 'pretrain') return await measurePretrainingStep(cell.settings, channels(datasets));
    const { regions } = cell.settings.data;
    return await measureFinetuningStep(cell.settings, channels(datasets), labelScheme(classes ?? classesOf(regions), regions));
  } catch (error) {
    if (error instanceof HybridMimError) return error.message;
    throw error;
  }
}

function plannedCell(cell: Cell, facts: DataFacts, step: MeasuredStep | string): PlannedCell {
  const { id, title, kind, seed, settings } = cell;
  const { train, data } = settings;
  const all = facts.trainingCases(data.datasets);
  const cases = all === undefined ? undefined : Math.max(1, Math.round(all * (cell.kind === 'finetune' ? cell.fraction : 1)));
  const steps = train.steps ?? (cases === undefined ? undefined : scheduleOf(train, cases).steps);
  const shown = cases === undefined || steps === undefined ? undefined : (steps * train.batchSize) / cases;
  const epochs = train.steps === undefined ? train.epochs : shown;
  const growth = typeof step === 'string' ? null : train.batchSize / step.batch;
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
    seconds: typeof step === 'string' || steps === undefined ? null : step.seconds * growth! * steps,
    bytes: typeof step === 'string' || step.peakBytes === null ? null : step.peakBytes * growth!,
    unmeasured: typeof step === 'string' ? step : null,
  };
}

/** `3.2 days`, `5 h 20 min`, `40 s`. */
function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${(seconds / 86_400).toFixed(1)} days`;
}
