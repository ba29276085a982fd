import './environment.js';
import { createRequire } from 'node:module';

export type {
  Rank,
  Scalar,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
  Variable,
} from '@tensorflow/tfjs-node-gpu';

type TensorFlowJs = typeof import('@tensorflow/tfjs-node-gpu');

const before: (() => void)[] = [];
const afterwards: ((tf: TensorFlowJs) => void)[] = [];
let loaded: TensorFlowJs | undefined;

/** Has something done before TensorFlow.js is loaded, which looks for devices as it loads. */
export const beforeLoading = (act: () => void): number => before.push(act);

/** Has something done to TensorFlow.js as soon as it is loaded. */
export const onceLoaded = (act: (tf: TensorFlowJs) => void): number => afterwards.push(act);

/** The package is CommonJS whose named exports ES modules cannot see, hence `require`. */
function load(): TensorFlowJs {
  if (loaded) return loaded;
  for (const act of before) act();
  const tensorFlow: TensorFlowJs = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu');
  loaded = tensorFlow;
  for (const act of afterwards) act(tensorFlow);
  return tensorFlow;
}

/**
 * TensorFlow.js on the native runtime, loaded when it is first used: what device it computes on is known only when
 * the settings of a run are read.
 */
const tf: TensorFlowJs = new Proxy({} as TensorFlowJs, { get: (_, name) => Reflect.get(load(), name) });
export default tf;
