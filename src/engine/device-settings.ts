import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { UsageError } from '../errors.js';

/** What the engine computes on, and how it uses a GPU. */
export const deviceSection = z.strictObject({
  use: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe(
      '`auto`: a GPU where TensorFlow sees one; `gpu`: refuses to begin without one; `cpu`: the CPU.',
    ),
  memoryGrowth: z
    .boolean()
    .default(true)
    .describe("Takes a GPU's memory as it is needed; false: all that it may take at once."),
  memoryShare: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe("The share of a GPU's memory that may be taken; absent: all but what TensorFlow spares."),
  tensorFloat32: z
    .boolean()
    .default(false)
    .describe('Products of float32 in TensorFloat-32 on a GPU: faster, with 10 bits of precision for 23.'),
  deterministic: z
    .boolean()
    .default(false)
    .describe('The same bits at every run on a GPU: slower, and refuses ops that have no such kernel.'),
});
export type DeviceSettings = z.output<typeof deviceSection>;

let chosen: DeviceSettings = deviceSection.parse({});
let isInEffect = false;

/**
 * Chooses the device of this process. TensorFlow reads such settings when it first looks for devices, and never
 * again.
 * @throws UsageError where it looked with other settings already
 */
export function useDevice(settings: DeviceSettings): void {
  if (isInEffect && !isDeepStrictEqual(settings, chosen)) {
    const remedy = 'give all runs of one command the same section, or start another command';
    throw new UsageError(
      `device is ${JSON.stringify(settings)}, but this program computes with ${JSON.stringify(chosen)} already: ${remedy}`,
      { field: 'device', found: settings, expected: chosen },
    );
  }
  chosen = settings;
}

/** The settings in effect, from the first call on. */
export function deviceSettings(): DeviceSettings {
  // CUDA reads it when it starts, and TensorFlow.js then sees no GPU either.
  if (!isInEffect && chosen.use === 'cpu') process.env.CUDA_VISIBLE_DEVICES = '-1';
  isInEffect = true;
  return chosen;
}
