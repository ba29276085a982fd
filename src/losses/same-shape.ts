import type { Tensor } from '../engine/index.js';
import { ShapeError } from '../errors.js';

/** Throws ShapeError, naming the loss, unless both tensors have one shape. */
export function sameShape(loss: string, prediction: Tensor, target: Tensor): void {
  if (prediction.shape.join() !== target.shape.join()) {
    throw new ShapeError(
      `${loss}: the prediction [${prediction.shape}] and the target [${target.shape}] must have one shape`,
      {
        found: prediction.shape,
        expected: target.shape,
      },
    );
  }
}
