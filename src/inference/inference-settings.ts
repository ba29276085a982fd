import { z } from 'zod';
import { sizeOfFile } from '../network/index.js';

/** How whole scans are predicted: the section `inference` of a configuration. */
export const inferenceSection = z.strictObject({
  window: sizeOfFile.optional().describe("Voxels [x, y, z]; absent: the crop's size."),
  overlap: z.number().min(0).lt(1).default(0.5).describe('Share of a window that the next one covers again.'),
  blend: z
    .enum(['gaussian', 'constant'])
    .default('gaussian')
    .describe(
      "How windows are weighed where they overlap: by a Gaussian around each one's centre, or all alike.",
    ),
  windowBatch: z
    .int()
    .min(1)
    .max(65_536)
    .default(1)
    .describe(
      'Windows that go through the network at once. On CPU one alone is as fast and takes least memory.',
    ),
  mirror: z
    .array(z.enum(['x', 'y', 'z']))
    .refine((axes) => new Set(axes).size === axes.length, 'an axis of inference.mirror is named twice')
    .readonly()
    .default([])
    .describe(
      'Axes of the prepared scan (x: left to right) along which windows are mirrored as well, in all combinations, and their logits averaged.',
    ),
  constantWindows: z
    .enum(['background', 'run'])
    .default('background')
    .describe(
      '`background`: a window that has one value in every channel is not run, and what no other window covers is background. `run`: it is run like any other, as MONAI does.',
    ),
});
