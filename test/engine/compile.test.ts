import { describe, expect, it } from 'vitest';
import {
  compile,
  conv3d,
  convTranspose3d,
  createState,
  dropout,
  instanceNorm,
  leakyRelu,
  lossAndGradients,
  maxPool3d,
  nameScope,
  type Scalar,
  type StepFunction,
  type Tensor,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { randomStream } from '../../src/random/streams.js';

function normals(shape: number[], salt: number): { shape: number[]; data: Float32Array } {
  const stream = randomStream(11, 'init', salt);
  return {
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * stream.normal()),
  };
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
    const hidden = leakyRelu(
      instanceNorm(conv3d(image as Tensor5D, v.kernel as never), v.gamma as never, v.beta as never),
      0.1,
    );
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
  for (const [name, gradient] of Object.entries(gradients))
    v[name]?.assign(v[name]?.sub(gradient.mul(0.1)) as never);
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
    await expect(state.write({ b: { shape: [1], data: Float32Array.of(1) } })).rejects.toThrow(
      /no variable named b/,
    );
    await expect(state.write({ a: { shape: [3], data: Float32Array.of(1, 2, 3) } })).rejects.toThrow(
      /\[2\].*\[3\]/,
    );
    state.dispose();
  });

  it.each(['graph', 'eager'] as const)(
    'gives an input back unchanged where the step returns it, %s',
    async (engine) => {
      const state = createState({}, { engine });
      const step = compile(({ image: x }) => ({ same: x as Tensor }), {
        name: 'same',
        inputs,
        state,
        precision: 'float32',
      });
      expect((await step.run({ image })).same).toEqual(image);
      state.dispose();
    },
  );

  it.each(['graph', 'eager'] as const)(
    'hands its values to a function, which may begin the next run before it reads them, %s',
    async (engine) => {
      const state = createState(parameters, { engine });
      const step = compile(({ image: x }, v) => ({ y: conv3d(x as Tensor5D, v.kernel as never) }), {
        name: 'conv',
        inputs,
        state,
        precision: 'float32',
      });
      const images = [1, 2, 3].map((seed) => normals([2, 4, 6, 8, 1], seed).data);
      const found: Float32Array[] = [];
      const runFrom = async (i: number): Promise<void> => {
        if (i === images.length) return;
        const following = await step.runWith({ image: images[i] as Float32Array }, 'y', (values) => {
          const run = runFrom(i + 1);
          found.push(values.slice());
          return run;
        });
        await following;
      };
      await runFrom(0);
      for (const [i, values] of found.entries())
        expect(values).toEqual((await step.run({ image: images[i] as Float32Array })).y);
      expect(found).toHaveLength(images.length);
      await expect(step.runWith({ image }, 'z', () => {})).rejects.toThrow(
        'conv: there is no float32 output z',
      );
      await expect(
        step.runWith({ image }, 'y', () => {
          throw new Error('not taken');
        }),
      ).rejects.toThrow('not taken');
      state.dispose();
    },
  );

  it('begins a run within the call, so that it goes on beside what its caller does next', async () => {
    const state = createState(parameters, { engine: 'graph' });
    const step = compile(({ image: x }, v) => ({ y: conv3d(x as Tensor5D, v.kernel as never) }), {
      name: 'conv',
      inputs,
      state,
      precision: 'float32',
    });
    await step.run({ image }); // the state's first values are written
    const run = step.run({ image });
    expect(state.inGraph?.session.running.size).toBe(1);
    await run;
    const following = step.runWith({ image }, 'y', () => step.run({ image })); // begun in there, and still awaited here
    expect(state.inGraph?.session.running.size).toBe(1);
    await following;
    state.dispose();
  });

  it('leaves no tensor behind', async () => {
    await losses('graph', 1);
    const before = tf.memory().numTensors;
    await losses('graph', 3);
    await losses('eager', 3);
    expect(tf.memory().numTensors).toBe(before);
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
  const build = (step: StepFunction) => () =>
    compile(step, { name: 'training step', inputs, state: state(), precision: 'float32' });

  it('when a traced value is read', () => {
    expect(
      build(({ image: x }) =>
        nameScope('down_1', () => ({ y: tf.scalar((x as Tensor).dataSync()[0] as number) })),
      ),
    ).toThrow(/in down_1: the value of a traced tensor was read/);
  });

  it('when shapes do not fit', () => {
    const wrong = build(({ image: x }) =>
      nameScope('down_2', () =>
        nameScope('conv_0', () => ({ y: conv3d(x as Tensor5D, tf.zeros([3, 3, 3, 2, 4])) })),
      ),
    );
    expect(wrong).toThrow(/in down_2\.conv_0: Conv3D/);
  });

  it('when a tensor from outside is used', () => {
    const outside = tf.tidy(() => tf.keep(tf.zeros([2]).add(1)));
    expect(build(() => nameScope('head', () => ({ y: outside.add(1) })))).toThrow(
      /in head: .*computed outside the compiled step/,
    );
  });

  it('when an op has no kernel', async () => {
    const { runOp } = await import('../../src/engine/native-backend.js');
    expect(
      build(({ image: x }) => nameScope('head', () => ({ y: runOp('NoSuchOp', [], [x as Tensor]) }))),
    ).toThrow(/in head: .*NoSuchOp/);
  });

  it('when an input is missing, of the wrong size, of the wrong type or unknown', async () => {
    const step = compile(({ image: x }) => ({ y: (x as Tensor).sum() }), {
      name: 'training step',
      inputs,
      state: state(),
      precision: 'float32',
    });
    await expect(step.run({})).rejects.toThrow(
      /training step: input image of shape \[2,4,6,8,1\] was not given/,
    );
    await expect(step.run({ image: new Float32Array(3) })).rejects.toThrow(/takes 384 values.*got 3/);
    await expect(step.run({ image: new Int32Array(384) })).rejects.toThrow(/takes float32, got int32/);
    await expect(step.run({ image, mask: image })).rejects.toThrow(/no input mask/);
  });
});
