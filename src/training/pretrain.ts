import { join } from 'node:path';
import {
  type CropBatch,
  type CropOfWord,
  openCropLoader,
  type PreparedCase,
  readPreparedIndex,
  requireTrainingCasesOnly,
  selectCases,
  unitScales,
} from '../dataset/index.js';
import { compile, type InputValues, type Precision, type State } from '../engine/index.js';
import {
  initialiseParameters,
  isEncoderParameter,
  makeNetwork,
  type Network,
  type NetworkSettings,
  type ParameterSpec,
  spatialSize,
} from '../network/index.js';
import { type MethodConfig, type PretextBatch, type PretextMethod, pretextMethod, voxelCorruption } from '../pretext/index.js';
import type { Triple } from '../volume/index.js';
import type { RunProgress, Validation } from './loop.js';
import { carryOut, type RunResult } from './run.js';
import { type ScheduleSettings, scheduleOf } from './schedule.js';
import { requireStepMemory } from './step-memory.js';
import { compileTrainingStep, type OptimizerSettings } from './training-step.js';
import type { VisualWord } from './visual-words/choose-words.js';
import { discoverWords } from './visual-words/discover-words.js';

/** What every training run is set by. */
export interface TrainSettings extends ScheduleSettings, OptimizerSettings {
  readonly checkpointEvery: number;
  /** 0: never. */
  readonly validateEvery: number;
  readonly threads: number;
  readonly engine: 'graph' | 'eager';
}

export interface DataSettings {
  readonly prepared: string;
  readonly datasets?: readonly string[] | undefined;
  /** Voxels [x, y, z]. */
  readonly cropSize: Triple;
  readonly workers: number;
  readonly prefetch: number;
}

export interface PretrainSettings {
  readonly seed: number;
  readonly precision: Precision;
  readonly data: DataSettings & { readonly split: 'training' | 'all'; readonly mode: 'generic' | 'task-specific' };
  readonly network: NetworkSettings;
  readonly method: MethodConfig;
  readonly train: TrainSettings & { readonly validationBatches: number };
}

/** A training run: its settings, its folder, and who watches it. */
export interface RunOptions<S> {
  readonly settings: S;
  /** The run folder. */
  readonly out: string;
  /** Goes on from the last checkpoint of the folder; otherwise a folder that holds a run is refused. Default false. */
  readonly resume?: boolean;
  /** What the run shows; absent: nothing. */
  readonly progress?: RunProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pre-trains a network on the crops of a prepared folder, without labels, and keeps the weights of the lowest held-out loss.
 * @throws UsageError for settings that do not fit together, DataError for data that does not or for a held-out case in task-specific
 *   pre-training, and as `carryOut` does
 */
export async function pretrain({ settings, out, resume = false, progress = {}, signal }: RunOptions<PretrainSettings>): Promise<RunResult> {
  const { seed, precision, data, train } = settings;
  if (data.mode === 'task-specific') {
    const index = await readPreparedIndex(data.prepared);
    const chosen = selectCases(index, { split: data.split, ...(data.datasets && { datasets: data.datasets }) }, data.prepared);
    requireTrainingCasesOnly(index, chosen, data.prepared);
  }
  const words = await visualWords(settings, out, progress, signal);
  const loader = await openCropLoader({ ...cropOptions(settings, data.split), ...(words && { crops: cropsOf(words, 'instances') }) });
  try {
    const network = makeNetwork(settings.network, { inChannels: loader.channels, outChannels: loader.channels });
    const targets = voxelCorruption(settings.method) ? undefined : await scaledTargets(data.prepared, loader.cases); // corrupted crops are scaled already
    const batch = { size: train.batchSize, crop: spatialSize(data.cropSize), scaledTargets: targets !== undefined };
    const method = pretextMethod(network, batch, settings.method);
    requireStepMemory('pre-training step', pretrainingBytes(network, method, batch));
    const specs = taughtParameters(network, method);
    const inputsOf = (crops: CropBatch, step: number): InputValues => ({
      images: crops.images,
      ...(crops.corrupted && { corrupted: crops.corrupted }),
      ...(crops.words && { words: crops.words }),
      ...method.corruption(seed, step),
      ...targets?.(crops),
    });
    const held = train.validateEvery > 0 ? await heldOutInputs(settings, inputsOf, words && cropsOf(words, 'heldOut')) : undefined;
    return await carryOut({
      out,
      resume,
      seed,
      loader,
      specs,
      progress,
      signal,
      config: settings,
      schedule: scheduleOf(train, loader.cases.length),
      initialWeights: async () => initialiseParameters(specs, seed),
      metadata: runMetadata(network, settings.network),
      engine: train.engine,
      threads: train.threads,
      validateEvery: train.validateEvery,
      checkpointEvery: train.checkpointEvery,
      compile: (state) => ({
        train: compileTrainingStep({
          name: 'pre-training step',
          specs,
          inputs: method.inputs,
          state,
          precision,
          optimizer: train,
          losses: (inputs, parameters) => method.losses(inputs, parameters, true),
        }),
        inputsOf,
        ...(held && { validate: heldOutValidation(method, state, precision, held) }),
      }),
    });
  } finally {
    await loader.close();
  }
}

/** Bytes of activations that the encoder keeps for the gradients of a pre-training step: the least that it needs. */
export function pretrainingBytes(network: Network, { encodedShare = 1 }: PretextMethod, { size, crop }: PretextBatch): number {
  return encodedShare * network.encoderBytes(size, crop);
}

/** Parameters of a pre-training run: the network's, or those of its encoder, and the method's heads. */
export function taughtParameters(network: Network, { encoderOnly, heads }: PretextMethod): readonly ParameterSpec[] {
  const taught = encoderOnly ? network.specs.filter(({ name }) => isEncoderParameter(network, name)) : network.specs;
  return [...taught, ...heads];
}

/** TransVW's words, found in the folder `words` of the run before it begins; undefined for other methods. */
async function visualWords(
  { seed, precision, data, network, method, train }: PretrainSettings,
  out: string,
  progress: RunProgress,
  signal?: AbortSignal,
) {
  if (method.name !== 'transvw') return undefined;
  const { prepared, datasets, split, cropSize } = data;
  const withHeldOut = train.validateEvery > 0;
  const { name: _, ...config } = method;
  return discoverWords({
    seed,
    precision,
    prepared,
    datasets,
    split,
    withHeldOut,
    cropSize,
    network,
    config,
    train,
    out: join(out, 'words'),
    progress,
    signal,
  });
}

const cropsOf = (words: readonly VisualWord[], which: 'instances' | 'heldOut'): CropOfWord[] =>
  words.flatMap((word, i) => word[which].map((instance) => ({ word: i, ...instance })));

/** What the weights file says of its network, so that it can be read without the run folder. */
export function runMetadata(network: Network, settings: NetworkSettings): Record<string, string> {
  const { inChannels, outChannels } = network;
  return { format: 'pt', producer: 'hybridmim', network: JSON.stringify({ ...settings, inChannels, outChannels }) };
}

function cropOptions({ seed, data, method, train }: PretrainSettings, split: 'training' | 'validation' | 'all') {
  const { prepared, datasets, cropSize, workers, prefetch } = data;
  const recipe = voxelCorruption(method);
  const common = { preparedDir: prepared, split, cropSize, batchSize: train.batchSize, seed, workers, prefetch, withLabels: false };
  return { ...common, ...(datasets && { datasets }), ...(recipe && { corruption: { recipe, heldOut: split === 'validation' } }) };
}

/** The same held-out crops, with the same masks, for every validation: their steps count down from -1, where training never is. */
async function heldOutInputs(
  settings: PretrainSettings,
  inputsOf: (crops: CropBatch, step: number) => InputValues,
  crops: readonly CropOfWord[] | undefined,
): Promise<InputValues[]> {
  const loader = await openCropLoader({ ...cropOptions(settings, 'validation'), workers: 1, prefetch: 1, ...(crops && { crops }) });
  try {
    const inputs: InputValues[] = [];
    for (let i = 0; i < settings.train.validationBatches; i++) inputs.push(inputsOf(await loader.batch(i), -1 - i));
    return inputs;
  } finally {
    await loader.close();
  }
}

/** Mean of every loss over the held-out batches, without dropout and hence without contrast. */
function heldOutValidation(method: PretextMethod, state: State, precision: Precision, batches: readonly InputValues[]): () => Promise<Validation> {
  const step = compile((inputs, variables) => ({ ...method.losses(inputs, variables, false) }), {
    name: 'validation',
    inputs: method.inputs,
    state,
    precision,
  });
  return async () => {
    const values: Record<string, number> = {};
    for (const batch of batches) {
      const losses = await step.run(batch);
      for (const [name, loss] of Object.entries(losses)) values[name] = (values[name] ?? 0) + (loss[0] as number) / batches.length;
    }
    return { values, score: -(values.total as number) };
  };
}

/** For z-scored (MR) cases, the map of the input's values to what the network reconstructs; undefined where the input itself is the target. */
async function scaledTargets(prepared: string, cases: readonly PreparedCase[]): Promise<((crops: CropBatch) => InputValues) | undefined> {
  if (cases.every((prepared) => unitScales(prepared) === undefined)) return undefined;
  const { cases: all } = await readPreparedIndex(prepared);
  const byId = new Map(all.map((prepared) => [prepared.id, prepared]));
  return ({ provenance }) => {
    const scales = provenance.flatMap(({ caseId }) => {
      const prepared = byId.get(caseId)!;
      return unitScales(prepared) ?? prepared.intensity.map(() => ({ scale: 1, shift: 0 }));
    });
    return { targetScale: Float32Array.from(scales, ({ scale }) => scale), targetShift: Float32Array.from(scales, ({ shift }) => shift) };
  };
}
