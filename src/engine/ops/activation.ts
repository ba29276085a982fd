import { attribute, float32Attribute, runOp } from '../native-backend.js';
import { bindPlace } from '../place.js';
import tf, { type Tensor } from '../tf.js';

/**
 * Leaky ReLU: x where positive, `alpha` x elsewhere. Its gradient keeps the output rather than the input:
 * both have the same sign, so that the input need not stay in memory.
 * @param alpha slope below 0, greater than 0
 */
export function leakyRelu<T extends Tensor>(x: T, alpha: number): T {
  if (!(alpha > 0)) throw new Error(`leakyRelu needs alpha > 0, got ${alpha}`);
  return rectified(x, 'LeakyRelu', alpha);
}

/** ReLU: x where positive, 0 elsewhere. Its gradient keeps the output rather than the input, as `leakyRelu`'s does. */
export function relu<T extends Tensor>(x: T): T {
  return rectified(x, 'Relu', 0);
}

/** The gradient is leaky ReLU's op for ReLU as well: the kernel that a CPU has for ReLU's takes several times as long. */
function rectified<T extends Tensor>(x: T, name: 'LeakyRelu' | 'Relu', alpha: number): T {
  const slope = [float32Attribute(), attribute.float('alpha', alpha)];
  const op = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor, (tensors: Tensor[]) => void];
    const value = runOp(name, name === 'Relu' ? [float32Attribute()] : slope, [input]);
    save([value]);
    return { value, gradFunc: bindPlace('gradient', (dy: Tensor, [y]: Tensor[]) => runOp('LeakyReluGrad', slope, [dy, y as Tensor])) };
  });
  return op(x) as T;
}

/** Gaussian error linear unit (Hendrycks & Gimpel 2016), the exact form: x times the normal distribution function of x. */
export function gelu<T extends Tensor>(x: T): T {
  const op = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor, (tensors: Tensor[]) => void];
    save([input]);
    return { value: geluValue(input), gradFunc: (dy: Tensor, [saved]: Tensor[]) => dy.mul(geluDerivative(saved as Tensor)) };
  });
  return op(x) as T;
}

/** GELU, not differentiated: for use inside ops with gradients of their own. */
export const geluValue = (x: Tensor): Tensor => x.mul(normalDistribution(x));

/** The derivative of GELU: the normal distribution function of x and x times its density. */
export function geluDerivative(x: Tensor): Tensor {
  const density = x
    .square()
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));
  return normalDistribution(x).add(x.mul(density));
}

const normalDistribution = (x: Tensor): Tensor => tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5);
