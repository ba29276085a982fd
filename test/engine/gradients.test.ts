import { describe, expect, it } from 'vitest';
import {
  avgPool3d,
  conv3d,
  convTranspose3d,
  dropout,
  dropoutLeakyRelu,
  groupNorm,
  instanceNorm,
  layerNorm,
  leakyRelu,
  maxPool3d,
  relu,
  resizeTrilinear,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { engines, normals, runnable } from './computed.js';

const probe = normals([1, 3, 4, 5, 2], 20);
const constant = (shape: number[], salt: number) => tf.tensor(normals(shape, salt).data, shape);
const scale = () => tf.tensor1d([0.7, -1.2]);
const shift = () => tf.tensor1d([0.1, 0.2]);
const summed = (x: Tensor) => x.reshape([60, 2]).sum(0) as Tensor1D;
const averaged = (x: Tensor) => x.reshape([60, 2]).mean(0) as Tensor1D;

const ops: Record<string, (x: Tensor) => Tensor> = {
  conv3d: (x) => conv3d(x as Tensor5D, constant([3, 3, 3, 2, 3], 21) as Tensor5D),
  'conv3d with stride 2': (x) => conv3d(x as Tensor5D, constant([2, 2, 2, 2, 3], 22) as Tensor5D, 2),
  'conv3d filter': (x) => conv3d(constant([1, 4, 4, 4, 5], 23) as Tensor5D, x.reshape([3, 2, 2, 5, 2])),
  convTranspose3d: (x) => convTranspose3d(x as Tensor5D, constant([2, 2, 2, 3, 2], 24) as Tensor5D, 2),
  'convTranspose3d filter': (x) =>
    convTranspose3d(
      constant([1, 2, 2, 2, 2], 25) as Tensor5D,
      x.reshape([2, 2, 3, 5, 2]).slice([0, 0, 0, 0, 0], [2, 2, 2, 5, 2]) as Tensor5D,
      2,
    ),
  instanceNorm: (x) => instanceNorm(x as Tensor5D, scale(), shift()),
  'instanceNorm of two items': (x) =>
    instanceNorm(x.reshape([2, 3, 4, 5, 1]) as Tensor5D, tf.tensor1d([0.7]), tf.tensor1d([0.1])),
  'instanceNorm scale': (x) => instanceNorm(constant([1, 3, 4, 5, 2], 20) as Tensor5D, summed(x), shift()),
  'instanceNorm shift': (x) => instanceNorm(constant([1, 3, 4, 5, 2], 20) as Tensor5D, scale(), summed(x)),
  groupNorm: (x) =>
    groupNorm(
      x.reshape([1, 3, 5, 2, 4]) as Tensor5D,
      constant([4], 27) as Tensor1D,
      constant([4], 28) as Tensor1D,
      2,
    ),
  'groupNorm that takes four voxels as one': (x) =>
    groupNorm(
      x.reshape([120]).slice(0, 96).reshape([1, 2, 3, 4, 4]) as Tensor5D,
      constant([4], 27) as Tensor1D,
      constant([4], 28) as Tensor1D,
      2,
    ),
  relu: (x) => relu(x),
  leakyRelu: (x) => leakyRelu(x, 0.1),
  dropout: (x) => dropout(x, 0.4, 1),
  'dropout of whole channels': (x) => dropout(x.reshape([5, 2, 3, 2, 2]), 0.4, 1, true),
  dropoutLeakyRelu: (x) => dropoutLeakyRelu(x, 0.4, 1, 0.1),
  layerNorm: (x) => layerNorm(x, scale(), shift(), 0.1),
  'layerNorm scale': (x) => layerNorm(constant([1, 3, 4, 5, 2], 20), averaged(x), shift(), 0.1),
  'layerNorm shift': (x) => layerNorm(constant([1, 3, 4, 5, 2], 20), scale(), averaged(x), 0.1),
  'resizeTrilinear up': (x) => resizeTrilinear(x as Tensor5D, [6, 7, 10]),
  'resizeTrilinear down': (x) => resizeTrilinear(x as Tensor5D, [2, 4, 3]),
  'sum of everything': (x) => x.square().sum(),
  'sum over some axes': (x) => x.square().sum([1, 3]),
  'mean over the last axis, which is kept': (x) => x.square().mean(-1, true),
  maxPool3d: (x) => maxPool3d(x as Tensor5D),
  avgPool3d: (x) => avgPool3d(x as Tensor5D, 2),
};

const STEP = 1e-2; // float32: truncation and rounding errors are both about 1e-3 of the slope here
const SEED = 4;

describe.each(engines)('gradients agree with central differences, %s', (engine) => {
  it.each(Object.keys(ops))('%s', async (name) => {
    const op = ops[name] as (typeof ops)[string];
    const weighed = (y: Tensor) => y.mul(constant(y.shape, 30)).sum() as Scalar;
    const run = runnable(
      engine,
      ({ x }) => ({
        value: weighed(op(x as Tensor)),
        slope: tf.grad((z: Tensor) => weighed(op(z)))(x as Tensor),
      }),
      {
        x: probe,
      },
    );
    const slope = (await run({ x: probe }, SEED)).slope as Float32Array;
    const largest = slope.reduce((most, value) => Math.max(most, Math.abs(value)), 0.1);
    const valueAt = async (i: number, delta: number) => {
      const data = probe.data.slice();
      data[i] = (data[i] as number) + delta;
      return (await run({ x: { ...probe, data } }, SEED)).value?.[0] as number;
    };
    for (let i = 0; i < probe.data.length; i += 7) {
      if (Math.abs(probe.data[i] as number) < 2 * STEP) continue; // the kink of ReLU, leaky or not
      const numeric = ((await valueAt(i, STEP)) - (await valueAt(i, -STEP))) / (2 * STEP);
      expect(Math.abs(numeric - (slope[i] as number)) / largest).toBeLessThan(1e-2);
    }
    run.dispose();
  });
});
