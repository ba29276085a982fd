import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Preprocessing } from '../../src/dataset/index.js';
import { createState } from '../../src/engine/index.js';
import {
  labelScheme,
  openPredictor,
  type Predictor,
  predictorOf,
  slidingWindowSlabs,
  type WindowSettings,
} from '../../src/inference/index.js';
import { initialiseParameters, unet } from '../../src/network/index.js';
import { type Triple, type Volume, writeNifti } from '../../src/volume/index.js';
import { ellipsoid } from './grids.js';
import { asNetwork } from './references.js';

export const scheme = labelScheme({ 1: 'liver', 2: 'tumour' });

/** A tiny UNet with random weights; its prediction is arbitrary but depends on every axis of what it sees. */
export const network = unet({
  inChannels: 1,
  outChannels: 3,
  features: [4, 4, 4, 4, 8, 4],
  pools: [2, 2, 2, 2],
  dropout: 0,
});
export const parameters = initialiseParameters(network.specs, 5);
/** Sides differ, so that axes taken for one another show. */
export const window: Triple = [32, 16, 16];

/** Windows one by one, that overlap by half and are not mirrored. */
export const windows = { overlap: 0.5, windowBatch: 1, mirror: [] } as const;

/** The tiny network, open as long as the test file. */
export function tinyPredictor(settings: Partial<WindowSettings> = {}): Predictor {
  const state = createState(parameters, { engine: 'graph', threads: 1 });
  afterAll(() => state.dispose());
  return openPredictor({
    ...windows,
    ...settings,
    network,
    states: [state],
    kind: 'classes',
    window,
    precision: 'float32',
  });
}

/** A predictor that is known: class 1 where the first channel is above `least`, through the same windows as a network. */
export function thresholdPredictor(least: number, size: Triple): Predictor {
  const decide = async (images: Float32Array) => {
    const logits = new Float32Array(2 * images.length);
    for (let i = 0; i < images.length; i++) logits[2 * i + 1] = images[i]! - least;
    return logits;
  };
  return predictorOf({ ...network, outChannels: 2 }, (volume, progress) =>
    slidingWindowSlabs(volume, { ...windows, ...progress, window: size, outChannels: 2, kind: 'classes' }, [
      asNetwork(decide),
    ]),
  );
}

/** CT as `prepare` makes it by default, with the box around the body kept. */
export const ct: Preprocessing = {
  spacing: [1.5, 1.5, 2],
  intensity: 'ct-window',
  windowHu: [-1000, 1000],
  foregroundThreshold: -900,
};

/** HU of a body with structure at several scales and no symmetry. */
export function scanHu([x, y, z]: Triple): number {
  if (ellipsoid([0, 0, 0], [32, 30, 33])([x, y, z]) >= 1) return -1000;
  return 300 * Math.sin(0.21 * x + 0.13 * y) + 200 * Math.cos(0.17 * z - 0.11 * x) + 8 * x + 5 * y - 6 * z;
}

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-inference-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The path of a volume written for the time of the test file. */
export async function written(name: string, volume: Volume): Promise<string> {
  const file = join(folder, `${name}.nii.gz`);
  await writeNifti(file, volume);
  return file;
}
