import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { requireStepMemory } from '../../src/training/step-memory.js';

const free = { bytes: 2 ** 30, of: 'machine' } as const;
const task = (activationBytes: number, ...widths: number[]) => ({
  name: 'hybridmim step',
  activationBytes,
  parameters: widths.map((width, i) => ({
    name: `layer ${i}`,
    shape: [width, 1024],
    layout: 'linear' as const,
    init: { uniform: 1 },
  })),
});

describe('the memory of a step', () => {
  it('is that of activations, and of parameters with their gradients and two moments', () => {
    // 2^16 x 1024 values of 4 bytes, four times, are all of the 2^30 bytes that are free.
    expect(() => requireStepMemory(task(0, 2 ** 16), free)).not.toThrow();
    expect(() => requireStepMemory(task(0, 2 ** 15, 2 ** 15), free)).not.toThrow();
    expect(() => requireStepMemory(task(0, 2 ** 16, 1), free)).toThrow(UsageError);
    expect(() => requireStepMemory(task(free.bytes), free)).not.toThrow();
    expect(() => requireStepMemory(task(free.bytes + 1), free)).toThrow(UsageError);
    expect(() => requireStepMemory(task(free.bytes / 2, 2 ** 15), free)).not.toThrow();
    expect(() => requireStepMemory(task(free.bytes / 2 + 1, 2 ** 15), free)).toThrow(UsageError);
  });

  it('is refused in a sentence that says what is needed and what is free', () => {
    expect(() => requireStepMemory(task(0, 1e8), free)).toThrow(
      /^a hybridmim step needs at least 1525\.9 GiB of memory, but 1\.0 GiB is free: make /,
    );
    expect(() => requireStepMemory(task(0, 1e8), { ...free, of: 'gpu' })).toThrow(
      /^a hybridmim step needs at least 1525\.9 GiB of memory, but the GPU has 1\.0 GiB: make /,
    );
  });
});
