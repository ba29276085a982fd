import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  compile,
  createState,
  type StepFunction,
  type Tensor,
  type Tensor2D,
  tf,
} from '../../src/engine/index.js';
import { sessionConfig } from '../../src/engine/session-config.js';
import { computed, normals } from './computed.js';

const references = z
  .object({
    sessions: z.array(
      z.object({
        threads: z.number(),
        rewrites: z.boolean(),
        settings: z.object({ memoryGrowth: z.boolean(), memoryShare: z.number().optional() }),
        config: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync('test/parity/engine/session-configs.json', 'utf8')));

describe('the configuration of a session', () => {
  it.each(references.sessions)('is the ConfigProto that TensorFlow’s own messages make: %j', (reference) => {
    const { threads, settings, rewrites, config } = reference;
    expect(sessionConfig(threads, settings, { rewrites }).toString('hex')).toBe(config);
  });

  it('lets TensorFlow read a count of threads that takes two bytes', async () => {
    const state = createState(
      { a: { shape: [1], data: Float32Array.of(3) } },
      { engine: 'graph', threads: 200 },
    );
    expect((await state.read()).a?.data).toEqual(Float32Array.of(3));
    state.dispose();
  });

  // Seconds of the processor a second. Other work on the machine makes them fewer, never more.
  it('computes on one thread where it is told to', async () => {
    const [size, times] = [768, 12];
    const x = normals([size, size], 1);
    const product: StepFunction = ({ x: a }) => {
      let y = a as Tensor2D;
      for (let i = 0; i < times; i++) y = tf.tanh(tf.matMul(y, a as Tensor2D));
      return { y: y.sum() };
    };
    const state = createState({}, { engine: 'graph', threads: 1 });
    const inputs = { x: { shape: [size, size], dtype: 'float32' as const } };
    const step = compile(product, { name: 'products', inputs, state, precision: 'float32' });
    const shares: number[] = [];
    for (let i = 0; i < 6; i++) {
      const [before, began] = [process.cpuUsage(), performance.now()];
      await step.run({ x: x.data }, 0);
      const { user, system } = process.cpuUsage(before);
      shares.push((user + system) / 1000 / (performance.now() - began));
    }
    state.dispose();
    expect(Math.max(...shares.slice(1))).toBeLessThan(1.3);
  });

  it('has a constant divided by, not multiplied with its rounded reciprocal', async () => {
    const x = normals([1000], 1);
    const { y } = await computed('graph', ({ x: input }) => ({ y: (input as Tensor).div(0.9) }), { x });
    expect(y).toEqual(x.data.map((value) => value / Math.fround(0.9)));
  });

  it('has chains of additions added in the order written', async () => {
    const values = { x: normals([1000], 1), y: normals([1000], 2), z: normals([1000], 3) };
    const chain: StepFunction = ({ x, y, z }) => ({
      sum: tf
        .tanh(x as Tensor)
        .add(y as Tensor)
        .add(z as Tensor)
        .add(x as Tensor),
    });
    const { sum } = await computed('graph', chain, values);
    const { sum: eager } = await computed('eager', chain, values);
    expect(sum).toEqual(eager);
  });
});
