import { join } from 'node:path';
import type { CropLoader } from '../dataset/index.js';
import {
  type ClusterMember,
  createState,
  devices,
  type NamedArrays,
  type Precision,
  type Reduction,
  type State,
} from '../engine/index.js';
import { DataError, UsageError } from '../errors.js';
import { elementCount } from '../network/index.js';
import { keepsRun, type Lifeline } from '../ranks/index.js';
import { zeroMoments } from './adamw.js';
import {
  finishCheckpoint,
  loadCheckpoint,
  type RunFacts,
  type RunState,
  saveBest,
  saveCheckpoint,
} from './checkpoint.js';
import type { LearningTask } from './learning-task.js';
import { type RunProgress, runTrainingLoop, type TrainingLoop } from './loop.js';
import { openMetricsLog } from './metrics-log.js';
import { coresNote, gatherRanks, type RankGroup, stepOfRanks, takeFromFirst } from './rank-group.js';
import { dropLaterPictures, keepPicture } from './reconstruction-picture.js';
import { allReplicas, type ReplicaShare } from './replicas.js';
import { openRunFolder, type RunConfig, type RunFolder } from './run-folder.js';
import { loggedProgress, openRunLog } from './run-log.js';
import { endedInSilence } from './run-status.js';
import type { Schedule } from './schedule.js';
import { compileTrainingStep, type OptimizerSettings } from './training-step.js';

/** A training run: the task, what it learns from, and how. */
export interface RunPlan {
  /** The run folder. */
  readonly out: string;
  readonly config: RunConfig;
  readonly resume: boolean;
  /** Whether a run that goes on may have other settings than before, see `openRunFolder`. */
  readonly mayChange?: boolean | undefined;
  readonly seed: number;
  readonly schedule: Schedule;
  readonly loader: CropLoader;
  readonly task: LearningTask;
  readonly precision: Precision;
  /** Weights at step 0, in the engine's layout. Not called when the run resumes. */
  initialWeights(): Promise<NamedArrays>;
  /** Written with the weights. */
  readonly metadata: Record<string, string>;
  /** The replicas of a step that are computed here, whose batches the loader gives; absent: one, which is all. */
  readonly replicas?: ReplicaShare;
  /** What holds the ranks together that compute the replicas; absent: this process computes all. */
  readonly lifeline?: Lifeline | undefined;
  readonly train: OptimizerSettings & {
    readonly reduction: Reduction;
    readonly engine: 'graph' | 'eager';
    readonly threads: number;
    readonly validateEvery: number;
    readonly checkpointEvery: number;
  };
  readonly progress: RunProgress;
  readonly signal?: AbortSignal | undefined;
}

/** What a run that is complete has left. */
export interface RunResult {
  readonly folder: string;
  readonly steps: number;
  readonly last: string;
  /** Loss, by term, of a network that has learned nothing of the images, where that is known. */
  readonly chance: Readonly<Record<string, number>>;
  /** null where nothing was validated. */
  readonly best: { readonly file: string; readonly step: number; readonly value: number } | null;
}

/**
 * Carries a run out from its beginning or its last checkpoint to its end; a run that is already complete
 * returns at once.
 * @throws as `openRunFolder` and `runTrainingLoop` do; DataError when the run to resume was made from other
 *   cases
 */
export async function carryOut(plan: RunPlan): Promise<RunResult> {
  const { lifeline } = plan;
  return lifeline && !keepsRun(lifeline) ? workFor(plan, lifeline) : keepRun(plan, lifeline);
}

/** Carries a run out and keeps it in its folder. */
async function keepRun(plan: RunPlan, lifeline: Lifeline | undefined): Promise<RunResult> {
  const { out, config, resume, mayChange = false } = plan;
  const folder = await openRunFolder(out, config, resume, mayChange);
  const log = openRunLog(out);
  try {
    const silence = plan.resume ? await endedInSilence(plan.out) : undefined;
    if (silence !== undefined) plan.progress.onNote?.(`the run was ${silence}`);
    const cases = plan.loader.cases.map(({ id }) => id);
    requireSameCases(folder, cases);
    requireLength(plan, folder);
    await folder.keepChanges();
    for (const note of folder.notes) {
      log.info(note);
      plan.progress.onNote?.(note);
    }
    plan.loader.watchWorkers?.(({ workers, reason }) => {
      log.info('workers', { workers, reason });
      plan.progress.onNote?.(reason);
    });
    if (folder.state) await finishCheckpoint(out, folder.state);
    lifeline?.logTo(log.file);
    const complete = isComplete(plan, folder);
    const group =
      lifeline &&
      (await gatherRanks({
        ...groupOptions(plan, lifeline),
        start: { complete, firstStep: folder.state?.step ?? 0 },
      }));
    if (complete) return resultOf(plan, folder.state?.best ?? null);
    const note = lifeline && coresNote(lifeline, plan.train.threads, devices());
    if (note !== undefined) plan.progress.onNote?.(note);
    const state = await startingState(plan, folder, group?.member);
    try {
      if (group && lifeline) await takeFromFirst(state, group, lifeline);
      const trained = train(
        { ...plan, progress: loggedProgress(plan.progress, log) },
        folder,
        state,
        cases,
        group,
      );
      const best = await (lifeline ? Promise.race([trained, lifeline.lost]) : trained);
      log.info('finished', { steps: plan.schedule.steps, best });
      return resultOf(plan, best);
    } finally {
      state.dispose();
    }
  } catch (error) {
    log.failed(error);
    throw error;
  } finally {
    await folder.release();
  }
}

const isComplete = ({ schedule }: RunPlan, { state }: RunFolder): boolean =>
  state !== undefined && state.step >= schedule.steps;

const groupOptions = ({ config, loader, train: { threads } }: RunPlan, lifeline: Lifeline) => ({
  lifeline,
  config,
  cases: loader.cases.map(({ id }) => id),
  threads,
});

/** Computes a share of a run that rank 0 keeps: nothing is read of its folder and nothing written. */
async function workFor(plan: RunPlan, lifeline: Lifeline): Promise<RunResult> {
  const group = await gatherRanks(groupOptions(plan, lifeline));
  const { complete, firstStep } = group.start;
  if (complete === true) return resultOf(plan, null);
  const { task, schedule, train } = plan;
  const zeros = Object.fromEntries(
    task.parameters.map(({ name, shape }) => [name, { shape, data: new Float32Array(elementCount(shape)) }]),
  );
  const { engine, threads } = train;
  const state = createState(
    { ...zeros, ...zeroMoments(task.parameters) },
    { engine, threads, member: group.member },
  );
  try {
    await takeFromFirst(state, group, lifeline);
    await runTrainingLoop({
      ...stepOf(plan, state, group),
      firstStep: Number(firstStep),
      schedule,
      seed: plan.seed,
      loader: plan.loader,
      validateEvery: 0,
      best: null,
      saveBest: async () => {},
      checkpointEvery: 0,
      notFiniteSteps: train.notFiniteSteps,
      checkpoint: async () => {},
      metrics: { append: () => {}, picture: () => {}, lines: () => [], flush: () => {} },
      progress: plan.progress,
      signal: plan.signal,
    });
    return resultOf(plan, null);
  } finally {
    state.dispose();
  }
}

/** The compiled step of a run, and how the loop feeds it. */
function stepOf(plan: RunPlan, state: State, group: RankGroup | undefined) {
  const { task, train: optimizer, precision, replicas = allReplicas(1), lifeline } = plan;
  const step = compileTrainingStep({
    name: task.name,
    specs: task.parameters,
    inputs: task.inputs,
    replicas,
    member: group?.member,
    reduction: optimizer.reduction,
    state,
    precision,
    optimizer,
    ...(task.rateShare && { rateShare: task.rateShare }),
    losses: (inputs, parameters) => task.losses(inputs, parameters, true),
  });
  return {
    compileMs: step.compileMs,
    train: lifeline ? stepOfRanks(step, lifeline) : step,
    replicas,
    ...(lifeline && { lifeline }),
    inputsOf: task.inputsOf,
  };
}

function resultOf({ out, schedule, task }: RunPlan, best: RunState['best']): RunResult {
  const file = (name: string) => join(out, 'checkpoints', `${name}.safetensors`);
  return {
    folder: out,
    steps: schedule.steps,
    last: file('last'),
    chance: task.chance ?? {},
    best: best && { file: file('best'), ...best },
  };
}

/**
 * A function of its own, so that nothing holds the values on the host once the engine has them: one that
 * waits keeps what it passed on.
 */
async function startingState(
  plan: RunPlan,
  { path, state }: RunFolder,
  member: ClusterMember | undefined,
): Promise<State> {
  const { parameters } = plan.task;
  const values = state
    ? await loadCheckpoint(path, state, parameters)
    : { ...(await plan.initialWeights()), ...zeroMoments(parameters) };
  return createState(values, { engine: plan.train.engine, threads: plan.train.threads, member });
}

async function train(
  plan: RunPlan,
  folder: RunFolder,
  state: State,
  cases: readonly string[],
  group: RankGroup | undefined,
): Promise<TrainingLoop['best']> {
  const firstStep = folder.state?.step ?? 0;
  const metrics = await openMetricsLog(folder.path, firstStep);
  await dropLaterPictures(folder.path, firstStep);
  const { task, train: settings, precision } = plan;
  const validate = task.openValidation?.(state, precision);
  const draw = task.openPicture?.(state, precision);
  const { compileMs, ...step } = stepOf(plan, state, group);
  const names = task.parameters.map(({ name }) => name);
  const facts = (step: number): RunFacts => ({
    step,
    seed: plan.seed,
    schedule: plan.schedule,
    cases: [...cases],
    best: loop.best,
  });
  const loop: TrainingLoop = {
    ...step,
    ...(validate && { validate }),
    ...(draw && {
      picture: async (step: number) => {
        const picture = await draw();
        await keepPicture(folder.path, picture, step);
        metrics.picture('reconstruction', picture, step);
      },
    }),
    firstStep,
    schedule: plan.schedule,
    seed: plan.seed,
    loader: plan.loader,
    validateEvery: settings.validateEvery,
    best: folder.state?.best ?? null,
    saveBest: async (step) =>
      saveBest(folder.path, await state.read(names), task.parameters, {
        ...plan.metadata,
        step: String(step),
      }),
    checkpointEvery: settings.checkpointEvery,
    notFiniteSteps: settings.notFiniteSteps,
    checkpoint: async (step) =>
      saveCheckpoint(
        folder.path,
        facts(step),
        (wanted) => state.read(wanted),
        task.parameters,
        plan.metadata,
      ),
    metrics,
    progress: plan.progress,
    signal: plan.signal,
  };
  plan.progress.onStart?.({
    steps: plan.schedule.steps,
    firstStep,
    cases: cases.length,
    parameters: task.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    compileMs,
  });
  await runTrainingLoop(loop);
  metrics.flush();
  return loop.best;
}

/** A run may become longer, but what it has done stays done. */
function requireLength({ schedule }: RunPlan, { path, state }: RunFolder): void {
  if (!state || state.step <= schedule.steps) return;
  throw new UsageError(
    `the run in ${path} has finished ${state.step} steps, but ${schedule.steps} are asked for: ` +
      'give it as many or more, or begin another run with --out',
    { file: path, field: 'train.steps', found: schedule.steps, expected: state.step },
  );
}

function requireSameCases({ path, state }: RunFolder, cases: readonly string[]): void {
  if (!state || state.cases.join('\n') === cases.join('\n')) return;
  throw new DataError(
    `the run in ${path} was made from ${state.cases.length} cases (${state.cases.slice(0, 3).join(', ')} ...), but the prepared folder now gives ${cases.length} ` +
      `(${cases.slice(0, 3).join(', ')} ...): restore the prepared folder, or begin another run with --out`,
    { file: path, field: 'cases', found: cases, expected: state.cases },
  );
}
