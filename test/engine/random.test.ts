import { describe, expect, it } from 'vitest';
import {
  dropout,
  dropoutLeakyRelu,
  keepMask,
  type NamedArray,
  randomUniform,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { computed, engines } from './computed.js';

const ones = (shape: number[]): NamedArray => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1),
});
const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(engines)('numbers drawn inside a step, %s', (engine) => {
  const draw = async (key: number, seed: number, n = 20_000) =>
    (await computed(engine, () => ({ u: randomUniform([n], key) }), {}, seed)).u as Float32Array;

  it('are the same for the same seed and key, and others for another seed or key', async () => {
    const first = await draw(3, 1);
    expect(await draw(3, 1)).toEqual(first);
    for (const [key, seed] of [
      [3, 2],
      [4, 1],
    ] as const) {
      const other = await draw(key, seed);
      const covariance = mean(first.map((u, i) => (u - 0.5) * ((other[i] as number) - 0.5)));
      expect(Math.abs(12 * covariance)).toBeLessThan(0.03); // a correlation; independent ones have a standard error of 0.007
    }
  });

  it('are uniform in [0, 1): chi-squared over 64 bins', async () => {
    const drawn = await draw(3, 1, 64_000);
    const counts = new Array<number>(64).fill(0);
    for (const u of drawn) counts[Math.floor(u * 64)]!++; // beyond the bins there is no count to add to, and the sum is NaN
    const chiSquared = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeGreaterThan(30); // 63 degrees of freedom: mean 63, standard deviation 11
    expect(chiSquared).toBeLessThan(105);
  });

  it('need a step: without one there is no seed', () => {
    expect(() => randomUniform([2], 1)).toThrow(/outside a compiled step/);
  });
});

it('draws the same numbers in every engine', async () => {
  const [graph, eager, onGpu] = await Promise.all(
    engines.map((engine) => computed(engine, () => ({ u: randomUniform([1000], 9) }), {}, 5)),
  );
  expect(graph).toEqual(eager);
  expect(onGpu).toEqual(graph);
});

describe.each(engines)('the mask of what a dropout keeps, %s', (engine) => {
  const draw = async (shape: number[], rate: number, key = 1) =>
    (await computed(engine, () => ({ kept: keepMask(shape, rate, key).cast('float32') }), {}, 11))
      .kept as Float32Array;

  it.each([0.1, 0.5, 0.9])('drops a share of %f', async (rate) => {
    const kept = await draw([500, 401], rate); // an odd number of elements
    expect(kept).toHaveLength(500 * 401);
    const error = Math.sqrt((rate * (1 - rate)) / kept.length);
    expect(Math.abs(mean(kept) - (1 - rate))).toBeLessThan(4 * error);
    expect([...new Set(kept)].sort()).toEqual([0, 1]);
  });

  it('keeps everything at rate 0', async () => {
    expect(mean(await draw([1000], 0))).toBe(1);
  });

  it('decides every element by itself: neighbours, and the two that share a drawn number, do not go together', async () => {
    const kept = await draw([100_000], 0.5);
    const correlation = (distance: number) => {
      const pairs = Array.from({ length: 50_000 }, (_, i) => (kept[i]! - 0.5) * (kept[i + distance]! - 0.5));
      return (4 * pairs.reduce((sum, product) => sum + product, 0)) / pairs.length;
    };
    for (const distance of [1, 2, 50_000])
      expect(Math.abs(correlation(distance))).toBeLessThan(4 / Math.sqrt(50_000));
    expect(await draw([100_000], 0.5, 2)).not.toEqual(kept);
  });
});

it('draws the same mask in every engine, small and large', async () => {
  for (const shape of [
    [7, 9, 11],
    [40, 41, 43],
  ]) {
    const [graph, eager, onGpu] = await Promise.all(
      engines.map((engine) =>
        computed(engine, () => ({ m: keepMask(shape, 0.1, 3).cast('float32') }), {}, 5),
      ),
    );
    expect(graph).toEqual(eager);
    expect(onGpu).toEqual(graph);
  }
});

describe.each(engines)('dropout, %s', (engine) => {
  it('drops the share it is told, scales the rest up, and drops the same elements in the gradient', async () => {
    const step = ({ x }: Record<string, Tensor>) => ({
      y: dropout(x as Tensor, 0.25, 2),
      dx: tf.grad((z: Tensor) => dropout(z, 0.25, 2))(x as Tensor),
    });
    const { y, dx } = await computed(engine, step, { x: ones([2, 50, 200]) }, 3);
    expect([...new Set(y)].sort()).toEqual([0, Math.fround(1 / Math.fround(0.75))]);
    expect(Math.abs(mean(y as Float32Array) - 1)).toBeLessThan(0.016); // standard error 0.004
    expect(dx).toEqual(y);
  });

  it('drops whole channels of an item where asked', async () => {
    const { y } = await computed(
      engine,
      ({ x }) => ({ y: dropout(x as Tensor, 0.5, 2, true) }),
      { x: ones([3, 2, 2, 2, 40]) },
      3,
    );
    const channel = (item: number, c: number) =>
      Array.from({ length: 8 }, (_, voxel) => (y as Float32Array)[(item * 8 + voxel) * 40 + c] as number);
    const channels = Array.from({ length: 120 }, (_, i) => new Set(channel(Math.floor(i / 40), i % 40)));
    expect(channels.every((values) => values.size === 1)).toBe(true);
    const dropped = channels.filter((values) => values.has(0)).length;
    expect(dropped).toBeGreaterThan(40); // of 120, a half: standard deviation 5.5
    expect(dropped).toBeLessThan(80);
  });
});

describe.each(engines)('dropout and leaky ReLU as one op, %s', (engine) => {
  const alpha = Math.fround(0.1);
  const inputs = [0, 2, -2, 1e-30, -1e-30];
  const x = {
    shape: [5, 1000],
    data: Float32Array.from({ length: 5000 }, (_, i) => inputs[Math.floor(i / 1000)] as number),
  };
  const step = ({ x: input }: Record<string, Tensor>) => {
    const op = (z: Tensor) => dropoutLeakyRelu(z, 0.3, 7, 0.1);
    const kept = keepMask([5, 1000], 0.3, 7).cast('float32');
    return { y: op(input as Tensor), dx: tf.grad(op)(input as Tensor), kept };
  };

  it('is leaky ReLU of what is kept, and 0 where dropped', async () => {
    const { y, kept } = await computed(engine, step, { x }, 3);
    const activated = (value: number) => (value > 0 ? value : Math.fround(alpha * value));
    expect(Array.from(y as Float32Array, (value) => value + 0)).toEqual(
      Array.from(x.data, (value, i) => activated(value) * (kept![i] as number) + 0),
    );
    expect(Math.abs(mean(kept as Float32Array) - 0.7)).toBeLessThan(0.026); // standard error 0.0065
  });

  it('has the slope of what is kept, also where the input is exactly 0, and none where dropped', async () => {
    const { dx, kept } = await computed(engine, step, { x }, 3);
    expect(dx).toEqual(x.data.map((value, i) => (kept![i] as number) * (value > 0 ? 1 : alpha)));
  });

  it('refuses a slope that would lose the sign', () => {
    expect(() => dropoutLeakyRelu(tf.zeros([2]), 0.1, 1, 0)).toThrow(/alpha > 0, got 0/);
  });
});
