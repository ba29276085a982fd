import { describe, expect, it } from 'vitest';
import type { NamedArrays } from '../../src/engine/index.js';
import { isEncoderParameter, unet } from '../../src/network/index.js';
import { modelsGenesis, type PretextMethod, simMim } from '../../src/pretext/index.js';
import { onePass } from './one-pass.js';
import { meanOf, noise } from './plain-loops.js';

const network = unet({ inChannels: 2, outChannels: 2, features: [4, 4, 4, 6, 8, 4], dropout: 0.1 });
const batch = { size: 2, crop: [32, 16, 48] as const, scaledTargets: false };
const length = 2 * 32 * 16 * 48 * 2;
const images = noise(length, 1);

const pass = (method: PretextMethod, inputs: Record<string, Float32Array | Int32Array>, weights: NamedArrays = {}) =>
  onePass(network, method, inputs, weights);

describe('Models Genesis', () => {
  const method = modelsGenesis(network, batch);
  const corrupted = noise(length, 2);

  it('restores the whole crop from the corrupted one by the mean squared error, through a sigmoid', async () => {
    const { total, reconstruction, prediction, seen } = await pass(method, { images, corrupted });
    expect(total).toBe(reconstruction);
    expect(total).toBeCloseTo(meanOf(Array.from(prediction, (value, i) => (value - images[i]!) ** 2)), 5);
    expect(Array.from(seen)).toEqual(Array.from(corrupted));
    for (const value of prediction) if (!(value > 0 && value < 1)) expect.fail(`a prediction is ${value}`);
  });

  it('teaches encoder and decoder, and has no head', async () => {
    const { reached, specs } = await pass(method, { images, corrupted });
    expect(specs).toBe(network.specs.length === specs.length ? specs : network.specs);
    for (const name of ['conv_0.conv_0.conv.weight', 'down_4.convs.conv_1.conv.weight', 'upcat_1.convs.conv_1.conv.weight', 'final_conv.weight']) {
      expect(reached).toContain(name);
    }
    expect(method.heads).toEqual([]);
  });

  it('refuses a crop that has no room for its windows', () => {
    expect(() => modelsGenesis(network, { ...batch, crop: [12, 32, 32] })).toThrow(/a side of 12 voxels, but .* need at least 14/);
  });
});

describe('SimMIM', () => {
  const method = simMim(network, batch, { patch: 8, maskRatio: 0.6 });
  const fed = { images, ...(method.corruption(5, 0) as { patchMask: Float32Array }) };

  it('masks 0.6 of the patches of every crop, others in every step, the same ones again', () => {
    const masks = [0, 1, 0].map((step) => method.corruption(5, step).patchMask as Float32Array);
    const perItem = 4 * 2 * 6;
    for (const item of [0, 1]) {
      const masked = masks[0]!.subarray(item * perItem, (item + 1) * perItem).reduce((a, b) => a + b, 0);
      expect(masked).toBe(Math.round(0.6 * perItem));
    }
    expect(masks[2]).toEqual(masks[0]);
    expect(masks[1]).not.toEqual(masks[0]);
  });

  it('shows the learned token in masked voxels, and scores masked voxels alone, by the absolute difference', async () => {
    const { seen, prediction, total } = await pass(method, fed, { 'pretext.mask_token': { shape: [2], data: Float32Array.of(-3, 5) } });
    const errors: number[] = [];
    for (let i = 0; i < length; i++) {
      if (seen[i] === (i % 2 === 0 ? -3 : 5)) errors.push(Math.abs(prediction[i]! - images[i]!));
      else if (seen[i] !== images[i] || prediction[i] !== images[i]) expect.fail(`visible value ${i} was changed`);
    }
    expect(errors.length).toBe(2 * Math.round(0.6 * 48) * 8 ** 3 * 2);
    expect(total).toBeCloseTo(meanOf(errors), 5);
  });

  it('puts what the head predicts for a cell into the voxels of that cell, [z, y, x, channel]', async () => {
    // The bias alone speaks: every cell predicts the same block, in which each value tells its place.
    const block = Float32Array.from({ length: 16 ** 3 * 2 }, (_, i) => i / 8192);
    const silent = { shape: [8, block.length], data: new Float32Array(8 * block.length) };
    const { prediction, seen } = await pass(
      method,
      { ...fed, images: new Float32Array(length) },
      {
        'pretext.reconstruction.weight': silent,
        'pretext.reconstruction.bias': { shape: [block.length], data: block },
        'pretext.mask_token': { shape: [2], data: Float32Array.of(-3, -3) },
      },
    );
    let at = 0;
    for (let b = 0; b < 2; b++) {
      for (let z = 0; z < 32; z++) {
        for (let y = 0; y < 16; y++) {
          for (let x = 0; x < 48; x++) {
            for (let c = 0; c < 2; c++, at++) {
              if (seen[at] !== -3) continue;
              const expected = block[(((z % 16) * 16 + (y % 16)) * 16 + (x % 16)) * 2 + c]!;
              if (Math.abs(prediction[at]! - expected) > 1e-6) expect.fail(`voxel ${[b, z, y, x, c]} is ${prediction[at]}, not ${expected}`);
            }
          }
        }
      }
    }
  });

  it('has no decoder, and teaches the encoder, the head and the token', async () => {
    const { specs, reached } = await pass(method, fed);
    const names = specs.map(({ name }) => name);
    expect(names.filter((name) => !isEncoderParameter(network, name)).sort()).toEqual([
      'pretext.mask_token',
      'pretext.reconstruction.bias',
      'pretext.reconstruction.weight',
    ]);
    expect(names.filter((name) => isEncoderParameter(network, name))).toHaveLength(40); // ten convolutions with their norms
    for (const name of ['conv_0.conv_0.conv.weight', 'pretext.mask_token', 'pretext.reconstruction.weight']) expect(reached).toContain(name);
  });

  it('refuses crops that its patches or cells do not divide', () => {
    expect(() => simMim(network, batch, { patch: 32, maskRatio: 0.6 })).toThrow(/data.cropSize 16 must be divisible by method.patch 32/);
    expect(() => simMim(network, { ...batch, crop: [40, 32, 32] }, { patch: 8, maskRatio: 0.6 })).toThrow(/a side of 40 voxels, but one cell/);
  });
});
