import { cpus, totalmem } from 'node:os';
import { itemAt } from '../at.js';
import { devices, type Precision, tensorflow } from '../engine/index.js';
import { UsageError, WorkError } from '../errors.js';
import { askProcess } from '../threads/index.js';
import type { MeasuredSteps } from '../training/index.js';
import { workerEntry } from '../worker-entry.js';
import type { SpeedAnswer, SpeedQuestion } from './speed-process.js';
import { type SpeedMatrix, type SpeedSetting, speedName, speedSettings } from './speed-settings.js';
import { timedTask } from './timed-task.js';

export interface SpeedOptions extends SpeedMatrix {
  /** Steps of each measurement. */
  readonly steps: number;
  /** Times that every setting is measured, by turns, so that a machine whose speed drifts is fair to all. */
  readonly rounds: number;
  readonly onProgress?: (done: number, total: number, name: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface SpeedResult {
  readonly network: string;
  readonly method: string;
  readonly precision: Precision;
  readonly region: number;
  readonly crop: number;
  readonly batch: number;
  readonly stepMs: { readonly median: number; readonly min: number; readonly max: number };
  /** Shortest of the rounds. */
  readonly compileMs: number;
  /** Largest of the rounds. */
  readonly peakBytes: number;
  /** Multiplications, each with an addition, of a step's convolutions and matrix products. */
  readonly multiplyAdds: number;
  /** Share of a large matrix product's rate that the whole step reaches with these, from its median. */
  readonly peakShare: number;
}

export interface SpeedReport {
  readonly schema: 1;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly device: string;
    readonly tensorflow: string;
    /** Of one op; 0: one a core. */
    readonly threads: number;
    /** Floating-point operations a second of a 4096^3 matrix product, the best of all rounds. */
    readonly matrixProductRate: Partial<Readonly<Record<Precision, number>>>;
  };
  readonly results: readonly SpeedResult[];
  /** Combinations that there are not, such as a method that needs another network. */
  readonly skipped: readonly { readonly network: string; readonly method: string; readonly reason: string }[];
}

/**
 * Times the pre-training step of every combination: forward, backward and update, without reading data, as
 * the paper's Figure 5 counts.
 * @throws UsageError when no combination is possible, WorkError when a measurement fails, InterruptedError
 *   after `signal`
 */
export async function benchmarkSpeed(options: SpeedOptions): Promise<SpeedReport> {
  const { possible, skipped } = sorted(speedSettings(options));
  const { threads, steps, rounds, signal, onProgress } = options;
  const measured = new Map<SpeedSetting, MeasuredSteps[]>(possible.map((setting) => [setting, []]));
  const rates: Partial<Record<Precision, number>> = {};
  const total = rounds * (options.precisions.length + possible.length);
  let done = 0;
  const ask = async (name: string, question: SpeedQuestion) => {
    onProgress?.(done, total, name);
    const answer = await answerOf(question, name, signal);
    onProgress?.(++done, total, name);
    return answer;
  };
  for (let round = 0; round < rounds; round++) {
    for (const precision of options.precisions) {
      const answer = await ask(`matrix product, ${precision}`, { kind: 'rate', precision, threads });
      if ('rate' in answer) rates[precision] = Math.max(rates[precision] ?? 0, answer.rate);
    }
    for (const [setting, found] of measured) {
      const answer = await ask(speedName(setting), { kind: 'steps', setting, steps });
      if ('measured' in answer) found.push(answer.measured);
    }
  }
  return {
    schema: 1,
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      device: devices().kind,
      tensorflow: tensorflow.version(),
      threads,
      matrixProductRate: rates,
    },
    results: [...measured].map(([setting, found]) =>
      resultOf(setting, found, rates[setting.precision] ?? Number.NaN),
    ),
    skipped,
  };
}

function sorted(settings: readonly SpeedSetting[]): {
  possible: SpeedSetting[];
  skipped: SpeedReport['skipped'][number][];
} {
  const possible: SpeedSetting[] = [];
  const skipped = new Map<string, SpeedReport['skipped'][number]>();
  for (const setting of settings) {
    try {
      timedTask(setting);
      possible.push(setting);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const [network, method] = [setting.network.name, setting.method.name];
      skipped.set(`${network} ${method}`, { network, method, reason: error.message });
    }
  }
  if (possible.length > 0) return { possible, skipped: [...skipped.values()] };
  const [first] = skipped.values();
  throw new UsageError(
    `nothing can be measured: ${first?.reason ?? 'no network, method or precision was named'}`,
    { field: '--methods' },
  );
}

function resultOf(
  { network, method, precision, region, crop, batch }: SpeedSetting,
  found: readonly MeasuredSteps[],
  rate: number,
): SpeedResult {
  const times = found.flatMap(({ stepMs }) => stepMs).toSorted((a, b) => a - b);
  const middle = times.length / 2;
  const median = (itemAt(times, Math.ceil(middle) - 1) + itemAt(times, Math.floor(middle))) / 2;
  const multiplyAdds = found[0]?.multiplyAdds ?? 0;
  return {
    network: network.name,
    method: method.name,
    precision,
    region,
    crop,
    batch,
    stepMs: { median, min: itemAt(times, 0), max: itemAt(times, times.length - 1) },
    compileMs: Math.min(...found.map(({ compileMs }) => compileMs)),
    peakBytes: Math.max(...found.map(({ peakBytes }) => peakBytes)),
    multiplyAdds,
    peakShare: (2 * multiplyAdds) / (median / 1000) / rate,
  };
}

/** The answer of a process of its own. */
async function answerOf(
  question: SpeedQuestion,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Exclude<SpeedAnswer, { error: string }>> {
  const interrupted = 'benchmark-speed was interrupted: nothing was written';
  const entry = workerEntry(import.meta.url, './speed-process.js');
  const answer = await askProcess<SpeedAnswer>(entry, question, { signal, interrupted }).catch(
    (cause: unknown): never => {
      throw cause instanceof WorkError
        ? new WorkError(`${name} was not measured: ${cause.message}`, {}, { cause })
        : cause;
    },
  );
  if ('error' in answer) throw new WorkError(`${name} was not measured: ${answer.error}`);
  return answer;
}
