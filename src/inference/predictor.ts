import { type CompiledStep, compile, type Precision, type State } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { fileSize, logitsOf, type Network, STILL, spatialSize, stepInput } from '../network/index.js';
import type { Triple, Volume } from '../volume/index.js';
import type { OutputKind } from './average-logits.js';
import { collectLogits, type LogitSlab } from './logit-slab.js';
import {
  slidingWindowSlabs,
  type WindowNetwork,
  type WindowProgress,
  type WindowSettings,
} from './sliding-window.js';
import { requireWindowMemory } from './window-memory.js';

export interface PredictorOptions extends WindowSettings {
  readonly network: Network;
  /**
   * Each holds the network's parameters, of a training run its own; a training run's own state serves, with
   * its present values.
   */
  readonly states: readonly State[];
  /** What the network's logits are; matters where there are several states. */
  readonly kind: OutputKind;
  readonly precision: Precision;
}

export interface Predictor {
  readonly network: Network;
  /** Logits on the volume's own grid, slices by slices. */
  slabs(volume: Volume, progress?: WindowProgress): AsyncIterable<LogitSlab>;
  /** All of them at once, one planar channel a class. */
  logits(volume: Volume, progress?: WindowProgress): Promise<Volume>;
}

/**
 * Compiles the network for windows over one state, or over several whose probabilities are averaged.
 * @throws UsageError when the network takes images of another size than the window's, or the window cannot fit in
 *   memory, ShapeError when it does not fit the network otherwise
 */
export function openPredictor({ network, states, precision, ...settings }: PredictorOptions): Predictor {
  requireImageSize(network, settings.window, 'inference.window');
  requireWindowMemory(network, settings);
  const networks = states.map((state) => windowNetwork(network, state, precision, settings));
  const { outChannels } = network;
  return predictorOf(network, (volume, progress, into) =>
    slidingWindowSlabs(volume, { ...settings, ...progress, outChannels, into }, networks),
  );
}

/** A predictor whose logits come from slabs; given channels of the whole volume, they may lie in those. */
export function predictorOf(
  network: Network,
  slabs: (
    volume: Volume,
    progress: WindowProgress,
    into?: readonly Float32Array[],
  ) => AsyncIterable<LogitSlab>,
): Predictor {
  return {
    network,
    slabs: (volume, progress = {}) => slabs(volume, progress),
    logits: (volume, progress = {}) =>
      collectLogits(volume, network.outChannels, (into) => slabs(volume, progress, into)),
  };
}

/** Whole batches and those smaller ones that come up, each a graph function over the one state. */
function windowNetwork(
  network: Network,
  state: State,
  precision: Precision,
  { window, windowBatch }: WindowSettings,
): WindowNetwork {
  const shape = [...spatialSize(window), network.inChannels];
  const each = shape.reduce((product, n) => product * n, 1);
  const compiled = new Map<number, CompiledStep>();
  const stepFor = (batch: number): CompiledStep => {
    const known = compiled.get(batch);
    if (known) return known;
    const step = compile(
      (inputs, parameters) => ({
        logits: logitsOf(network, stepInput(inputs, 'images', 5), parameters, STILL),
      }),
      {
        name: 'inference',
        inputs: { images: { shape: [batch, ...shape], dtype: 'float32' } },
        state,
        precision,
        mode: 'inference',
      },
    );
    compiled.set(batch, step);
    return step;
  };
  stepFor(windowBatch); // what does not fit is told at once
  return (images, use) => stepFor(images.length / each).runWith({ images }, 'logits', use);
}

/** Voxels [x, y, z] of the only images that a network takes; undefined for one that takes others too. */
export function imageSizeOf({ imageSize }: Network): Triple | undefined {
  return imageSize && fileSize(imageSize);
}

/**
 * Refuses windows or crops of a size that the network cannot take, before anything is loaded.
 * @param field the setting that says the size, for the error
 * @throws UsageError
 */
export function requireImageSize(
  network: Network,
  size: Triple,
  field: 'inference.window' | 'data.cropSize',
): void {
  const expected = imageSizeOf(network);
  if (expected === undefined || expected.join() === size.join()) return;
  throw new UsageError(
    `${field} is [${size}], but this ${network.name} takes images of [${expected}] voxels alone: ` +
      `set ${field} to that`,
    {
      field,
      found: size,
      expected,
    },
  );
}
