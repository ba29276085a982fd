import { compile, type Precision, type State } from '../engine/index.js';
import type { Network } from '../network/index.js';
import type { Triple, Volume } from '../volume/index.js';
import { spatialSize } from './axis-order.js';
import { slidingWindow, type WindowOptions } from './sliding-window.js';

export interface PredictorOptions {
  readonly network: Network;
  /** Holds the network's parameters; a training run's own state serves, with its present values. */
  readonly state: State;
  /** Voxels [x, y, z]. */
  readonly window: Triple;
  readonly overlap: number;
  readonly precision: Precision;
}

export interface Predictor {
  readonly network: Network;
  /** Logits on the volume's own grid, one planar channel a class. */
  logits(volume: Volume, watch?: Pick<WindowOptions, 'onWindow' | 'signal'>): Promise<Volume>;
}

/** Compiles the network for one window over a state. Throws ShapeError when the window does not fit the network. */
export function openPredictor({ network, state, window, overlap, precision }: PredictorOptions): Predictor {
  const step = compile(
    ({ images }, parameters) => {
      const pass = { training: false, dropoutKey: 0 };
      return { logits: network.decode(network.encode(images as never, parameters, pass), parameters, pass) };
    },
    {
      name: 'inference',
      inputs: { images: { shape: [1, ...spatialSize(window), network.inChannels], dtype: 'float32' } },
      state,
      precision,
    },
  );
  const predict = async (images: Float32Array) => (await step.run({ images })).logits as Float32Array;
  return {
    network,
    logits: (volume, watch = {}) => slidingWindow(volume, { window, overlap, outChannels: network.outChannels, ...watch }, predict),
  };
}
