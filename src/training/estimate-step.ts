import { createState, type InputSpecs, type InputValues, type LossTerms, type NamedArrays, type Precision, type Tensor } from '../engine/index.js';
import { type LabelScheme, spatialSize } from '../inference/index.js';
import { initialiseParameters, makeNetwork, type ParameterSpec, type Parameters } from '../network/index.js';
import { pretextMethod } from '../pretext/index.js';
import { correctionsAt, zeroMoments } from './adamw.js';
import { type FinetuneSettings, segmentationLoss, segmentationNetwork } from './finetune.js';
import { randomCrops } from './measure-step.js';
import { type PretrainSettings, pretrainingBytes, taughtParameters } from './pretrain.js';
import { residentPeak } from './resident-peak.js';
import { segmentationTargets } from './segmentation-targets.js';
import { requireStepMemory } from './step-memory.js';
import { compileTrainingStep, type OptimizerSettings } from './training-step.js';

/** What one training step took on this machine. */
export interface MeasuredStep {
  /** Items of the batch that was measured; time and memory grow with it. */
  readonly batch: number;
  readonly seconds: number;
  /** The most that the process held so far, program included: of one that measures nothing else, what the step takes; null where the system does not say. */
  readonly peakBytes: number | null;
}

/**
 * Runs a pre-training step of a configuration on random crops of its size, with the smallest batch that its method takes.
 * @throws UsageError for settings that do not fit together, or a step that does not fit in the memory that is free
 */
export async function measurePretrainingStep(
  { network: wanted, method: config, data, train, precision }: PretrainSettings,
  channels: number,
): Promise<MeasuredStep> {
  const network = makeNetwork(wanted, { inChannels: channels, outChannels: channels });
  const contrasts = config.name === 'hybridmim' && config.weights.contrast > 0;
  const batch = { size: Math.min(train.batchSize, contrasts ? 2 : 1), crop: spatialSize(data.cropSize), scaledTargets: false };
  const method = pretextMethod(network, batch, config);
  requireStepMemory('pre-training step', pretrainingBytes(network, method, batch));
  const specs = taughtParameters(network, method);
  return measure({
    batch: batch.size,
    specs,
    inputs: method.inputs,
    fed: method.corruption(0, 0),
    options: { precision, optimizer: train, threads: train.threads },
    losses: (inputs, parameters) => method.losses(inputs, parameters, true),
  });
}

/** As `measurePretrainingStep`, of fine-tuning with one item a batch. */
export async function measureFinetuningStep(settings: FinetuneSettings, channels: number, scheme: LabelScheme): Promise<MeasuredStep> {
  const { data, train, precision } = settings;
  const network = segmentationNetwork(settings.network, channels, scheme);
  const crop = spatialSize(data.cropSize);
  requireStepMemory('fine-tuning step', network.encoderBytes(1, crop));
  const targets = segmentationTargets(scheme, 1, crop);
  return measure({
    batch: 1,
    specs: network.specs,
    inputs: { images: { shape: [1, ...crop, channels], dtype: 'float32' }, targets: targets.input },
    fed: { targets: targets.of(new Int32Array(crop[0] * crop[1] * crop[2])) },
    options: { precision, optimizer: train, threads: train.threads },
    losses: (inputs, parameters) => segmentationLoss(network, scheme, inputs, parameters),
  });
}

interface Measurement {
  readonly batch: number;
  readonly specs: readonly ParameterSpec[];
  readonly inputs: InputSpecs;
  /** What is not fed, is random in [0, 1) where it is float, and 0 where it is whole. */
  readonly fed: InputValues;
  readonly options: { readonly precision: Precision; readonly optimizer: OptimizerSettings; readonly threads: number };
  losses(inputs: Readonly<Record<string, Tensor>>, parameters: Parameters): LossTerms;
}

/** One step after a first one, which also optimises the graph. */
async function measure({ batch, specs, inputs, fed, options, losses }: Measurement): Promise<MeasuredStep> {
  const values: NamedArrays = { ...initialiseParameters(specs, 0), ...zeroMoments(specs) };
  const state = createState(values, { engine: 'graph', threads: options.threads });
  try {
    const step = compileTrainingStep({
      name: 'measured step',
      specs,
      inputs,
      state,
      precision: options.precision,
      optimizer: options.optimizer,
      losses,
    });
    const feed = { ...randomCrops({ inputs, corruption: () => fed }), ...fed, learningRate: Float32Array.of(1e-4), ...correctionsAt(1) };
    await step.run(feed, 0);
    const started = performance.now();
    await step.run(feed, 1);
    const seconds = (performance.now() - started) / 1000;
    return { batch, seconds, peakBytes: residentPeak() };
  } finally {
    state.dispose();
  }
}
