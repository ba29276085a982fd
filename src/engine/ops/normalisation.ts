import { attribute, float32Attribute, type OpAttribute, runOpWithOutputs } from '../native-backend.js';
import { bindPlace } from '../place.js';
import tf, { type Tensor, type Tensor1D, type Tensor5D } from '../tf.js';

/**
 * Instance normalisation (Ulyanov et al. 2016): each channel of each item to mean 0 and variance 1 over its voxels, then scale and shift.
 * @param x     [B, D, H, W, C]
 * @param gamma [C]
 * @param beta  [C]
 */
export function instanceNorm(x: Tensor5D, gamma: Tensor1D, beta: Tensor1D, epsilon = 1e-5): Tensor5D {
  if (x.shape[0] === 1) return normaliseItem(x, gamma, beta, epsilon);
  const items = tf.split(x, x.shape[0], 0) as Tensor5D[];
  return tf.concat(
    items.map((item) => normaliseItem(item, gamma, beta, epsilon)),
    0,
  ) as Tensor5D;
}

/** One item's instance norm is a batch norm in training mode over a [1, D * H, W, C] view, for which TensorFlow has one fused op. */
function normaliseItem(x: Tensor5D, gamma: Tensor1D, beta: Tensor1D, epsilon: number): Tensor5D {
  const [, depth, height, width, channels] = x.shape;
  const view: [number, number, number, number] = [1, depth * height, width, channels];
  const attributes = batchNormAttributes(epsilon);
  const op = tf.customGrad((...args) => {
    const [input, scale, shift, save] = args as unknown as [Tensor5D, Tensor1D, Tensor1D, (tensors: Tensor[]) => void];
    const none = tf.tensor1d([], 'float32');
    const flat = input.reshape(view);
    const outputs = runOpWithOutputs(
      'FusedBatchNormV3',
      [...attributes, attribute.float('exponential_avg_factor', 1)],
      [flat, scale, shift, none, none],
      6,
    );
    const [y, , , reserve1, reserve2, reserve3] = outputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    save([flat, scale, reserve1, reserve2, reserve3]);
    const gradient = bindPlace('gradient', (dy: Tensor, saved: Tensor[]) => {
      const [dx, dScale, dShift] = runOpWithOutputs('FusedBatchNormGradV3', attributes, [dy.reshape(view), ...saved], 5) as [Tensor, Tensor, Tensor];
      return [dx.reshape(x.shape), dScale, dShift];
    });
    return { value: y.reshape(input.shape), gradFunc: gradient };
  });
  return op(x, gamma, beta) as Tensor5D;
}

/**
 * Layer normalisation (Ba et al. 2016) over the last axis.
 * @param x     [..., C]
 * @param gamma [C]
 * @param beta  [C]
 */
export function layerNorm<T extends Tensor>(x: T, gamma: Tensor1D, beta: Tensor1D, epsilon = 1e-5): T {
  const op = tf.customGrad((...args) => {
    const [input, scale, shift, save] = args as unknown as [Tensor, Tensor1D, Tensor1D, (tensors: Tensor[]) => void];
    const centred = input.sub(input.mean(-1, true));
    const inverseDeviation = centred.square().mean(-1, true).add(epsilon).rsqrt();
    const normalised = centred.mul(inverseDeviation);
    save([normalised, inverseDeviation, scale]);
    const gradient = (dy: Tensor, saved: Tensor[]) => {
      const [xHat, inverse, g] = saved as [Tensor, Tensor, Tensor];
      const rows = xHat.shape.slice(0, -1).map((_, axis) => axis);
      const dxHat = dy.mul(g);
      const projected = xHat.mul(dxHat.mul(xHat).mean(-1, true));
      return [dxHat.sub(dxHat.mean(-1, true)).sub(projected).mul(inverse), dy.mul(xHat).sum(rows), dy.sum(rows)];
    };
    return { value: normalised.mul(scale).add(shift), gradFunc: gradient };
  });
  return op(x, gamma, beta) as T;
}

function batchNormAttributes(epsilon: number): OpAttribute[] {
  return [
    float32Attribute(),
    attribute.type('U', 'float32'),
    attribute.float('epsilon', epsilon),
    attribute.string('data_format', 'NHWC'),
    attribute.bool('is_training', true),
  ];
}
