import { describe, expect, it } from 'vitest';
import {
  after,
  compile,
  conv3d,
  instanceNorm,
  layerNorm,
  type NamedArray,
  type StepFunction,
  type Tensor,
  type Tensor1D,
  type Tensor5D,
  tf,
} from '../../../src/engine/index.js';
import { computed, engines, normals, stateIn } from '../computed.js';

/** `values` to mean 0 and variance 1 in double precision, then scaled and shifted. */
function normalised(values: readonly number[], gamma: number, beta: number, epsilon: number): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (gamma * (value - mean)) / Math.sqrt(variance + epsilon) + beta);
}

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

const variance = (values: ArrayLike<number>) =>
  mean(Array.from(values, (value) => value ** 2)) - mean(values) ** 2; // of values about 0

/** 4,099 random values again and again. */
function repeated(shape: readonly number[], salt: number): NamedArray {
  const { data } = normals([4099], salt);
  return {
    shape,
    data: Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => data[i % data.length] as number,
    ),
  };
}

const largestDifference = (found: Float32Array, expected: ArrayLike<number>) =>
  found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);

describe.each(engines)('norms beside their formula in double precision, %s', (engine) => {
  const gamma = [0.7, -1.2, 2];
  const beta = [0.1, 0.2, -0.3];
  const vectors = () => [tf.tensor1d(gamma), tf.tensor1d(beta)] as [Tensor1D, Tensor1D];

  it.each([1, 3])('instance norm of %i items: every channel of every item by itself', async (batch) => {
    const x = normals([batch, 3, 5, 4, 3], 1);
    const { y } = await computed(
      engine,
      ({ x: input }) => ({ y: instanceNorm(input as Tensor5D, ...vectors()) }),
      { x },
    );
    const expected = new Float64Array(x.data.length);
    for (let item = 0; item < batch; item++)
      for (let c = 0; c < 3; c++) {
        const places = Array.from({ length: 60 }, (_, voxel) => (item * 60 + voxel) * 3 + c);
        const values = normalised(
          places.map((place) => x.data[place] as number),
          gamma[c] as number,
          beta[c] as number,
          1e-5,
        );
        for (const [i, place] of places.entries()) expected[place] = values[i] as number;
      }
    expect(largestDifference(y as Float32Array, expected)).toBeLessThan(3e-6); // float32 values up to 6
  });

  // Whole crops: a sum of squares in float32, one by one, would be 1e-4 too small for 96^3 voxels. 41 x 43 x 47
  // has no small divisor. A GPU's kernel sums in a tree; the CPU's, which runs its graph here, does not, so that
  // graph is held to the bound at sizes at which the order of a sum does not show.
  const crops = [
    [[96, 96, 96], 1],
    [[41, 43, 47], 3],
    [[48, 40, 36], 2],
  ] as const;
  const small = [
    [[16, 24, 16], 1],
    [[17, 19, 13], 3],
  ] as const;
  it.each<readonly [readonly [number, number, number], number]>(engine === 'graph for a GPU' ? small : crops)(
    'instance norm of %j voxels, and its gradient',
    async (size, channels) => {
      const [x, dy] = [repeated([1, ...size, channels], 3), repeated([1, ...size, channels], 4)];
      const scales = gamma.slice(0, channels);
      const op = (z: Tensor) =>
        instanceNorm(z as Tensor5D, tf.tensor1d(scales), tf.tensor1d(beta.slice(0, channels)), {
          exact: true,
        });
      const step = ({ x: input, dy: slope }: Record<string, Tensor>) => ({
        y: op(input as Tensor),
        dx: tf.grad(op)(input as Tensor, slope as Tensor),
      });
      const found = await computed(engine, step, { x, dy });
      for (let c = 0; c < channels; c++) {
        const ofChannel = (data: Float32Array | undefined) =>
          (data as Float32Array).filter((_, i) => i % channels === c);
        const scale = scales[c] as number;
        const unit = normalised([...ofChannel(x.data)], 1, 0, 1e-5);
        const expected = unit.map((value) => scale * value + (beta[c] as number));
        expect(largestDifference(ofChannel(found.y), expected)).toBeLessThan(1e-5 * Math.abs(scale)); // values up to 4 times the scale
        const slopes = ofChannel(dy.data);
        const [meanSlope, along] = [
          mean(slopes),
          mean(unit.map((value, i) => value * (slopes[i] as number))),
        ];
        const deviation = Math.sqrt(variance(ofChannel(x.data)) + 1e-5);
        const gradient = unit.map(
          (value, i) => (scale / deviation) * ((slopes[i] as number) - meanSlope - value * along),
        );
        expect(largestDifference(ofChannel(found.dx), gradient)).toBeLessThan(2e-5 * Math.abs(scale)); // slopes up to 4 times the scale
      }
    },
  );

  it.each([
    ['far from 0', (value: number) => 15 + value],
    ['that are all the same', () => 5],
  ])('exact instance norm of values %s', async (_, of) => {
    const { shape, data } = repeated([1, 41, 43, 47, 3], 8);
    const x = { shape, data: data.map(of) };
    const { y } = await computed(
      engine,
      ({ x: input }) => ({ y: instanceNorm(input as Tensor5D, ...vectors(), { exact: true }) }),
      { x },
    );
    for (let c = 0; c < 3; c++) {
      const ofChannel = (values: Float32Array | undefined) =>
        (values as Float32Array).filter((_, i) => i % 3 === c);
      const expected = normalised([...ofChannel(x.data)], gamma[c] as number, beta[c] as number, 1e-5);
      // A plane's variance is off by 1e-7 of its squared mean: of 900 times itself for values up to 4 deviations, or of 25 beside epsilon.
      expect(largestDifference(ofChannel(y), expected)).toBeLessThan(
        (of(0) === 5 ? 1e-3 : 2e-4) * Math.abs(gamma[c] as number),
      );
    }
  });

  it.each([1, 2])(
    'instance norm of what is computed once more for its gradient, %i items, is that of what is kept',
    async (batch) => {
      const w = normals([3, 3, 3, 2, 3], 6);
      const dy = normals([batch, 4, 5, 6, 3], 7);
      const convolve = (x: Tensor, taps: Tensor) => conv3d(x as Tensor5D, taps as Tensor5D);
      const kept = (x: Tensor, taps: Tensor) => instanceNorm(convolve(x, taps), ...vectors());
      const again = (x: Tensor, taps: Tensor) => {
        const item = (i: number) => tf.slice(x, [i, 0, 0, 0, 0], [1, 4, 5, 6, 2]);
        return instanceNorm(convolve(x, taps), ...vectors(), {
          again: (i, earlier) => convolve(after(item(i), earlier), taps),
        });
      };
      const [expected, found] = await Promise.all(
        [kept, again].map((op) => {
          const step = ({ x, w: taps, dy: slope }: Record<string, Tensor>) => {
            const [dx, dw] = tf.grads(op)([x as Tensor, taps as Tensor], slope as Tensor) as [Tensor, Tensor];
            return { y: op(x as Tensor, taps as Tensor), dx, dw };
          };
          return computed(engine, step, { x: normals([batch, 4, 5, 6, 2], 5), w, dy });
        }),
      );
      expect(found).toEqual(expected);
      expect(variance((found as Record<string, Float32Array>).dx as Float32Array)).toBeGreaterThan(0);
    },
  );

  it('instance norm of a constant channel is its shift', async () => {
    const x: NamedArray = { shape: [1, 2, 2, 2, 3], data: new Float32Array(24).fill(5) };
    const { y } = await computed(
      engine,
      ({ x: input }) => ({ y: instanceNorm(input as Tensor5D, ...vectors()) }),
      { x },
    );
    expect(y).toEqual(Float32Array.from({ length: 24 }, (_, i) => beta[i % 3] as number));
  });

  it.each([
    [1e-5, 'training', [2, 7, 3]],
    [0.5, 'training', [2, 7, 3]],
    [1e-5, 'inference', [14, 3]],
    [0.5, 'inference', [1, 2, 1, 7, 3]],
  ] as const)('layer norm over the last axis, epsilon %f, for %s, of %j', async (epsilon, mode, shape) => {
    const x = normals(shape, 2);
    const state = stateIn(engine, {});
    const specs = { x: { shape, dtype: 'float32' } } as const;
    const norm: StepFunction = ({ x: input }) => ({ y: layerNorm(input as Tensor, ...vectors(), epsilon) });
    const step = compile(norm, { name: 'layer norm', inputs: specs, state, precision: 'float32', mode });
    const { y } = await step.run({ x: x.data });
    state.dispose();
    const expected = Array.from({ length: 14 }, (_, row) =>
      normalised([...x.data.subarray(row * 3, row * 3 + 3)], 1, 0, epsilon).map(
        (value, c) => value * (gamma[c] as number) + (beta[c] as number),
      ),
    ).flat();
    expect(largestDifference(y as Float32Array, expected)).toBeLessThan(1e-5); // a row of three close values loses digits in its difference from the mean
  });

  if (engine === 'graph')
    it('layer norm of a step for inference refuses to be differentiated', () => {
      const state = stateIn(engine, {});
      const specs = { x: { shape: [2, 3], dtype: 'float32' } } as const;
      const step: StepFunction = ({ x }) => ({
        dx: tf.grad((input: Tensor) => layerNorm(input, ...vectors()).sum())(x as Tensor),
      });
      const compiled = (mode: 'training' | 'inference') =>
        compile(step, { name: 'layer norm', inputs: specs, state, precision: 'float32', mode });
      expect(() => compiled('inference')).toThrow(
        /compiled for inference has no gradient: compile it with mode: 'training'/,
      );
      expect(compiled('training').nodes).toBeGreaterThan(0);
      state.dispose();
    });
});
