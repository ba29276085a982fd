import { floatAt, intAt } from '../at.js';
import type { RandomStream } from '../random/streams.js';
import { between, type Crop, channelLength, forEachVoxel, perAxis } from './crop.js';

/** Windows of one crop. */
const WINDOWS = 10_000;

/**
 * Local pixel shuffling of Models Genesis (Zhou et al. 2019): 10,000 windows of sides 1 to a tenth of the
 * crop's, drawn anywhere, each filled with its own voxels of the original in random order; later windows
 * cover earlier ones. The channels of a voxel stay together.
 */
export function localShuffling({ data, size, channels }: Crop, stream: RandomStream): Crop {
  const shuffled = data.slice();
  const plane = channelLength(size);
  const largest = perAxis((axis) => Math.floor(size[axis] / 10));
  const order = new Int32Array(channelLength(largest));
  for (let window = 0; window < WINDOWS; window++) {
    const sides = perAxis((axis) => between(stream, 1, largest[axis]));
    const start = perAxis((axis) => stream.integer(size[axis] - sides[axis] + 1));
    let count = 0;
    forEachVoxel({ start, sides }, size, (position) => {
      order[count++] = position;
    });
    shuffle(order, count, stream);
    let next = 0;
    forEachVoxel({ start, sides }, size, (position) => {
      const from = intAt(order, next++);
      for (let c = 0; c < channels; c++) shuffled[c * plane + position] = floatAt(data, c * plane + from);
    });
  }
  return { data: shuffled, size, channels };
}

/** Puts the first `count` items in uniformly random order, in place (Fisher-Yates). */
function shuffle(items: Int32Array, count: number, stream: RandomStream): void {
  for (let i = count - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    const item = intAt(items, i);
    items[i] = intAt(items, j);
    items[j] = item;
  }
}
