import { itemAt } from '../at.js';
import { type Grid, type SlicesOfVolume, type Volume, voxelCount } from '../volume/index.js';

/**
 * Finished slices of a volume's logits, of its own width and height. Every slab but the first begins with the
 * last slice of the one before, so that values between any two slices can be found. It is only valid until
 * the next slab is asked for.
 */
export type LogitSlab = SlicesOfVolume;

/**
 * A whole volume of logits, planar, from its slabs.
 * @param slabs given the channels of the whole volume, in which they may lie already
 */
export async function collectLogits(
  grid: Grid,
  outChannels: number,
  slabs: (channels: readonly Float32Array[]) => AsyncIterable<LogitSlab>,
): Promise<Volume> {
  const voxels = voxelCount(grid);
  const slice = grid.size[0] * grid.size[1];
  const data = new Float32Array(voxels * outChannels);
  const whole = Array.from({ length: outChannels }, (_, c) => data.subarray(c * voxels, (c + 1) * voxels));
  for await (const { first, channels } of slabs(whole)) {
    for (const [c, values] of channels.entries())
      if (values.buffer !== data.buffer) itemAt(whole, c).set(values, first * slice);
  }
  const { size, spacing, affine } = grid;
  return { size, spacing, affine, channels: outChannels, data };
}

/** A whole volume of logits as the one slab that holds it. */
export function asSlab({ size, channels, data }: Volume): LogitSlab {
  const voxels = voxelCount({ size });
  const floats = data instanceof Float32Array ? data : Float32Array.from(data);
  const planes = Array.from({ length: channels }, (_, c) => floats.subarray(c * voxels, (c + 1) * voxels));
  return { first: 0, depth: size[2], channels: planes };
}
