import { readFileSync } from 'node:fs';
import {
  collectLogits,
  slidingWindowSlabs,
  type WindowNetwork,
  type WindowOptions,
} from '../../src/inference/index.js';
import { axisAlignedAffine, type Triple, type Volume } from '../../src/volume/index.js';

/** Made by `test/parity/inference/make_inference_references.py`. */
export function readReference<T>(name: string): T {
  return JSON.parse(readFileSync(`test/parity/inference/${name}`, 'utf8')) as T;
}

/** Float32, little-endian, x fastest. */
export const decodeFloats = (base64: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);

/** Logits of some windows, [B, D, H, W, C] in, [B, D, H, W, K] out. */
export type WindowPredictor = (images: Float32Array) => Promise<Float32Array>;

export const asNetwork =
  (predict: WindowPredictor): WindowNetwork =>
  async (images, use) =>
    use(await predict(images));

/** Logits of a whole volume. */
export function slidingWindow(
  volume: Volume,
  options: WindowOptions,
  ...predictors: readonly WindowPredictor[]
): Promise<Volume> {
  return collectLogits(volume, options.outChannels, (into) =>
    slidingWindowSlabs(volume, { ...options, into }, predictors.map(asNetwork)),
  );
}

/** The small whole numbers that the references are made from; they tell voxels and channels apart. */
export function numberedVolume(size: Triple, channels: number): Volume {
  const data = new Float32Array(size[0] * size[1] * size[2] * channels);
  let i = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        for (let x = 0; x < size[0]; x++)
          data[i++] = ((7 * x + 11 * y + 13 * z + 5 * c + x * y + 2 * y * z) % 17) - 8;
      }
    }
  }
  return { size, spacing: [1, 1, 1], affine: axisAlignedAffine([1, 1, 1]), channels, data };
}

/**
 * The references' predictor: the first channel times a ramp over the window, and the last one mixed with its neighbours in the window.
 * [D, H, W, C] in, [D, H, W, 2] out.
 */
export function positionDependentPredictor([nx, ny, nz]: Triple, channels: number) {
  return async (images: Float32Array): Promise<Float32Array> => {
    const at = (x: number, y: number, z: number, c: number) =>
      images[c + channels * (mod(x, nx) + nx * (mod(y, ny) + ny * mod(z, nz)))]!;
    const result = new Float32Array(2 * nx * ny * nz);
    let i = 0;
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        for (let x = 0; x < nx; x++) {
          const last = channels - 1;
          result[i++] = at(x, y, z, 0) * (1 + 0.5 * x - 0.25 * y + 0.125 * z) + x * y - z;
          result[i++] =
            at(x, y, z, last) +
            0.5 * at(x - 1, y, z, last) -
            2 * at(x, y - 1, z, last) +
            3 * at(x, y, z - 1, last);
        }
      }
    }
    return result;
  };
}

const mod = (n: number, period: number): number => ((n % period) + period) % period;
