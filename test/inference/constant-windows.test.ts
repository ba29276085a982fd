import { afterAll, describe, expect, it } from 'vitest';
import { createState } from '../../src/engine/index.js';
import {
  labelScheme,
  openPredictor,
  type Predictor,
  predictLabel,
  type WindowSettings,
} from '../../src/inference/index.js';
import { initialiseParameters, unet } from '../../src/network/index.js';
import { axisAlignedAffine, type Triple, type Volume } from '../../src/volume/index.js';
import { slidingWindow } from './references.js';

const scheme = labelScheme({ 1: 'lesion', 2: 'oedema' });
const window: Triple = [16, 16, 16];
const size: Triple = [72, 40, 40];
/** The windows that touch it begin at x 40 and beyond. */
const brainFrom = 56;

/** With instance norm, as all our networks. Dice training leaves a network sure of itself, hence the last layer's weights. */
const network = unet({
  inChannels: 2,
  outChannels: 3,
  features: [4, 4, 4, 4, 8, 4],
  pools: [2, 2, 2, 2],
  dropout: 0,
});
const parameters = initialiseParameters(network.specs, 3);

function predictor(constantWindows: WindowSettings['constantWindows'], states = 1): Predictor {
  const opened = Array.from({ length: states }, () =>
    createState(parameters, { engine: 'graph', threads: 1 }),
  );
  afterAll(() => {
    for (const state of opened) state.dispose();
  });
  const settings = { window, overlap: 0.5, windowBatch: 1, mirror: [], constantWindows } as const;
  return openPredictor({ ...settings, network, states: opened, kind: 'classes', precision: 'float32' });
}

/** A brain at one end; air of one value elsewhere, but for the last bit of it, as resampling leaves it. */
function scan(air: number): Volume {
  const voxels = size[0] * size[1] * size[2];
  const data = Float32Array.from({ length: 2 * voxels }, (_, at) => {
    const i = at % voxels;
    const [x, y, z] = [i % size[0], Math.floor(i / size[0]) % size[1], Math.floor(i / (size[0] * size[1]))];
    const bit = (7 * x + 3 * y + z) % 3 === 0 ? 1 + 1.2e-7 : 1;
    return x < brainFrom ? air * bit : Math.sin(0.9 * x + 0.4 * y) + Math.cos(1.3 * z);
  });
  return { size, spacing: [1, 1, 1], affine: axisAlignedAffine([1, 1, 1]), channels: 2, data };
}

/** Labelled voxels before the windows that the brain touches. */
async function labelledInAir(of: Predictor, volume: Volume): Promise<number> {
  const { data } = await predictLabel(of, volume, { grid: volume, scheme, images: ['scan.nii.gz'] });
  return data.filter((value, i) => value !== 0 && i % size[0] < 40).length;
}

describe('windows of one value', () => {
  it.each([-0.5, 0, 3])(
    'are labelled by a network with instance norm, and background where they are left out: %s',
    async (air) => {
      const volume = scan(air);
      expect(await labelledInAir(predictor('run'), volume)).toBeGreaterThan(1000);
      expect(await labelledInAir(predictor('background'), volume)).toBe(0);
      expect(await labelledInAir(predictor('background', 2), volume)).toBe(0);
    },
  );

  it('leave the logits of what other windows cover as they are', async () => {
    const volume = scan(-0.5);
    const [all, some] = [await predictor('run').logits(volume), await predictor('background').logits(volume)];
    const voxels = size[0] * size[1] * size[2];
    for (let i = 0; i < voxels; i++) {
      const x = i % size[0];
      const values = [0, 1, 2].map((c) => some.data[i + c * voxels]!);
      if (x < 40) expect(values).toEqual([10, -10, -10]);
      // From here on no window of one value covers a voxel.
      if (x >= brainFrom) expect(values).toEqual([0, 1, 2].map((c) => all.data[i + c * voxels]!));
    }
  });

  it('may be all of a scan, and are none of a window that reaches beyond a scan of another value', async () => {
    const whole = (of: Triple, value: number): Volume => ({
      ...scan(0),
      size: of,
      channels: 1,
      data: new Float32Array(of[0] * of[1] * of[2]).fill(value),
    });
    let runs = 0;
    const count = async (images: Float32Array) => {
      runs++;
      return new Float32Array(2 * images.length);
    };
    const options = {
      window,
      overlap: 0.5,
      windowBatch: 1,
      mirror: [],
      constantWindows: 'background',
      outChannels: 2,
      kind: 'regions',
    } as const;
    const nothing = await slidingWindow(whole([20, 20, 20], 4), options, count);
    expect([runs, ...new Set(nothing.data)]).toEqual([0, -10]);
    await slidingWindow(whole([20, 20, 9], 4), options, count);
    expect(runs).toBe(4);
    await slidingWindow(whole([20, 20, 9], 0), options, count);
    expect(runs).toBe(4);
  });
});
