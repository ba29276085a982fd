import {
  after,
  conv3d,
  convTranspose3d,
  dropoutLeakyRelu,
  instanceNorm,
  leakyRelu,
  nameScope,
  type Tensor,
  type Tensor1D,
  type Tensor5D,
  tf,
} from '../engine/index.js';
import type { Parameters } from './network.js';
import { convolution, normalisation, type ParameterSpec, parameter } from './parameters.js';

/** Of a `[B, D, H, W, C]` tensor. */
const SPATIAL_AXES = [1, 2, 3] as const;

/** Of the leaky ReLU below 0. */
const SLOPE = 0.1;

/**
 * Whether the convolution of so many channels is computed again for its norm's gradient, in a hundredth of
 * the step, rather than kept until then.
 */
export const isComputedAgain = (channels: number): boolean => channels <= 4;

/** Dropout of a layer: rate and the key of its draws; rate 0 outside training. */
export interface LayerDropout {
  readonly rate: number;
  readonly key: number;
}

/** Parameters of `normalisedConvolution`, under the names of MONAI's `Convolution` with `ADN`. */
export function normalisedConvolutionParameters(
  name: string,
  inputs: number,
  outputs: number,
): ParameterSpec[] {
  return [...convolution(`${name}.conv`, 3, inputs, outputs), ...normalisation(`${name}.adn.N`, outputs)];
}

/**
 * 3x3x3 convolution, instance norm, dropout, leaky ReLU 0.1: MONAI's `Convolution` with ordering "NDA".
 * Dropout is per element, as there (`dropout_dim=1`).
 * @param x [B, D, H, W, in]
 * @returns [B, D, H, W, out]
 */
export function normalisedConvolution(
  name: string,
  x: Tensor5D,
  parameters: Parameters,
  drop: LayerDropout,
): Tensor5D {
  return nameScope(name.slice(name.lastIndexOf('.') + 1), () => {
    const weight = parameter(parameters, `${name}.conv.weight`, 5);
    const bias = parameter(parameters, `${name}.conv.bias`, 1);
    const scale = parameter(parameters, `${name}.adn.N.weight`, 1);
    const shift = parameter(parameters, `${name}.adn.N.bias`, 1);
    const convolved = withCancelledBias(conv3d(x, weight), bias);
    const again = (item: number, earlier: Tensor) => conv3d(after(itemOf(x, item), earlier), weight);
    const recompute = isComputedAgain(x.shape[4]) ? { again } : {};
    if (drop.rate === 0)
      return leakyRelu(instanceNorm(convolved, scale, shift, { exact: true, ...recompute }), SLOPE);
    const kept = 1 - drop.rate; // what is kept is scaled up by the norm's own scale and shift
    const normalised = instanceNorm(convolved, scale.div(kept), shift.div(kept), recompute);
    return dropoutLeakyRelu(normalised, drop.rate, drop.key, SLOPE);
  });
}

function itemOf(x: Tensor5D, item: number): Tensor5D {
  const [batch, ...size] = x.shape;
  return batch === 1 ? x : tf.slice(x, [item, 0, 0, 0, 0], [1, ...size]);
}

/**
 * A bias that instance norm follows shifts a channel by a constant, which the norm subtracts again: output
 * and gradient are those of no bias. It is kept as a parameter for interchange with MONAI, gets a gradient of
 * exactly 0, and costs no pass over the features.
 */
function withCancelledBias(x: Tensor5D, bias: Tensor1D): Tensor5D {
  // What tfjs gives the function are `x` and `bias` themselves.
  const op = tf.customGrad<Tensor5D>(() => ({
    value: x.clone(),
    gradFunc: (dy) => [dy, tf.zeros(bias.shape)],
  }));
  return op(x, bias);
}

/**
 * 1x1x1 convolution with bias.
 * @param x [B, D, H, W, in]
 * @returns [B, D, H, W, out]
 */
export function pointConvolution(name: string, x: Tensor5D, parameters: Parameters): Tensor5D {
  return nameScope(name, () =>
    conv3d(x, parameter(parameters, `${name}.weight`, 5)).add(parameter(parameters, `${name}.bias`, 1)),
  );
}

/**
 * Transposed convolution with bias, whose kernel and stride are `factor`.
 * @param x [B, D, H, W, in]
 * @returns [B, factor D, factor H, factor W, out]
 */
export function deconvolution(name: string, x: Tensor5D, factor: number, parameters: Parameters): Tensor5D {
  return nameScope('upsample', () =>
    convTranspose3d(x, parameter(parameters, `${name}.weight`, 5), factor).add(
      parameter(parameters, `${name}.bias`, 1),
    ),
  );
}

/**
 * `x` with its last plane repeated on each axis where `like` is one longer, as MONAI's `UpCat` pads after an
 * odd pooling.
 */
export function repeatLastPlane(x: Tensor5D, like: Tensor5D): Tensor5D {
  return SPATIAL_AXES.reduce((padded, axis) => {
    const length = padded.shape[axis];
    if (length === like.shape[axis]) return padded;
    const begin = padded.shape.map((_, i) => (i === axis ? length - 1 : 0));
    const size = padded.shape.map((n, i) => (i === axis ? 1 : n));
    return tf.concat([padded, tf.slice(padded, begin, size)], axis);
  }, x);
}
