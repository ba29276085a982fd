import { describe, expect, it } from 'vitest';
import {
  compile,
  conv3d,
  convTranspose3d,
  createState,
  dropout,
  gelu,
  inPlace,
  instanceNorm,
  layerNorm,
  leakyRelu,
  lossAndGradients,
  maxPool3d,
  randomUniform,
  resizeTrilinear,
  roll,
  type Scalar,
  type StepFunction,
  type Tensor,
  type Tensor1D,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { randomStream } from '../../src/random/streams.js';

function normals(shape: number[], salt: number): { shape: number[]; data: Float32Array } {
  const stream = randomStream(11, 'init', salt);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * stream.normal()) };
}

const parameters = {
  kernel: normals([3, 3, 3, 1, 4], 1),
  gamma: normals([4], 2),
  beta: normals([4], 3),
  up: normals([2, 2, 2, 4, 4], 4),
  last: normals([1, 1, 1, 4, 1], 5),
};

/** A network with one of each layer, a loss and a gradient-descent update. */
const trainingStep: StepFunction = ({ image }, v) => {
  const forward = () => {
    const hidden = leakyRelu(instanceNorm(conv3d(image as Tensor5D, v.kernel as never), v.gamma as never, v.beta as never), 0.1);
    const up = convTranspose3d(maxPool3d(dropout(hidden, 0.2, 1, true)), v.up as never, 2);
    return conv3d(up, v.last as never)
      .sub(image as Tensor)
      .square()
      .mean() as Scalar;
  };
  const {
    terms: { total: loss },
    gradients,
  } = lossAndGradients(() => ({ total: forward() }), v);
  for (const [name, gradient] of Object.entries(gradients)) v[name]?.assign(v[name]?.sub(gradient.mul(0.1)) as never);
  return { loss };
};

const inputs = { image: { shape: [2, 4, 6, 8, 1], dtype: 'float32' as const } };
const image = normals([2, 4, 6, 8, 1], 9).data;

async function losses(engine: 'graph' | 'eager', steps: number): Promise<number[]> {
  const state = createState(parameters, { engine });
  const step = compile(trainingStep, { name: 'training step', inputs, state, precision: 'float32' });
  const result: number[] = [];
  for (let i = 0; i < steps; i++) result.push((await step.run({ image }, i)).loss?.[0] as number);
  state.dispose();
  return result;
}

describe('compiled steps', () => {
  it('gives the losses of the eager engine over 20 steps, and learns', async () => {
    const [graph, eager] = [await losses('graph', 20), await losses('eager', 20)];
    for (const [i, loss] of graph.entries()) expect(Math.abs(loss - (eager[i] as number))).toBeLessThan(1e-5);
    expect(graph[19]).toBeLessThan(0.7 * (graph[0] as number));
  });

  it('repeats bit for bit from the same seeds', async () => {
    expect(await losses('graph', 5)).toEqual(await losses('graph', 5));
  });

  it('shares one state between functions, and reads and writes it by name', async () => {
    const state = createState({ a: { shape: [2], data: Float32Array.of(1, 2) } }, { engine: 'graph' });
    const options = { inputs: {}, state, precision: 'float32' as const };
    const double = compile(
      (_, v) => {
        v.a?.assign(v.a.mul(2));
        return { before: v.a?.sum() as Tensor };
      },
      { name: 'double', ...options },
    );
    const sum = compile((_, v) => ({ sum: v.a?.sum() as Tensor }), { name: 'sum', ...options });
    await double.run({});
    expect((await sum.run({})).sum?.[0]).toBe(6);
    await state.write({ a: { shape: [2], data: Float32Array.of(5, 6) } });
    expect((await sum.run({})).sum?.[0]).toBe(11);
    expect((await state.read()).a?.data).toEqual(Float32Array.of(5, 6));
    await expect(state.write({ b: { shape: [1], data: Float32Array.of(1) } })).rejects.toThrow(/no variable named b/);
    await expect(state.write({ a: { shape: [3], data: Float32Array.of(1, 2, 3) } })).rejects.toThrow(/\[2\].*\[3\]/);
    state.dispose();
  });

  it('leaves no tensor behind', async () => {
    await losses('graph', 1);
    const before = tf.memory().numTensors;
    await losses('graph', 3);
    await losses('eager', 3);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('draws new in-graph numbers for each seed, uniform in [0, 1)', async () => {
    const state = createState({}, { engine: 'graph' });
    const draw = compile(() => ({ u: randomUniform([20000], 3) }), { name: 'draw', inputs: {}, state, precision: 'float32' });
    const [first, again, other] = [(await draw.run({}, 1)).u, (await draw.run({}, 1)).u, (await draw.run({}, 2)).u] as Float32Array[];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    const mean = (first as Float32Array).reduce((a, b) => a + b, 0) / 20000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01); // standard error 0.002
    expect(Math.min(...(first as Float32Array))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...(first as Float32Array))).toBeLessThan(1);
    state.dispose();
  });

  it('keeps bfloat16 products near the float32 result: three roundings of 2^-8 each, and sums larger than their result', async () => {
    const run = async (precision: 'float32' | 'bfloat16') => {
      const state = createState(parameters, { engine: 'graph' });
      const step = compile(({ image: x }, v) => ({ y: conv3d(x as Tensor5D, v.kernel as never) }), {
        name: 'conv',
        inputs,
        state,
        precision,
      });
      const { y } = await step.run({ image });
      state.dispose();
      return y as Float32Array;
    };
    const [exact, rounded] = [await run('float32'), await run('bfloat16')];
    const scale = Math.max(...exact.map(Math.abs));
    const error = Math.max(...exact.map((value, i) => Math.abs(value - (rounded[i] as number)))) / scale;
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(2 ** -6);
  });
});

describe('errors of compiled steps name the place', () => {
  const state = () => createState({}, { engine: 'graph' });
  const build = (step: StepFunction) => () => compile(step, { name: 'training step', inputs, state: state(), precision: 'float32' });

  it('when a traced value is read', () => {
    expect(build(({ image: x }) => inPlace('down_1', () => ({ y: tf.scalar((x as Tensor).dataSync()[0] as number) })))).toThrow(
      /in down_1: the value of a traced tensor was read/,
    );
  });

  it('when shapes do not fit', () => {
    const wrong = build(({ image: x }) =>
      inPlace('down_2', () => inPlace('conv_0', () => ({ y: conv3d(x as Tensor5D, tf.zeros([3, 3, 3, 2, 4])) }))),
    );
    expect(wrong).toThrow(/in down_2\.conv_0: Conv3D/);
  });

  it('when a tensor from outside is used', () => {
    const outside = tf.tidy(() => tf.keep(tf.zeros([2]).add(1)));
    expect(build(() => inPlace('head', () => ({ y: outside.add(1) })))).toThrow(/in head: .*computed outside the compiled step/);
  });

  it('when an op has no kernel', async () => {
    const { runOp } = await import('../../src/engine/native-backend.js');
    expect(build(({ image: x }) => inPlace('head', () => ({ y: runOp('NoSuchOp', [], [x as Tensor]) })))).toThrow(/in head: .*NoSuchOp/);
  });

  it('when an input is missing, of the wrong size, of the wrong type or unknown', async () => {
    const step = compile(({ image: x }) => ({ y: (x as Tensor).sum() }), {
      name: 'training step',
      inputs,
      state: state(),
      precision: 'float32',
    });
    await expect(step.run({})).rejects.toThrow(/training step: input image of shape \[2,4,6,8,1\] was not given/);
    await expect(step.run({ image: new Float32Array(3) })).rejects.toThrow(/takes 384 values.*got 3/);
    await expect(step.run({ image: new Int32Array(384) })).rejects.toThrow(/takes float32, got int32/);
    await expect(step.run({ image, mask: image })).rejects.toThrow(/no input mask/);
  });
});

describe('gradients agree with central differences', () => {
  const probe = normals([1, 3, 4, 5, 2], 20);
  const cases: Record<string, (x: Tensor) => Tensor> = {
    conv3d: (x) => conv3d(x as Tensor5D, tf.tensor(normals([3, 3, 3, 2, 3], 21).data, [3, 3, 3, 2, 3])),
    'conv3d with stride 2': (x) => conv3d(x as Tensor5D, tf.tensor(normals([2, 2, 2, 2, 3], 22).data, [2, 2, 2, 2, 3]), 2),
    'conv3d filter': (x) => conv3d(tf.tensor(normals([1, 4, 4, 4, 5], 23).data, [1, 4, 4, 4, 5]), x.reshape([3, 2, 2, 5, 2])),
    convTranspose3d: (x) => convTranspose3d(x as Tensor5D, tf.tensor(normals([2, 2, 2, 3, 2], 24).data, [2, 2, 2, 3, 2]), 2),
    'convTranspose3d filter': (x) =>
      convTranspose3d(
        tf.tensor5d(normals([1, 2, 2, 2, 2], 25).data, [1, 2, 2, 2, 2]),
        x.reshape([2, 2, 3, 5, 2]).slice([0, 0, 0, 0, 0], [2, 2, 2, 5, 2]) as Tensor5D,
        2,
      ),
    instanceNorm: (x) => instanceNorm(x as Tensor5D, tf.tensor1d([0.7, -1.2]), tf.tensor1d([0.1, 0.2])),
    'instanceNorm of two items': (x) => instanceNorm(x.reshape([2, 3, 4, 5, 1]) as Tensor5D, tf.tensor1d([0.7]), tf.tensor1d([0.1])),
    'instanceNorm scale': (x) => instanceNorm(tf.tensor(probe.data, [1, 3, 4, 5, 2]), x.reshape([60, 2]).sum(0) as Tensor1D, tf.tensor1d([0.1, 0.2])),
    leakyRelu: (x) => leakyRelu(x, 0.1),
    gelu: (x) => gelu(x),
    layerNorm: (x) => layerNorm(x, tf.tensor1d([0.7, -1.2]), tf.tensor1d([0.1, 0.2]), 0.1),
    'layerNorm scale': (x) => layerNorm(tf.tensor(probe.data, [1, 3, 4, 5, 2]), x.reshape([60, 2]).mean(0) as Tensor1D, tf.tensor1d([0.1, 0.2]), 0.1),
    roll: (x) => roll(x, [1, -2], [2, 3]),
    'resizeTrilinear up': (x) => resizeTrilinear(x as Tensor5D, [6, 7, 10]),
    'resizeTrilinear down': (x) => resizeTrilinear(x as Tensor5D, [2, 4, 3]),
    maxPool3d: (x) => maxPool3d(x as Tensor5D),
  };
  for (const [name, op] of Object.entries(cases)) {
    it(name, () => {
      tf.tidy(() => {
        const weigh = (y: Tensor) => y.mul(tf.tensor(normals(y.shape, 30).data, y.shape)).sum() as Scalar;
        const objective = (x: Tensor) => weigh(op(x));
        const x = tf.tensor(probe.data, probe.shape);
        const analytic = tf.grad(objective)(x).dataSync();
        const step = 1e-2; // float32: truncation and rounding errors are both about 1e-3 of the slope here
        const scale = Math.max(0.1, ...analytic.map(Math.abs));
        for (let i = 0; i < probe.data.length; i += 7) {
          const at = (delta: number) => {
            const moved = probe.data.slice();
            moved[i] = (moved[i] as number) + delta;
            return objective(tf.tensor(moved, probe.shape)).dataSync()[0] as number;
          };
          if (Math.abs(probe.data[i] as number) < 2 * step) continue; // the kink of leaky ReLU
          expect(Math.abs((at(step) - at(-step)) / (2 * step) - (analytic[i] as number)) / scale).toBeLessThan(1e-2);
        }
      });
    });
  }
});

describe('the filter gradient of large convolutions', () => {
  it.each([
    [1, [40, 42, 44], 16, 16],
    [2, [40, 41, 40], 16, 32],
    [2, [40, 40, 41], 32, 16],
  ] as const)('is the eager one, batch %i, size %j, %i to %i channels', async (batch, size, inputs, outputs) => {
    const voxels = batch * size[0] * size[1] * size[2];
    const values = { x: normals([voxels * inputs], 31).data, dy: normals([voxels * outputs], 32).data };
    const specs = { x: { shape: [batch, ...size, inputs], dtype: 'float32' }, dy: { shape: [batch, ...size, outputs], dtype: 'float32' } } as const;
    const [graph, eager] = await Promise.all(
      (['graph', 'eager'] as const).map(async (engine) => {
        const state = createState({ w: normals([3, 3, 3, inputs, outputs], 33) }, { engine });
        const gradient: StepFunction = ({ x, dy }, { w }) => ({ dw: tf.grads((filter) => conv3d(x as Tensor5D, filter as Tensor5D))([w!], dy!)[0]! });
        const result = await compile(gradient, { name: 'filter gradient', inputs: specs, state, precision: 'float32' }).run(values);
        state.dispose();
        return result.dw as Float32Array;
      }),
    );
    const largest = eager!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (let i = 0; i < eager!.length; i++) expect(Math.abs(graph![i]! - eager![i]!)).toBeLessThan(1e-5 * largest);
  });
});
