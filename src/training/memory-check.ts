import { workersAtFirst } from '../dataset/index.js';
import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { type StepOfRun, wholeBatch } from './estimate-step.js';
import type { LearningTask } from './learning-task.js';
import { measureStepApart } from './measured-apart.js';
import { cropsOfStep } from './schedule.js';
import { differenceOf, smallerSteps } from './smaller-steps.js';
import { requireStepMemory } from './step-memory.js';
import { type TensorMemory, tensorMemory } from './tensor-memory.js';

/**
 * A step takes 3 to 5 times what its encoder keeps, measured with UNets, and a program of its own besides.
 * Above this share of the free memory nobody knows without measuring.
 */
const surelyEnough = { timesActivations: 8, programBytes: 2 ** 30 };

/** Of what is free: the system and other programs want some as well, and a run grows a little. */
const usableShare = 0.9;

/** What a run holds beside its step: threads, validations, pictures; 0.23 GiB was seen. */
const besideBytes = 0.3 * 2 ** 30;

export interface MemoryCheck {
  /** The most that the run may hold in the machine's memory; absent: what is free. */
  readonly memoryBytes?: number | undefined;
  /** Where the tensors of its steps lie; absent: as `tensorMemory` finds. */
  readonly memory?: TensorMemory | undefined;
  /** Says that a step is measured, which takes a while. */
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the process that measures a step may hold; undefined on a GPU, where TensorFlow itself says that a tensor
 * found no room.
 */
const processBudget = (step: StepOfRun, { bytes, of }: TensorMemory): number | undefined =>
  of === 'gpu' ? undefined : stepBudget(step, bytes);

/** The bytes that a step may take, where a run may hold `memoryBytes`: its crops wait beside it. */
export function stepBudget({ settings, channels, kind }: StepOfRun, memoryBytes: number): number {
  const { data, train } = settings;
  const [x, y, z] = data.cropSize;
  // An image that is corrupted lies there twice, a label once beside its image.
  const cropBytes = x * y * z * 4 * (kind === 'pretrain' ? 2 * channels : channels + 1);
  return (
    usableShare * memoryBytes -
    besideBytes -
    cropBytes * (cropsOfStep(train) * (data.prefetch + 1) + workersAtFirst(data.workers))
  );
}

/**
 * Refuses a run whose step does not fit in memory, before anything is written. Where the activations alone do
 * not tell, a step is measured in a process of its own.
 * @throws UsageError naming what takes too much, and a smaller batch or crop that fits; InterruptedError after
 *   `signal`
 */
export async function requireMemory(
  step: StepOfRun,
  { memoryBytes, memory = tensorMemory(memoryBytes ?? freeMemory()), onNote, signal }: MemoryCheck = {},
): Promise<void> {
  const { task } = wholeBatch(step);
  const { bytes } = memory;
  if (surelyFits(task, bytes)) return;
  requireActivations(step, task, memory);
  const free = memory.of === 'gpu' ? `what the GPU has` : 'what is free';
  onNote?.(`measuring the memory of a ${task.name}, which may need ${free} (${gib(bytes)})`);
  const budget = processBudget(step, memory);
  const outcome = await measureStepApart({ step, batch: 'whole', memoryBytes: budget }, signal);
  if (outcome.kind === 'measured') return;
  if (outcome.kind !== 'exceeded') throw new UsageError(outcome.reason, { field: 'data.cropSize' });
  onNote?.(`a ${task.name} needs more than that: looking for one that fits`);
  const fitting = await largestThatFits(smallerSteps(step), memory, signal);
  const peak = memory.of === 'machine' && fitting ? `, with ${gib(fitting.peakBytes)}` : '';
  const remedy = fitting
    ? `${differenceOf(fitting.step, step)} fits${peak}`
    : 'no smaller batch or crop fits either: make the widths of the network smaller, or free memory';
  const { data, train } = step.settings;
  throw new UsageError(
    `a ${task.name} with train.batchSize ${train.batchSize} and data.cropSize [${data.cropSize}] needs more than ` +
      `the ${gib(bytes)} of memory that ${memory.of === 'gpu' ? 'the GPU has' : 'there are'}: ${remedy}`,
    { field: 'data.cropSize', found: data.cropSize, expected: bytes },
  );
}

/** Refuses activations that are too large without a measurement, and names a step that needs none either. */
function requireActivations(step: StepOfRun, task: LearningTask, memory: TensorMemory): void {
  try {
    requireStepMemory(task, memory);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const smaller of smallerSteps(step)) {
      if (!surelyFits(wholeBatch(smaller).task, memory.bytes)) continue;
      throw new UsageError(`${error.message}; ${differenceOf(smaller, step)} fits`, error.facts);
    }
    throw error;
  }
}

/** The first of some steps, the largest first, that was measured to fit in memory. */
export async function largestThatFits(
  steps: Iterable<StepOfRun>,
  memory: TensorMemory,
  signal?: AbortSignal | undefined,
): Promise<{ readonly step: StepOfRun; readonly peakBytes: number; readonly seconds: number } | undefined> {
  for (const step of steps) {
    if (wholeBatch(step).task.activationBytes > memory.bytes) continue;
    const outcome = await measureStepApart(
      { step, batch: 'whole', memoryBytes: processBudget(step, memory) },
      signal,
    );
    if (outcome.kind === 'measured') {
      const { peakBytes, seconds } = outcome.step;
      return { step, peakBytes: peakBytes ?? Number.NaN, seconds };
    }
  }
  return undefined;
}

const surelyFits = ({ activationBytes }: LearningTask, memoryBytes: number): boolean =>
  surelyEnough.timesActivations * activationBytes + surelyEnough.programBytes <= usableShare * memoryBytes;

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
