import { itemAt } from '../at.js';
import type { MetricsLine, RunStatus, StepLine } from '../training/index.js';
import { duration } from './terminal.js';

export interface WatchedRun extends Omit<RunStatus, 'killed'> {
  readonly run: string;
  readonly lines: readonly MetricsLine[];
  /** Letters in a line of the terminal. */
  readonly width: number;
}

/** Steps that the rate, the time left and the present loss are taken over. */
const recentSteps = 20;

/**
 * How a run stands, in a few lines: step, loss as a sparkline, rate and time left, last validation, and how
 * it ended if it did.
 */
export function watchText({ run, lines, steps, ended, width }: WatchedRun): string {
  const done = lines.filter((line) => 'loss' in line);
  const validation = lines.findLast((line) => 'validation' in line);
  return [
    stepLine(run, done.at(-1)?.step ?? 0, steps),
    ...(done.length > 0
      ? [lossLine(done, width), rateLine(done, ended === undefined ? steps : undefined)]
      : []),
    ...(validation ? [validationLine(validation)] : []),
    ...(ended === undefined ? [] : [ended]),
  ].join('\n');
}

function stepLine(run: string, step: number, steps: number | undefined): string {
  if (steps === undefined) return `${run}: ${step === 0 ? 'not begun' : `step ${count(step)}`}`;
  return `${run}: step ${count(step)} of ${count(steps)} (${Math.floor((100 * step) / steps)} %)`;
}

function lossLine(done: readonly StepLine[], width: number): string {
  const losses = done.map(({ loss }) => loss);
  const now = mean(losses.slice(-recentSteps)).toPrecision(4);
  const text = ` ${itemAt(losses, 0).toPrecision(4)} at first, ${now} now`;
  return `loss  ${sparkline(losses, Math.min(60, width - text.length - 7))}${text}`;
}

function rateLine(done: readonly StepLine[], steps: number | undefined): string {
  const recent = done.slice(-recentSteps);
  const [seconds, waiting] = [
    mean(recent.map((line) => line.seconds)),
    mean(recent.map(({ waitSeconds }) => waitSeconds)),
  ];
  const left =
    steps === undefined ? '' : `, ${duration(seconds * (steps - itemAt(done, done.length - 1).step))} left`;
  return `rate  ${seconds.toPrecision(3)} s a step, ${Math.round((100 * waiting) / Math.max(seconds, 1e-9))} % of it waiting for data${left}`;
}

function validationLine({
  step,
  validation,
}: Extract<MetricsLine, { readonly validation: unknown }>): string {
  const values = Object.entries(validation).map(
    ([name, value]) => `${name} ${value === null ? '-' : value.toPrecision(4)}`,
  );
  return `validation after step ${count(step)}: ${values.join(', ')}`;
}

const bars = [...'▁▂▃▄▅▆▇█'];

/**
 * Means of equally many neighbouring values as bars between the lowest and the highest of them; at most
 * `width` bars.
 */
export function sparkline(values: readonly number[], width: number): string {
  const cells = Math.max(1, Math.min(width, values.length));
  const cellMean = (i: number) =>
    mean(
      values.slice(Math.floor((i * values.length) / cells), Math.floor(((i + 1) * values.length) / cells)),
    );
  const means = Array.from({ length: cells }, (_, i) => cellMean(i));
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const scale = high > low ? (bars.length - 1) / (high - low) : 0;
  return means.map((value) => itemAt(bars, Math.round((value - low) * scale))).join('');
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const count = (value: number): string => value.toLocaleString('en');
