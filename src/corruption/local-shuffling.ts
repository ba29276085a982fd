import type { RandomStream } from '../random/streams.js';
import { type Box, between, type Crop, type CropSize, channelLength, perAxis } from './crop.js';
import { type SpareArrays, spareArrays } from './spare-arrays.js';

/** Windows of one crop. */
const WINDOWS = 10_000;

/**
 * Local pixel shuffling of Models Genesis (Zhou et al. 2019): 10,000 windows of sides 1 to a tenth of the
 * crop's, drawn anywhere, each filled with its own voxels of the original in random order; later windows
 * cover earlier ones. The channels of a voxel stay together.
 */
export function localShuffling(
  { data, size, channels }: Crop,
  stream: RandomStream,
  spare: SpareArrays = spareArrays(data.length),
): Crop {
  const plane = channelLength(size);
  const source = new Int32Array(plane);
  for (let position = 0; position < plane; position++) source[position] = position;
  const largest = perAxis((axis) => Math.floor(size[axis] / 10));
  const order = new Int32Array(channelLength(largest));
  for (let window = 0; window < WINDOWS; window++) {
    const sides = perAxis((axis) => between(stream, 1, largest[axis]));
    const start = perAxis((axis) => stream.integer(size[axis] - sides[axis] + 1));
    const count = listVoxels({ start, sides }, size, order);
    shuffle(order, count, stream);
    putVoxels({ start, sides }, size, order, source);
  }
  const shuffled = spare.take();
  takeFrom(data, source, channels, shuffled);
  return { data: shuffled, size, channels };
}

// The loops are functions of their own, since V8 compiles a closure anew for every crop. Their readings are not
// checked: that takes a tenth longer.

/** Writes the positions of a box's voxels in one channel of a crop, x fastest, and returns how many they are. */
function listVoxels({ start, sides }: Box, [nx, ny]: CropSize, positions: Int32Array): number {
  let count = 0;
  for (let z = start[2]; z < start[2] + sides[2]; z++) {
    for (let y = start[1]; y < start[1] + sides[1]; y++) {
      const row = (z * ny + y) * nx + start[0];
      for (let position = row; position < row + sides[0]; position++) positions[count++] = position;
    }
  }
  return count;
}

/** Puts the first `count` items in uniformly random order, in place (Fisher-Yates). */
function shuffle(items: Int32Array, count: number, stream: RandomStream): void {
  for (let i = count - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    const item = items[i]!;
    items[i] = items[j]!;
    items[j] = item;
  }
}

/** Gives the voxels of a box, x fastest, one value after the other. */
function putVoxels({ start, sides }: Box, [nx, ny]: CropSize, values: Int32Array, target: Int32Array): void {
  let next = 0;
  for (let z = start[2]; z < start[2] + sides[2]; z++) {
    for (let y = start[1]; y < start[1] + sides[1]; y++) {
      const row = (z * ny + y) * nx + start[0];
      for (let position = row; position < row + sides[0]; position++) target[position] = values[next++]!;
    }
  }
}

/** Fills each voxel of each channel from the position in the channel that `source` says. */
function takeFrom(data: Float32Array, source: Int32Array, channels: number, values: Float32Array): void {
  const plane = source.length;
  for (let c = 0; c < channels; c++) {
    const first = c * plane;
    for (let i = 0; i < plane; i++) values[first + i] = data[first + source[i]!]!;
  }
}
