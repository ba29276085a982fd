import { describe, expect, it } from 'vitest';
import { compile, createState } from '../../src/engine/index.js';
import { openPredictor } from '../../src/inference/index.js';
import { largestDifference } from '../volume/references.js';
import { sampled, upright } from './grids.js';
import { network, parameters, tinyPredictor, window } from './tiny-predictor.js';

const predictor = tinyPredictor();
const inThrees = tinyPredictor({ windowBatch: 3 });

describe('a predictor', () => {
  it('gives for one window what the network gives, axes in the order of the file', async () => {
    const volume = sampled(
      window,
      upright.affine,
      ([x, y, z]) => Math.sin(0.3 * x) + Math.cos(0.2 * y) + 0.05 * z,
    );
    const [nx, ny, nz] = window;
    const eager = createState(parameters, { engine: 'eager' });
    const pass = { training: false, dropoutKey: 0 };
    const step = compile(
      ({ images }, values) => ({
        logits: network.decode(network.encode(images as never, values, pass), values, pass),
      }),
      {
        name: 'one window',
        inputs: { images: { shape: [1, nz, ny, nx, 1], dtype: 'float32' } },
        state: eager,
        precision: 'float32',
      },
    );
    const expected = (await step.run({ images: Float32Array.from(volume.data) })).logits as Float32Array;
    eager.dispose();
    const { data } = await predictor.logits(volume);
    const planar = Float32Array.from(
      { length: expected.length },
      (_, i) => expected[(i % (nx * ny * nz)) * 3 + Math.floor(i / (nx * ny * nz))]!,
    );
    // Compiled and eager sum convolutions in another order; logits are of the order of 1.
    expect(largestDifference(data, planar)).toBeLessThan(1e-4);
  });

  it('gives with several windows at once, fewer in the last batch, what it gives with one', async () => {
    const volume = sampled(
      [48, 40, 24],
      upright.affine,
      ([x, y, z]) => Math.sin(0.3 * x) + Math.cos(0.2 * y) + 0.05 * z,
    );
    const one = await predictor.logits(volume);
    const several = await inThrees.logits(volume); // of the eight windows that begin in a slice
    expect(several.data.every(Number.isFinite)).toBe(true);
    // A convolution of three items may sum in another order than one of one.
    expect(largestDifference(several.data, one.data)).toBeLessThan(1e-5);
  });

  it('predicts with the present values of a state that goes on training', async () => {
    const moving = createState(parameters, { engine: 'graph', threads: 1 });
    const present = openPredictor({
      network,
      states: [moving],
      kind: 'classes',
      window,
      overlap: 0,
      windowBatch: 1,
      mirror: [],
      precision: 'float32',
    });
    const volume = sampled(window, upright.affine, ([x]) => Math.sin(0.3 * x));
    const before = await present.logits(volume);
    const shift = parameters['final_conv.bias']!;
    await moving.write({
      'final_conv.bias': { shape: shift.shape, data: Float32Array.from(shift.data, (value) => value + 3) },
    });
    const after = await present.logits(volume);
    expect(
      largestDifference(
        after.data,
        before.data.map((value) => value + 3),
      ),
    ).toBeLessThan(1e-4);
    moving.dispose();
  });
});
