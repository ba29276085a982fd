import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { elementCount } from '../network/index.js';
import type { LearningTask } from './learning-task.js';

/**
 * Refuses a step that cannot fit, by what is known without running it.
 * @param free bytes
 * @throws UsageError when the activations that the encoder keeps for its gradients, and the parameters with
 *   their gradients and moments, only a part of what a step takes, are more than the memory that is free
 */
export function requireStepMemory(
  { name, activationBytes, parameters }: Pick<LearningTask, 'name' | 'activationBytes' | 'parameters'>,
  free: number = freeMemory(),
): void {
  const values = parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const needed = activationBytes + 4 * 4 * values;
  if (needed <= free) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `a ${name} needs at least ${gib(needed)} of memory, but ${gib(free)} is free: make data.cropSize, train.batchSize or the widths of the network smaller`,
    { field: 'data.cropSize', found: needed, expected: free },
  );
}
