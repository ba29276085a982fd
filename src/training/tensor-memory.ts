import { devices } from '../engine/index.js';

/** Where the tensors of a step lie. */
export interface TensorMemory {
  readonly bytes: number;
  /** Of the machine, where the whole program lies, or of a GPU, where nothing else of it does. */
  readonly of: 'machine' | 'gpu';
}

/**
 * The memory of the device that steps run on: of a GPU what TensorFlow may take, else what this program may hold.
 * @param memoryBytes of the machine, that the program may hold
 */
export function tensorMemory(memoryBytes: number, device = devices()): TensorMemory {
  return device.kind === 'gpu'
    ? { bytes: device.gpuMemoryBytes, of: 'gpu' }
    : { bytes: memoryBytes, of: 'machine' };
}
