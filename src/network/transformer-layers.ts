import {
  avgPool3d,
  dropout,
  layerNorm,
  linearLayer,
  multilayerPerceptron,
  type Tensor,
  type Tensor2D,
  type Tensor5D,
  tf,
} from '../engine/index.js';
import type { Parameters, Pass } from './network.js';
import { linear, type ParameterSpec, parameter } from './parameters.js';

/** Draws that one block of tokens may use, so that every place of every pass has keys of its own. */
const KEYS_PER_PLACE = 1024;
const PLACES_PER_BLOCK = 4;
const BLOCKS = 64;

/** Dropout at a place of a block: rate and the first key of its draws; rate 0 outside training. */
export function dropAt(
  rate: number,
  { training, dropoutKey }: Pass,
  block: number,
  place: 0 | 1 | 2 | 3,
): { rate: number; key: number } {
  return {
    rate: training ? rate : 0,
    key: ((dropoutKey * BLOCKS + block) * PLACES_PER_BLOCK + place) * KEYS_PER_PLACE,
  };
}

/** Parameters of `perceptron`, under the names of MONAI's `MLPBlock`. */
export function perceptronParameters(name: string, width: number, hidden: number): ParameterSpec[] {
  return [...linear(`${name}.linear1`, width, hidden), ...linear(`${name}.linear2`, hidden, width)];
}

/** Two linear layers, GELU between them, dropout after each: [rows, C] to [rows, C]. */
export function perceptron(
  name: string,
  x: Tensor2D,
  parameters: Parameters,
  inner: Drop,
  outer: Drop,
): Tensor2D {
  const weight = (i: 1 | 2) => parameter(parameters, `${name}.linear${i}.weight`, 2);
  const bias = (i: 1 | 2) => parameter(parameters, `${name}.linear${i}.bias`, 1);
  return dropout(
    multilayerPerceptron(x, weight(1), bias(1), weight(2), bias(2), inner),
    outer.rate,
    outer.key,
  );
}

type Drop = ReturnType<typeof dropAt>;

/** A linear layer by its name, with a bias where it has one: [rows, in] to [rows, out]. */
export function namedLinear(name: string, x: Tensor2D, parameters: Parameters): Tensor2D {
  const bias = `${name}.bias` in parameters ? parameter(parameters, `${name}.bias`, 1) : undefined;
  return linearLayer(x, parameter(parameters, `${name}.weight`, 2), bias);
}

/** A layer norm by its name over the last axis. */
export function namedLayerNorm<T extends Tensor>(name: string, x: T, parameters: Parameters): T {
  return layerNorm(x, parameter(parameters, `${name}.weight`, 1), parameter(parameters, `${name}.bias`, 1));
}

/** Tokens [B, D, H, W, C] of `side` voxels, those zeroed that lie wholly in what `pass.masked` masks. */
export function withoutMaskedTokens(tokens: Tensor5D, side: number, { masked }: Pass): Tensor5D {
  if (!masked) return tokens;
  const share = avgPool3d(masked, side); // [B, D, H, W, 1] of each token's voxels
  return tokens.mul(share.less(tf.scalar(1 - 0.5 / side ** 3)).cast('float32'));
}
