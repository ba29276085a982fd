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
  const attributes = [float32Attribute(), attribute.float('alpha', alpha)];
  const op = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor, (tensors: Tensor[]) => void];
    const value = runOp('LeakyRelu', attributes, [input]);
    save([value]);
    return {
      value,
      gradFunc: bindPlace('gradient', (dy: Tensor, [y]: Tensor[]) => runOp('LeakyReluGrad', attributes, [dy, y as Tensor])),
    };
  });
  return op(x) as T;
}

/** Gaussian error linear unit (Hendrycks & Gimpel 2016), the exact form: x times the normal distribution function of x. */
export function gelu<T extends Tensor>(x: T): T {
  const op = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor, (tensors: Tensor[]) => void];
    save([input]);
    const gradient = (dy: Tensor, [saved]: Tensor[]) => {
      const z = saved as Tensor;
      const density = z
        .square()
        .mul(-0.5)
        .exp()
        .div(Math.sqrt(2 * Math.PI));
      return dy.mul(normalDistribution(z).add(z.mul(density)));
    };
    return { value: input.mul(normalDistribution(input)), gradFunc: gradient };
  });
  return op(x) as T;
}

const normalDistribution = (x: Tensor): Tensor => tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5);
