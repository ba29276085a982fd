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

const MOST_BOXES = 5;
/** Of one more box being drawn, up to the most. */
const ANOTHER = 0.95;

/**
 * Up to five boxes of sides between a sixth and a third of the crop's, at least three voxels off its border.
 */
export function drawInPaintingBoxes(stream: RandomStream, size: CropSize): Box[] {
  const boxes: Box[] = [];
  const side = (voxels: number) => between(stream, Math.floor(voxels / 6), Math.floor(voxels / 3));
  while (boxes.length < MOST_BOXES && stream.uniform() < ANOTHER) boxes.push(paintingBox(stream, size, side));
  return boxes;
}

/**
 * In-painting of Models Genesis (Zhou et al. 2019): boxes
 * of uniform noise in [0, 1), the same in all channels.
 */
export function inPainting(
  { data, size, channels }: Crop,
  stream: RandomStream,
  spare: SpareArrays = spareArrays(data.length),
): Crop {
  const painted = spare.take();
  painted.set(data);
  const plane = channelLength(size);
  for (const box of drawInPaintingBoxes(stream, size)) {
    const { sides } = box;
    forEachRow(box, size, (row) => {
      stream.fillUniform(painted, row, row + sides[0]);
      for (let c = 1; c < channels; c++) painted.copyWithin(c * plane + row, row, row + sides[0]);
    });
  }
  return { data: painted, size, channels };
}
