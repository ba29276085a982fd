import { itemAt } from '../at.js';
import { WorkError } from '../errors.js';
import { after } from './after.js';
import { attribute, runOp } from './native-backend.js';
import tf, { onceLoaded, type Tensor } from './tf.js';

/**
 * Gradients of sums and means over any axes, in place of tfjs's, which multiply by ones of the input's size:
 * a trace keeps those as a constant, and TensorFlow several copies of it, half a gigabyte for a loss over
 * 96^3 voxels and 14 classes.
 */
onceLoaded(({ registerGradient, unregisterGradient }) => {
  for (const kernelName of ['Sum', 'Mean']) {
    unregisterGradient(kernelName);
    registerGradient({
      kernelName,
      inputsToSave: ['x'],
      gradFunc: (dy, saved, attributes) => {
        const x = itemAt(saved, 0);
        const axes = axesOf(attributes.axis, x.shape);
        const count =
          kernelName === 'Sum' ? 1 : axes.reduce((product, axis) => product * itemAt(x.shape, axis), 1);
        const kept = x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
        const slope = Array.isArray(dy) ? itemAt(dy, 0) : dy;
        return { x: () => repeated(slope.div(count).reshape(kept), x.shape) };
      },
    });
  }
});

/** The axes of a sum or a mean, from 0 on: tfjs keeps one, several, or nothing for all. */
function axesOf(axis: unknown, shape: number[]): number[] {
  if (axis === null || axis === undefined) return shape.map((_, i) => i);
  const axes: unknown[] = [axis].flat();
  if (axes.every((found) => typeof found === 'number')) return tf.util.parseAxisParam(axes, shape);
  throw new WorkError(`a sum or a mean has the axes ${JSON.stringify(axis)}, which are no numbers`);
}

/**
 * `x` repeated along its axes of length 1 to `shape`. A product with ones that are made when `x` is there:
 * TensorFlow's own op takes ten times as long.
 */
function repeated(x: Tensor, shape: readonly number[]): Tensor {
  const filledWith = (value: Tensor) =>
    runOp(
      'Fill',
      [attribute.type('T', 'float32'), attribute.type('index_type', 'int32')],
      [tf.tensor1d([...shape], 'int32'), value],
    );
  return x.size === 1 ? filledWith(x.reshape([])) : filledWith(after(tf.scalar(1), x)).mul(x);
}
