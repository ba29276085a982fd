import { entryOf, itemAt } from '../at.js';
import type { CropBatch, CropLoader } from '../dataset/index.js';
import type { CompiledStep, InputValues } from '../engine/index.js';
import { InterruptedError, WorkError } from '../errors.js';
import type { Lifeline } from '../ranks/index.js';
import { correctionsAt } from './adamw.js';
import type { MetricsLine, MetricsLog, StepLine } from './metrics-log.js';
import { batchNumber, type ReplicaShare, replicatedValues } from './replicas.js';
import { learningRateAt, type Schedule } from './schedule.js';
import type { TransferReport } from './transfer.js';

/** What a run shows while it goes on. */
export interface RunProgress {
  /** After every step. */
  readonly onStep?: (line: StepLine, steps: number) => void;
  /** After every validation. `best` tells whether it is the best so far. */
  readonly onValidation?: (
    step: number,
    values: Readonly<Record<string, number | null>>,
    best: boolean,
  ) => void;
  /** With every checkpoint, all metrics so far: for a picture of the run. */
  readonly onCheckpoint?: (lines: readonly MetricsLine[]) => Promise<void>;
  /** What a fine-tuning run takes from pre-trained weights; before its first step, not when it resumes. */
  readonly onTransfer?: (report: TransferReport) => void;
  /** Something that should be known of how the run goes on, in one sentence. */
  readonly onNote?: (sentence: string) => void;
  /** Once, before the first step. */
  readonly onStart?: (facts: RunStart) => void;
}

export interface RunStart {
  readonly steps: number;
  readonly firstStep: number;
  readonly cases: number;
  readonly parameters: number;
  readonly compileMs: number;
}

export interface Validation {
  readonly values: Readonly<Record<string, number | null>>;
  /** Larger is better. */
  readonly score: number;
}

export interface TrainingLoop {
  /** Finished updates at the start. */
  readonly firstStep: number;
  readonly schedule: Schedule;
  readonly seed: number;
  readonly train: Pick<CompiledStep, 'run'>;
  readonly loader: CropLoader;
  /** The replicas of a step that are computed here; the loader gives their batches, one after the other. */
  readonly replicas: ReplicaShare;
  /** What holds the ranks together that compute the others, which stop together; absent: there are none. */
  readonly lifeline?: Lifeline;
  /** What a replica of the compiled step is fed, by the number of its batch. */
  inputsOf(batch: CropBatch, number: number): InputValues;
  readonly validateEvery: number;
  validate?(): Promise<Validation>;
  best: { readonly step: number; readonly value: number } | null;
  saveBest(step: number): Promise<void>;
  readonly checkpointEvery: number;
  /** Steps in a row that may be not finite; the compiled step leaves the weights as they are. */
  readonly notFiniteSteps: number;
  checkpoint(step: number): Promise<void>;
  /** Draws and keeps a picture of the run. */
  picture?(step: number): Promise<void>;
  readonly metrics: MetricsLog;
  readonly progress: RunProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Steps until the schedule ends: batch, update, log; now and then validation and checkpoint. A step that is passed over
 * has no line in the metrics.
 * @throws InterruptedError after `signal`, with the state saved; WorkError when a loss, gradient or
 *   validation is no finite number
 */
export async function runTrainingLoop(loop: TrainingLoop): Promise<void> {
  const { steps } = loop.schedule;
  await validateWhatStopped(loop);
  let passedOver = 0; // in a row
  for (let step = loop.firstStep; step < steps; step++) {
    const { line, notFinite, othersStop } = await oneStep(loop, step);
    loop.lifeline?.progress(step + 1);
    passedOver = notFinite === undefined ? 0 : passedOver + 1;
    if (notFinite !== undefined) passOver(loop, notFinite, passedOver);
    else {
      loop.metrics.append(line);
      loop.progress.onStep?.(line, steps);
    }
    const done = step + 1;
    const stopping = (loop.lifeline ? othersStop : loop.signal?.aborted === true) && done < steps;
    if (isDue(done, loop.validateEvery, steps) && !stopping) await validateNow(loop, done);
    if (isDue(done, loop.checkpointEvery, steps) || stopping) {
      await loop.picture?.(done);
      loop.metrics.flush(); // first: a checkpoint whose steps are not in the log would leave a gap there
      await loop.checkpoint(done);
      await loop.progress.onCheckpoint?.(loop.metrics.lines());
    }
    if (stopping)
      throw new InterruptedError(
        `stopped after step ${done} of ${steps}, state saved: continue with the same command and --resume`,
      );
  }
}

/**
 * @returns the line of the metrics; what was not finite, on which crops; and whether one of several ranks was told to stop
 *   before the step
 */
async function oneStep(
  loop: TrainingLoop,
  step: number,
): Promise<{ line: StepLine; notFinite: NotFinite | undefined; othersStop: boolean }> {
  const started = performance.now();
  const { replicas } = loop;
  const batches: CropBatch[] = [];
  for (let i = 0; i < replicas.here; i++) batches.push(await loop.loader.batch(step * replicas.here + i));
  const lr = learningRateAt(step, loop.schedule);
  const fed = replicatedValues(
    replicas,
    loop.seed,
    step,
    batches.map((batch, i) => loop.inputsOf(batch, batchNumber(replicas, step, i))),
  );
  const inputs = {
    ...fed.inputs,
    learningRate: Float32Array.of(lr),
    ...correctionsAt(step + 1),
    ...(loop.lifeline && { stopping: Float32Array.of(loop.signal?.aborted ? 1 : 0) }),
  };
  const outputs = await loop.train.run(inputs, fed.seed);
  const values = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, itemAt(value, 0)]));
  const { total: _, gradientNorm: __, stopping: ___, ...losses } = values;
  const line = {
    step: step + 1,
    loss: entryOf(values, 'total'),
    losses,
    lr,
    gradientNorm: entryOf(values, 'gradientNorm'),
    seconds: (performance.now() - started) / 1000,
    waitSeconds: batches.reduce((sum, { waitSeconds }) => sum + waitSeconds, 0),
  };
  const othersStop = (values.stopping ?? 0) > 0;
  return { line, notFinite: notFiniteOf(values, step, batches), othersStop };
}

/**
 * A run that was stopped at a step whose validation was due did not wait for it; the resumed run makes up for
 * it.
 */
async function validateWhatStopped(loop: TrainingLoop): Promise<void> {
  const { firstStep, schedule, metrics } = loop;
  const validated = metrics.lines().some((line) => 'validation' in line && line.step === firstStep);
  const missed =
    firstStep > 0 &&
    firstStep < schedule.steps &&
    isDue(firstStep, loop.validateEvery, schedule.steps) &&
    !validated;
  if (!loop.validate || !missed) return;
  await validateNow(loop, firstStep);
  await loop.checkpoint(firstStep); // with the best so far
}

async function validateNow(loop: TrainingLoop, step: number): Promise<void> {
  if (!loop.validate) return;
  const { values, score } = await loop.validate();
  if (!Number.isFinite(score)) {
    throw new WorkError(
      `the validation after step ${step} gave a number that is not finite: lower train.learningRate, then resume from the last checkpoint`,
      { field: 'train.learningRate', found: values },
    );
  }
  const better = loop.best === null || score > loop.best.value;
  if (better) {
    loop.best = { step, value: score };
    await loop.saveBest(step);
  }
  loop.metrics.append({ step, validation: values });
  loop.progress.onValidation?.(step, values, better);
}

interface NotFinite {
  readonly sentence: string;
  readonly values: Readonly<Record<string, number>>;
}

/** What is not finite of a step, and the crops that it was made of; undefined where all is. */
function notFiniteOf(
  values: Readonly<Record<string, number>>,
  step: number,
  batches: readonly CropBatch[],
): NotFinite | undefined {
  if (Object.values(values).every(Number.isFinite)) return undefined;
  const losses = Object.entries(values).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  const crops = batches
    .flatMap(({ provenance }) => provenance)
    .map(({ caseId, start }) => `${caseId} from voxel [${start}]`);
  const sentence = `step ${step + 1} gave a number that is not finite (${losses.join(', ')}) on the crops ${crops.join('; ')}`;
  return { sentence, values };
}

/** Says which step left the weights as they are. Throws WorkError when it is one too many. */
function passOver(
  { notFiniteSteps, progress }: TrainingLoop,
  { sentence, values }: NotFinite,
  inARow: number,
) {
  if (inARow <= notFiniteSteps) {
    progress.onNote?.(`${sentence}: it is passed over, ${inARow} of at most ${notFiniteSteps} in a row`);
    return;
  }
  const before = notFiniteSteps > 0 ? `, after ${notFiniteSteps} others in a row` : '';
  throw new WorkError(
    `${sentence}${before}: look at these scans or lower train.learningRate, then resume from the last checkpoint`,
    { field: 'train.learningRate', found: values },
  );
}

const isDue = (done: number, every: number, steps: number): boolean =>
  every > 0 && (done % every === 0 || done === steps);
