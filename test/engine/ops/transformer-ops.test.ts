import { describe, expect, it } from 'vitest';
import {
  attention,
  groupNorm,
  halvingConv3d,
  layerNorm,
  linearLayer,
  multilayerPerceptron,
  type NamedArray,
  permuteRows,
  relu,
  resizeTrilinear,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor5D,
  tf,
} from '../../../src/engine/index.js';
import { computed, engines, normals } from '../computed.js';

type Op = (...tensors: Tensor[]) => Tensor;

/** Value and gradients of `op` where its output meets the slope `dy`. */
async function differentiated(
  engine: (typeof engines)[number],
  op: Op,
  inputs: Readonly<Record<string, NamedArray>>,
  dy: NamedArray,
) {
  const names = Object.keys(inputs);
  return computed(
    engine,
    ({ dy: slope, ...tensors }) => {
      const ordered = names.map((name) => tensors[name] as Tensor);
      const gradients = tf.grads(op)(ordered, slope as Tensor);
      return {
        value: op(...ordered),
        ...Object.fromEntries(gradients.map((gradient, i) => [names[i] as string, gradient])),
      };
    },
    { ...inputs, dy },
    3,
  );
}

function expectClose(
  found: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
  tolerance: number,
) {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = values.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (found[name]?.[i] as number))),
      0,
    );
    expect([name, error / largest]).toEqual([name, expect.closeTo(0, tolerance)]);
    expect(largest).toBeGreaterThan(0);
  }
}

/** Slopes of sum(op(x) * dy) by central differences in one element of each input, against the op's own gradient. */
async function expectNumericGradient(
  engine: (typeof engines)[number],
  op: Op,
  inputs: Readonly<Record<string, NamedArray>>,
  dy: NamedArray,
) {
  const found = await differentiated(engine, op, inputs, dy);
  const total = async (moved: Readonly<Record<string, NamedArray>>) => {
    const names = Object.keys(moved);
    const step = (tensors: Record<string, Tensor>) => ({
      y: op(...names.map((name) => tensors[name] as Tensor)),
    });
    const { y } = await computed(engine, step, moved);
    return (y as Float32Array).reduce((sum, value, i) => sum + value * (dy.data[i] as number), 0);
  };
  const h = 1e-2;
  for (const [name, array] of Object.entries(inputs)) {
    for (const at of [0, Math.floor(array.data.length / 2), array.data.length - 1]) {
      const moved = (by: number) => ({
        ...inputs,
        [name]: { ...array, data: array.data.map((value, i) => (i === at ? value + by : value)) },
      });
      const slope = ((await total(moved(h))) - (await total(moved(-h)))) / (2 * h);
      expect(Math.abs(slope - (found[name]?.[at] as number))).toBeLessThan(2e-3 * (1 + Math.abs(slope))); // float32 sums of a few hundred terms
    }
  }
}

describe.each(engines)('ops of transformers, %s', (engine) => {
  const [windows, tokens, heads, width] = [6, 5, 2, 3];
  const sides = Uint8Array.from({ length: 3 * tokens * 2 }, (_, i) => ((i * 7) % 3 === 0 ? 1 : 0));

  /** The same attention with every step written out and differentiated by tfjs. */
  const slowAttention =
    (withParts: boolean): Op =>
    (qkv, bias) => {
      const split = (qkv as Tensor).reshape([windows, tokens, 3, heads, width]).transpose([2, 0, 3, 1, 4]);
      const [q, k, v] = [0, 1, 2].map((i) => split.slice(i, 1).reshape([windows, heads, tokens, width])) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const forbidden = Float32Array.from({ length: windows * tokens * tokens }, (_, i) => {
        const [window, a, b] = [Math.floor(i / tokens ** 2) % 3, Math.floor(i / tokens) % tokens, i % tokens];
        const differs = (axis: number) =>
          sides[(window * tokens + a) * 2 + axis] !== sides[(window * tokens + b) * 2 + axis];
        return withParts && (differs(0) || differs(1)) ? -100 : 0;
      });
      const logits = tf
        .matMul(q, k, false, true)
        .mul(1 / Math.sqrt(width))
        .add(tf.tensor(forbidden, [windows, 1, tokens, tokens]));
      const weights = (bias ? logits.add(bias) : logits).softmax();
      return tf
        .matMul(weights, v)
        .transpose([0, 2, 1, 3])
        .reshape([windows * tokens, heads * width]);
    };

  it.each([
    [false, true],
    [true, true],
    [false, false],
  ])(
    'attention, parts: %s, bias: %s, as written out step by step, and its gradients',
    async (withParts, withBias) => {
      const inputs = {
        qkv: normals([windows * tokens, 3 * heads * width], 1),
        ...(withBias && { bias: normals([heads, tokens, tokens], 2) }),
      };
      const parts = withParts ? { windows: 3, axes: 2, sides } : undefined;
      const op: Op = (qkv, bias) =>
        attention(qkv as Tensor2D, { heads, tokens, parts }, bias as Tensor3D | undefined);
      const dy = normals([windows * tokens, heads * width], 3);
      expectClose(
        await differentiated(engine, op, inputs, dy),
        await differentiated(engine, slowAttention(withParts), inputs, dy),
        5,
      );
    },
  );

  it('attention of windows that take several goes', async () => {
    const [many, of] = [5, 1200]; // 1.44 million weights each, more than half of what is computed at a time
    const inputs = { qkv: normals([many * of, 3 * 2], 4) };
    const dy = normals([many * of, 2], 5);
    const op: Op = (qkv) => attention(qkv as Tensor2D, { heads: 1, tokens: of });
    const oneByOne: Op = (qkv) =>
      tf.concat(
        Array.from({ length: many }, (_, i) => op((qkv as Tensor2D).slice([i * of, 0], [of, 6]))),
        0,
      );
    expectClose(
      await differentiated(engine, op, inputs, dy),
      await differentiated(engine, oneByOne, inputs, dy),
      5,
    );
  });

  it('dropout of attention weights drops the same in the gradient: a weight that is dropped passes no slope', async () => {
    const inputs = { qkv: normals([windows * tokens, 3 * heads * width], 1) };
    const op: Op = (qkv) => attention(qkv as Tensor2D, { heads, tokens, drop: { rate: 0.5, key: 9 } });
    const dy = normals([windows * tokens, heads * width], 3);
    const { value, qkv } = await differentiated(engine, op, inputs, dy);
    // The output is linear in the values: the sum of output and slope is that of the values and their gradient.
    const along = (value as Float32Array).reduce((sum, y, i) => sum + y * (dy.data[i] as number), 0);
    const ofValues = inputs.qkv.data.reduce(
      (sum, x, i) => (i % 18 >= 12 ? sum + x * (qkv?.[i] as number) : sum),
      0,
    );
    expect(ofValues).toBeCloseTo(along, 4);
    const undropped = await differentiated(
      engine,
      (qkv) => attention(qkv as Tensor2D, { heads, tokens }),
      inputs,
      dy,
    );
    expect(value).not.toEqual(undropped.value);
  });

  it.each([0, 0.3])('multilayer perceptron, some rows at a time, dropout %f', async (rate) => {
    const inputs = {
      x: normals([700, 4], 1),
      w1: normals([4, 8000], 2),
      b1: normals([8000], 3),
      w2: normals([8000, 3], 4),
      b2: normals([3], 5),
    };
    const dy = normals([700, 3], 6);
    const op: Op = (x, w1, b1, w2, b2) =>
      multilayerPerceptron(x as Tensor2D, w1 as Tensor2D, b1 as Tensor1D, w2 as Tensor2D, b2 as Tensor1D, {
        rate,
        key: 5,
      });
    const found = await differentiated(engine, op, inputs, dy);
    if (rate === 0) {
      const written: Op = (x, w1, b1, w2, b2) => {
        const h = tf.matMul(x as Tensor2D, w1 as Tensor2D).add(b1 as Tensor);
        return tf
          .matMul(h.mul(h.mul(Math.SQRT1_2).erf().add(1).mul(0.5)) as Tensor2D, w2 as Tensor2D)
          .add(b2 as Tensor);
      };
      expectClose(found, await differentiated(engine, written, inputs, dy), 4);
    } else {
      const along = (found.value as Float32Array).reduce(
        (sum, y, i) => sum + (y - (inputs.b2.data[i % 3] as number)) * (dy.data[i] as number),
        0,
      );
      const ofW2 = inputs.w2.data.reduce((sum, w, i) => sum + w * (found.w2?.[i] as number), 0); // linear in w2
      expect(ofW2 / along).toBeCloseTo(1, 4);
    }
  });

  it('linear layer with and without bias', async () => {
    const inputs = { x: normals([7, 4], 1), w: normals([4, 3], 2), b: normals([3], 3) };
    const dy = normals([7, 3], 4);
    const op: Op = (x, w, b) => linearLayer(x as Tensor2D, w as Tensor2D, b as Tensor1D | undefined);
    const written: Op = (x, w, b) =>
      b ? tf.matMul(x as Tensor2D, w as Tensor2D).add(b) : tf.matMul(x as Tensor2D, w as Tensor2D);
    expectClose(
      await differentiated(engine, op, inputs, dy),
      await differentiated(engine, written, inputs, dy),
      5,
    );
    const { b: _, ...without } = inputs;
    expectClose(
      await differentiated(engine, op, without, dy),
      await differentiated(engine, written, without, dy),
      5,
    );
  });

  it.each([1, 2])('group norm of %i items by its formula, and its gradients', async (batch) => {
    const inputs = { x: normals([batch, 3, 4, 5, 6], 1), gamma: normals([6], 2), beta: normals([6], 3) };
    const dy = normals([batch, 3, 4, 5, 6], 4);
    const op: Op = (x, gamma, beta) => groupNorm(x as Tensor5D, gamma as Tensor1D, beta as Tensor1D, 3);
    const written: Op = (x, gamma, beta) => {
      const grouped = (x as Tensor).reshape([batch, 60, 3, 2]);
      const centred = grouped.sub(grouped.mean([1, 3], true));
      const normed = centred.div(centred.square().mean([1, 3], true).add(1e-5).sqrt());
      return normed
        .reshape((x as Tensor).shape)
        .mul(gamma as Tensor)
        .add(beta as Tensor);
    };
    expectClose(
      await differentiated(engine, op, inputs, dy),
      await differentiated(engine, written, inputs, dy),
      4,
    );
  });

  it('layer norm by its formula, and its gradients', async () => {
    const inputs = { x: normals([9, 6], 1), gamma: normals([6], 2), beta: normals([6], 3) };
    const dy = normals([9, 6], 4);
    const op: Op = (x, gamma, beta) => layerNorm(x as Tensor, gamma as Tensor1D, beta as Tensor1D);
    const written: Op = (x, gamma, beta) => {
      const centred = (x as Tensor).sub((x as Tensor).mean(-1, true));
      return centred
        .div(centred.square().mean(-1, true).add(1e-5).sqrt())
        .mul(gamma as Tensor)
        .add(beta as Tensor);
    };
    expectClose(
      await differentiated(engine, op, inputs, dy),
      await differentiated(engine, written, inputs, dy),
      4,
    );
  });

  it('relu and its gradient', async () => {
    const inputs = { x: normals([40], 1) };
    const dy = normals([40], 2);
    const { value, x } = await differentiated(engine, (t) => relu(t as Tensor), inputs, dy);
    expect(value?.map((y) => y + 0)).toEqual(inputs.x.data.map((v) => Math.max(0, v))); // -0 is 0
    expect(x?.map((slope) => slope + 0)).toEqual(
      dy.data.map((slope, i) => ((inputs.x.data[i] as number) > 0 ? slope : 0)),
    );
  });

  it('rows in another order, some left out and zeros between, and slopes back where they came from', async () => {
    const inputs = { x: normals([4, 2], 1) };
    const dy = normals([5, 2], 2);
    const sources = Int32Array.of(2, -1, 0, 3, -1);
    const places = Int32Array.of(2, -1, 0, 3);
    const { value, x } = await differentiated(
      engine,
      (t) => permuteRows(t as Tensor2D, sources, places),
      inputs,
      dy,
    );
    const row = (data: Float32Array | undefined, i: number) =>
      i < 0 ? [0, 0] : [...(data ?? []).slice(2 * i, 2 * i + 2)];
    expect([...(value as Float32Array)]).toEqual([...sources].flatMap((i) => row(inputs.x.data, i)));
    expect([...(x as Float32Array)]).toEqual([...places].flatMap((i) => row(dy.data, i)));
  });

  it.each([
    [6, 4, 5],
    [4, 4, 4],
  ])(
    'convolution of stride 2 begins at the first voxel, as PyTorch, and its gradients: %i x %i x %i',
    async (...size) => {
      const inputs = { x: normals([1, ...size, 2], 1), w: normals([3, 3, 3, 2, 3], 2) };
      const half = size.map((n) => Math.ceil(n / 2));
      const op: Op = (x, w) => halvingConv3d(x as Tensor5D, w as Tensor5D);
      const dy = normals([1, ...half, 3], 3);
      const { value } = await differentiated(engine, op, inputs, dy);
      const at = (d: number, h: number, wide: number, c: number) => {
        const inside = [d, h, wide].every((n, axis) => n >= 0 && n < (size[axis] as number));
        return inside ? (inputs.x.data[((d * size[1]! + h) * size[2]! + wide) * 2 + c] as number) : 0;
      };
      let first = 0; // of output voxel [1, 1, 1], channel 2
      for (let kd = 0; kd < 3; kd++)
        for (let kh = 0; kh < 3; kh++)
          for (let kw = 0; kw < 3; kw++)
            for (let c = 0; c < 2; c++)
              first +=
                at(1 + kd, 1 + kh, 1 + kw, c) *
                (inputs.w.data[(((kd * 3 + kh) * 3 + kw) * 2 + c) * 3 + 2] as number);
      expect(value?.[((half[1]! + 1) * half[2]! + 1) * 3 + 2]).toBeCloseTo(first, 4);
      await expectNumericGradient(engine, op, inputs, dy);
    },
  );

  it('trilinear resize has the gradient of its values', async () => {
    await expectNumericGradient(
      engine,
      (x) => resizeTrilinear(x as Tensor5D, [4, 6, 5]),
      { x: normals([2, 2, 3, 4, 2], 1) },
      normals([2, 4, 6, 5, 2], 2),
    );
  });
});
