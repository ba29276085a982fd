import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { elementCount } from '../network/index.js';
import type { LearningTask } from './learning-task.js';
import { type TensorMemory, tensorMemory } from './tensor-memory.js';

/**
 * Refuses a step that cannot fit, by what is known without running it.
 * @param memory that of the device that steps run on; absent: what is free there
 * @throws UsageError when the activations that the encoder keeps for its gradients, and the parameters with
 *   their gradients and moments, only a part of what a step takes, are more than the memory that is free
 */
export function requireStepMemory(
  { name, activationBytes, parameters }: Pick<LearningTask, 'name' | 'activationBytes' | 'parameters'>,
  { bytes: free, of }: TensorMemory = tensorMemory(freeMemory()),
): void {
  const values = parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const needed = activationBytes + 4 * 4 * values;
  if (needed <= free) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `a ${name} needs at least ${gib(needed)} of memory, but ${of === 'gpu' ? `the GPU has ${gib(free)}` : `${gib(free)} is free`}: make data.cropSize, train.batchSize or the widths of the network smaller`,
    { field: 'data.cropSize', found: needed, expected: free },
  );
}
