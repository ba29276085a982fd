import type { RandomStream } from '../random/streams.js';
import {
  type Box,
  between,
  type Crop,
  type CropSize,
  channelLength,
  forEachRow,
  paintingBox,
} from './crop.js';
import { type SpareArrays, spareArrays } from './spare-arrays.js';

/** Windows beyond the first one, which is always kept. */
const MOST_MORE = 4;
/** Of one more window being kept, up to the most. */
const ANOTHER = 0.95;

/**
 * One to five windows whose sides are between 3/7 and 4/7 of the
 * crop's short of the whole, at least three voxels off its border.
 */
export function drawOutPaintingWindows(stream: RandomStream, size: CropSize): Box[] {
  const side = (voxels: number) =>
    voxels - between(stream, Math.floor((3 * voxels) / 7), Math.floor((4 * voxels) / 7));
  const windows = [paintingBox(stream, size, side)];
  while (windows.length <= MOST_MORE && stream.uniform() < ANOTHER)
    windows.push(paintingBox(stream, size, side));
  return windows;
}

/**
 * Out-painting of Models Genesis (Zhou et al. 2019): uniform noise in [0, 1) everywhere but in the windows.
 */
export function outPainting(
  { data, size, channels }: Crop,
  stream: RandomStream,
  spare: SpareArrays = spareArrays(data.length),
): Crop {
  const painted = spare.take();
  stream.fillUniform(painted, 0, painted.length);
  const plane = channelLength(size);
  for (const window of drawOutPaintingWindows(stream, size)) {
    const { sides } = window;
    forEachRow(window, size, (row) => {
      for (let first = row; first < data.length; first += plane) copyRow(data, painted, first, sides[0]);
    });
  }
  return { data: painted, size, channels };
}

function copyRow(source: Float32Array, target: Float32Array, first: number, count: number): void {
  for (let i = first; i < first + count; i++) target[i] = source[i]!; // a checked reading takes longer here
}
