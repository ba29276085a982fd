import { z } from 'zod';
import { sizeOfFile } from '../network/index.js';

/** How whole scans are predicted: the section `inference` of a configuration. */
export const inferenceSection = z.strictObject({
  /** Voxels [x, y, z]; absent: the crop's size. */
  window: sizeOfFile.optional(),
  /** Share of a window that the next one covers again. */
  overlap: z.number().min(0).lt(1).default(0.5),
  /** How windows are weighed where they overlap: by a Gaussian around each one's centre, or all alike. */
  blend: z.enum(['gaussian', 'constant']).default('gaussian'),
  /** Windows that go through the network at once. On CPU one alone is as fast and takes least memory. */
  windowBatch: z.int().min(1).default(1),
  /**
   * Axes of the prepared scan (x: left to right) along which windows are mirrored as well, in all
   * combinations, and their logits averaged.
   */
  mirror: z
    .array(z.enum(['x', 'y', 'z']))
    .refine((axes) => new Set(axes).size === axes.length, 'an axis of inference.mirror is named twice')
    .readonly()
    .default([]),
  /**
   * `background`: a window that has one value in every channel is not run, and what no other window covers is
   * background. `run`: it is run like any other, as MONAI does.
   */
  constantWindows: z.enum(['background', 'run']).default('background'),
});
