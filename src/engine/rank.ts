import { ShapeError } from '../errors.js';
import type { Rank, Tensor } from './tf.js';

/** tfjs's names for numbers of axes. */
interface RankNames {
  readonly 0: Rank.R0;
  readonly 1: Rank.R1;
  readonly 2: Rank.R2;
  readonly 3: Rank.R3;
  readonly 4: Rank.R4;
  readonly 5: Rank.R5;
}

/**
 * The tensor itself, as one that is known to have so many axes: a scalar for 0, a `Tensor5D` for 5.
 * @throws ShapeError when it has another number of axes
 */
export function ofRank<N extends keyof RankNames>(x: Tensor, axes: N): Tensor<RankNames[N]> {
  if (hasRank(x, axes)) return x;
  throw new ShapeError(`a tensor of ${axes} axes is expected, but its shape is [${x.shape}]`, {
    found: x.shape,
    expected: axes,
  });
}

const hasRank = <N extends keyof RankNames>(x: Tensor, axes: N): x is Tensor<RankNames[N]> => x.rank === axes;
