import { bindScope } from '../name-scope.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import tf, { type Tensor } from '../tf.js';
import { withGradient } from '../with-gradient.js';

/**
 * Leaky ReLU: x where positive, `alpha` x elsewhere. Its gradient keeps the output rather than the input:
 * both have the same sign, so that the input need not stay in memory.
 * @param alpha slope below 0, greater than 0
 */
export function leakyRelu<T extends Tensor>(x: T, alpha: number): T {
  if (!(alpha > 0)) throw new Error(`leakyRelu needs alpha > 0, got ${alpha}`);
  return rectified(x, 'LeakyRelu', alpha);
}

/**
 * ReLU: x where positive, 0 elsewhere. Its gradient keeps the output rather than the input, as `leakyRelu`'s
 * does.
 */
export function relu<T extends Tensor>(x: T): T {
  return rectified(x, 'Relu', 0);
}

/**
 * The gradient is leaky ReLU's op for ReLU as well: the kernel that a CPU has for ReLU's takes several times
 * as long.
 */
function rectified<T extends Tensor>(x: T, name: 'LeakyRelu' | 'Relu', alpha: number): T {
  const slope = [float32Attribute(), attribute.float('alpha', alpha)];
  return withGradient([x], () => {
    const value = runOp<T>(name, name === 'Relu' ? [float32Attribute()] : slope, [x]);
    const gradient = bindScope('gradient', (dy: T, [y]: readonly [T]) => [
      runOp('LeakyReluGrad', slope, [dy, y]),
    ]);
    return { value, kept: [value] as const, gradient };
  });
}

/**
 * Gaussian error linear unit (Hendrycks & Gimpel 2016), the exact form: x times the normal distribution
 * function of x. Not differentiated: for use inside ops with gradients of their own.
 */
export const geluValue = <T extends Tensor>(x: T): T => x.mul(normalDistribution(x));

/** The derivative of GELU: the normal distribution function of x and x times its density. */
export function geluDerivative<T extends Tensor>(x: T): T {
  const density = x
    .square()
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));
  return normalDistribution(x).add(x.mul(density));
}

const normalDistribution = (x: Tensor): Tensor => tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5);
