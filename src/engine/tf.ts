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

/**
 * TensorFlow.js on the native runtime. The package is CommonJS whose named exports ES modules cannot see,
 * hence `require`.
 */
const tf: typeof import('@tensorflow/tfjs-node-gpu') = createRequire(import.meta.url)(
  '@tensorflow/tfjs-node-gpu',
);
export default tf;
