import { WorkError } from '../errors.js';
import type { LogitSlab } from './logit-slab.js';

/**
 * Refuses logits that are not numbers: every comparison with them is false, so that they would become a label
 * of background alone.
 * @throws WorkError naming the scan
 */
export function requireNumbers({ channels }: LogitSlab, images: readonly string[]): void {
  if (channels.every((values) => values.every(Number.isFinite))) return;
  throw new WorkError(
    `the network's output for ${images.join(', ')} is not finite: its weights are damaged or ` +
      `their training diverged; predict with another checkpoint`,
    { field: 'weights', expected: 'finite numbers' },
  );
}
