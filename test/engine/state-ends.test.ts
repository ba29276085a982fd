import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile, createState, tf } from '../../src/engine/index.js';

/** MiB of this process in memory; undefined where the system does not say. */
function resident(): number | undefined {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  } catch {
    return undefined;
  }
}

it.skipIf(resident() === undefined)(
  'a state that is disposed leaves nothing of its graph',
  async () => {
    const values = Float32Array.from({ length: 2 ** 18 }, (_, i) => i % 97);
    const use = async () => {
      const state = createState(
        { a: { shape: [1], data: Float32Array.of(2) } },
        { engine: 'graph', threads: 1 },
      );
      const step = compile((_, { a }) => ({ sum: tf.tensor1d(values).mul(a!).sum() }), {
        name: 'one megabyte in the graph',
        inputs: {},
        state,
        precision: 'float32',
      });
      expect((await step.run({})).sum).toBeDefined();
      state.dispose();
    };
    for (let i = 0; i < 10; i++) await use();
    const before = resident() ?? 0;
    for (let i = 0; i < 60; i++) await use();
    expect((resident() ?? 0) - before).toBeLessThan(30); // 60 where graphs stay
  },
  60_000,
);
