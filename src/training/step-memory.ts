import { freemem } from 'node:os';
import { UsageError } from '../errors.js';
import type { Network, SpatialSize } from '../network/index.js';

/**
 * Refuses a step that cannot fit before anything is written, instead of being killed by the system in the middle of it.
 * @param name of the step, for the sentence
 * @throws UsageError when the activations that the encoder keeps for its gradients alone are more than the memory that is free
 */
export function requireStepMemory(name: string, network: Network, batch: number, crop: SpatialSize, free: number = freemem()): void {
  const needed = network.encoderBytes(batch, crop);
  if (needed <= free) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `a ${name} needs at least ${gib(needed)} of memory, but ${gib(free)} is free: make data.cropSize, train.batchSize or the widths of the network smaller`,
    { field: 'data.cropSize', found: needed, expected: free },
  );
}
