import type { InputSpec } from '../engine/index.js';
import type { LabelScheme } from '../inference/index.js';
import type { SpatialSize } from '../network/index.js';

/** How label values become what the loss compares with. */
export interface SegmentationTargets {
  /**
   * classes: int32 [B, D, H, W], the output channel of each voxel; regions: float32 [B, D, H, W, K], 1
   * inside. `ignoredTarget` where the label is to be ignored.
   */
  readonly input: InputSpec;
  /** @param labels [B, D, H, W] label values of the dataset */
  of(labels: Int32Array): Int32Array | Float32Array;
}

/** What stands in the targets of a voxel that is to be ignored, in every channel. */
export const ignoredTarget = -1;

/** The targets of a batch of crops of `size` [depth, height, width] voxels. */
export function segmentationTargets(
  { kind, values, ignore }: LabelScheme,
  batch: number,
  size: SpatialSize,
): SegmentationTargets {
  if (kind === 'classes') {
    const channels = new Map(values.map(([value], i) => [value, i + 1]));
    if (ignore !== undefined) channels.set(ignore, ignoredTarget);
    const identity = ignore === undefined && values.every(([value], i) => value === i + 1);
    return {
      input: { shape: [batch, ...size], dtype: 'int32' },
      of: (labels) => (identity ? labels : labels.map((value) => channels.get(value) ?? 0)),
    };
  }
  return {
    input: { shape: [batch, ...size, values.length], dtype: 'float32' },
    of: (labels) => {
      const regions = new Float32Array(labels.length * values.length);
      labels.forEach((label, i) => {
        if (label === ignore) regions.fill(ignoredTarget, i * values.length, (i + 1) * values.length);
        values.forEach((members, k) => {
          if (members.includes(label)) regions[i * values.length + k] = 1;
        });
      });
      return regions;
    },
  };
}
