import { WorkError } from '../errors.js';
import tf, { type Tensor } from './tf.js';

/** A value that was computed with a gradient of its own. */
export interface OwnGradient<T extends Tensor, Kept extends readonly Tensor[]> {
  readonly value: T;
  /** What the gradient needs of the forward pass: it stays in memory until then. */
  readonly kept: Kept;
  /** From the gradient of `value` and what was kept, the gradient of each input. */
  readonly gradient: (dy: T, kept: Kept) => Tensor[];
}

/**
 * The value of an op with a gradient of its own. What `forward` computes is not differentiated.
 * @param inputs  whose gradients `gradient` gives, in that order
 * @param forward takes the inputs from its surroundings
 */
export function withGradient<T extends Tensor, Kept extends readonly Tensor[]>(
  inputs: readonly Tensor[],
  forward: () => OwnGradient<T, Kept>,
): T {
  const op = tf.customGrad<T>((...args) => {
    const save = args.at(-1);
    if (typeof save !== 'function')
      throw new WorkError('TensorFlow.js gave no function that keeps tensors for a gradient');
    const { value, kept, gradient } = forward();
    save([...kept]);
    const ranks = kept.map(({ rank }) => rank);
    const isKept = (saved: readonly Tensor[]): saved is Kept =>
      saved.map(({ rank }) => rank).join() === ranks.join();
    return {
      value,
      gradFunc: (dy, saved) => {
        if (isKept(saved)) return gradient(dy, saved);
        throw new WorkError(
          `TensorFlow.js gave a gradient ${saved.length} tensors in place of the ${ranks.length} kept`,
        );
      },
    };
  });
  return op(...inputs);
}
