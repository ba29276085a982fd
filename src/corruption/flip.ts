import type { RandomStream } from '../random/streams.js';
import { type Crop, channelLength } from './crop.js';
import { type SpareArrays, spareArrays } from './spare-arrays.js';

/** At most this many flips of one crop; two of the same axis undo each other. */
const MOST_FLIPS = 3;

/**
 * Models Genesis's flips: with `probability` one axis, drawn evenly, is reversed, and again, up to three
 * times. Image and target flip together, so that this is augmentation rather than something to restore.
 */
export function randomFlips(
  crop: Crop,
  probability: number,
  stream: RandomStream,
  spare: SpareArrays = spareArrays(crop.data.length),
): Crop {
  let flipped = crop;
  for (let done = 0; done < MOST_FLIPS && stream.uniform() < probability; done++) {
    const before = flipped;
    flipped = flip(before, stream.integer(3), spare.take());
    if (before !== crop) spare.giveBack(before.data);
  }
  return flipped;
}

/** @param reversed as long as the crop's data; all of it is written */
function flip({ data, size, channels }: Crop, axis: number, reversed: Float32Array): Crop {
  const [nx, ny, nz] = size;
  const plane = channelLength(size);
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++, to += nx) {
        const from = c * plane + ((axis === 2 ? nz - 1 - z : z) * ny + (axis === 1 ? ny - 1 - y : y)) * nx;
        const row = reversed.subarray(to, to + nx);
        row.set(data.subarray(from, from + nx));
        if (axis === 0) row.reverse();
      }
    }
  }
  return { data: reversed, size, channels };
}
