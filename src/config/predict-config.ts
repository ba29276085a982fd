import { z } from 'zod';
import { deviceSection, precisions } from '../engine/index.js';
import { inferenceSection } from '../inference/index.js';
import { networkSection } from '../network/index.js';

/** Settings of prediction with weights that no run folder describes; all come from `--set`. */
export const predictConfig = z.strictObject({
  precision: z.enum(precisions).default('float32').describe('Of products and activations.'),
  device: deviceSection.prefault({}),
  network: networkSection.prefault({}),
  inference: inferenceSection.prefault({}),
  threads: z.int().min(0).max(255).default(0).describe('Threads of one op; 0: one a core.'),
});
export type PredictConfig = z.infer<typeof predictConfig>;
