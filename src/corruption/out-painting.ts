import { floatAt } from '../at.js';
import type { RandomStream } from '../random/streams.js';
import {
  type Box,
  between,
  type Crop,
  type CropSize,
  channelLength,
  forEachVoxel,
  paintingBox,
} from './crop.js';

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
export function outPainting({ data, size, channels }: Crop, stream: RandomStream): Crop {
  const painted = Float32Array.from({ length: data.length }, () => stream.uniform());
  const plane = channelLength(size);
  for (const window of drawOutPaintingWindows(stream, size)) {
    forEachVoxel(window, size, (position) => {
      for (let c = 0; c < channels; c++) painted[c * plane + position] = floatAt(data, c * plane + position);
    });
  }
  return { data: painted, size, channels };
}
