import {
  conv3d,
  convTranspose3d,
  instanceNorm,
  leakyRelu,
  nameScope,
  residualSum,
  type Tensor5D,
  tf,
} from '../engine/index.js';
import type { Parameters } from './network.js';
import { convolution, type ParameterSpec, parameter, transposedConvolution } from './parameters.js';

/** Of the leaky ReLU below 0, in these blocks. */
const SLOPE = 0.01;

/** Parameters of `residualConvolutions`, under the names of MONAI's `UnetResBlock`. */
export function residualConvolutionsParameters(
  name: string,
  inputs: number,
  outputs: number,
): ParameterSpec[] {
  return [
    ...convolution(`${name}.conv1.conv`, 3, inputs, outputs, false),
    ...convolution(`${name}.conv2.conv`, 3, outputs, outputs, false),
    ...(inputs === outputs ? [] : convolution(`${name}.conv3.conv`, 1, inputs, outputs, false)),
  ];
}

/**
 * Two 3x3x3 convolutions with instance norm (without weights) and leaky ReLU, and a way around them, with a
 * 1x1x1 convolution and norm of its own where the channels change: MONAI's `UnetResBlock`, of which UNETR and
 * SwinUNETR are built.
 * @param x [B, D, H, W, in]
 * @param training false sums large norms exactly, see `instanceNorm`
 * @returns [B, D, H, W, out]
 */
export function residualConvolutions(
  name: string,
  x: Tensor5D,
  parameters: Parameters,
  training: boolean,
): Tensor5D {
  return nameScope(name, () => {
    const weight = (i: number) => parameter(parameters, `${name}.conv${i}.conv.weight`, 5);
    const normed = (i: number, y: Tensor5D) => {
      const convolved = conv3d(y, weight(i));
      const channels = convolved.shape[4];
      return instanceNorm(convolved, tf.ones([channels]), tf.zeros([channels]), { exact: !training });
    };
    const convolved = normed(2, leakyRelu(normed(1, x), SLOPE));
    const around = () =>
      !training && x.shape[0] === 1 && x.shape[4] === 1 ? normedMultiples(x, weight(3)) : normed(3, x);
    return leakyRelu(residualSum(convolved, `${name}.conv3.conv.weight` in parameters ? around() : x), SLOPE);
  });
}

/**
 * Instance norm of a 1x1x1 convolution of one image of one channel: each of its channels is a multiple of the
 * image, and so has that multiple of its mean and of its deviation. One pass over the outputs instead of
 * four.
 * @param x      [1, D, H, W, 1]
 * @param weight [1, 1, 1, 1, out]
 */
function normedMultiples(x: Tensor5D, weight: Tensor5D, epsilon = 1e-5): Tensor5D {
  const centred = x.sub<Tensor5D>(x.mean());
  const variance = weight.square().mul(centred.square().mean());
  return conv3d(centred, weight.mul(variance.add(epsilon).rsqrt()));
}

/** Parameters of `doublingBlock`, under the names of MONAI's `UnetrUpBlock`. */
export function doublingBlockParameters(name: string, inputs: number, outputs: number): ParameterSpec[] {
  return [
    ...transposedConvolution(`${name}.transp_conv.conv`, 2, inputs, outputs, false),
    ...residualConvolutionsParameters(`${name}.conv_block`, 2 * outputs, outputs),
  ];
}

/**
 * Transposed convolution of stride 2, the skip's features joined after it, residual convolutions: MONAI's
 * `UnetrUpBlock`.
 * @param x    [B, D, H, W, in]
 * @param skip [B, 2D, 2H, 2W, out], or smaller where `crop` makes the up-sampled features so
 * @param crop what to leave out of the up-sampled features
 * @returns as `skip`
 */
export function doublingBlock(
  name: string,
  x: Tensor5D,
  skip: Tensor5D,
  parameters: Parameters,
  training: boolean,
  crop: (up: Tensor5D) => Tensor5D = (up) => up,
): Tensor5D {
  const up = nameScope(`${name}.transp_conv`, () =>
    crop(doubling(`${name}.transp_conv.conv`, x, parameters)),
  );
  return residualConvolutions(`${name}.conv_block`, tf.concat([up, skip], 4), parameters, training);
}

/** Transposed convolution of side and stride 2 without bias: [B, D, H, W, in] to [B, 2D, 2H, 2W, out]. */
export function doubling(name: string, x: Tensor5D, parameters: Parameters): Tensor5D {
  return convTranspose3d(x, parameter(parameters, `${name}.weight`, 5), 2);
}
