import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { DataError, UsageError } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import { readText } from '../text-file.js';
import { checkConfig } from './load-config.js';
import { readMonaiBundle } from './monai-bundle.js';

const positive = z.number().gt(0);
const voxels = z.int().min(1);
const labelValue = z.int().min(1).max(65_535);

/**
 * How weights of another origin want their scans, and what their outputs mean: a JSON file that
 * `predict --preset` names. Everything has the value that changes nothing unless the file says otherwise.
 */
export const presetSchema = z
  .strictObject({
    orientation: z
      .enum(['RAS', 'as stored'])
      .default('RAS')
      .describe('`as stored`: the axes of the file as they lie, as MONAI sees them without `Orientation`.'),
    spacing: z
      .tuple([positive, positive, positive])
      .nullable()
      .default(null)
      .describe("mm along [x, y, z]; null: the scan's own."),
    intensity: z
      .enum(['ct-window', 'z-score', 'percentile', 'none'])
      .default('none')
      .describe('As in `prepare`: `ct-window` clips to windowHu and scales to [0, 1].'),
    windowHu: z.tuple([z.number(), z.number()]).optional().describe('HU that become 0 and 1.'),
    foregroundThreshold: z
      .union([z.number(), z.literal('background')])
      .nullable()
      .default(null)
      .describe(
        "The box around the voxels above it, in the scan's own intensities, is kept; `background`: around those that differ from the scan's background.",
      ),
    notFinite: z
      .number()
      .optional()
      .describe('What a voxel that is NaN or infinite becomes; absent: the scan is refused.'),
    classes: z
      .record(z.string().regex(/^[1-9][0-9]*$/, 'a label value'), z.string().min(1))
      .optional()
      .describe(
        'Names by label value. Channel 0 is background, the channels after it are the values from the least to the greatest.',
      ),
    regions: z
      .record(z.string().min(1), z.array(labelValue).min(1))
      .optional()
      .describe(
        'Instead of classes, one sigmoid channel each: label values by name, from the largest region to the smallest.',
      ),
    inference: z
      .strictObject({
        window: z.tuple([voxels, voxels, voxels]).optional().describe('Voxels [x, y, z].'),
        overlap: z
          .number()
          .min(0)
          .lt(1)
          .optional()
          .describe('Share of a window that the next one covers again.'),
        blend: z
          .enum(['gaussian', 'constant'])
          .optional()
          .describe('How windows are weighed where they overlap.'),
      })
      .default({})
      .describe('Sliding window, as `--set inference.` says it.'),
    network: z
      .record(z.string(), z.json())
      .default({})
      .describe('Settings of the network that shapes do not tell, as `--set network.` says them.'),
  })
  .refine(({ intensity, windowHu }) => intensity !== 'ct-window' || windowHu !== undefined, {
    path: ['windowHu'],
    message:
      'windowHu is missing, but "intensity" is "ct-window": give the lowest and the highest value, ' +
      'such as [-175, 250]',
  })
  .refine(({ classes, regions }) => classes === undefined || regions === undefined, {
    path: ['regions'],
    message: 'regions stands beside "classes": a network has one or the other',
  });
export type Preset = z.infer<typeof presetSchema>;

/**
 * The preset that a JSON file, or the folder of a MONAI bundle, says.
 * @throws DataError when it cannot be read; UsageError naming the file and the key that is wrong, or what
 *   of a bundle has no counterpart here
 */
export async function readPreset(path: string): Promise<Preset> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new DataError(
      `--preset ${path} is neither none, ct or mr, nor a file or a folder that can be read: check the path`,
      { file: path },
      { cause },
    );
  });
  if (found.isDirectory()) return checkConfig(presetSchema, await readMonaiBundle(path), path);
  const content = jsonOrUndefined(await readText(path));
  if (typeof content === 'object' && content !== null) return checkConfig(presetSchema, content, path);
  throw new UsageError(`${path} is no JSON object: docs/predict.md shows what a preset looks like`, {
    file: path,
  });
}
