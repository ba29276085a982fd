// What the methods are held to, in plain loops over numbers; nothing of ours but the random streams is used here.
import { randomStream } from '../../src/random/streams.js';

/** [D, H, W] or [z, y, x]. */
export type Triple = readonly [number, number, number];

/** Uniform values in [0, 1), the same ones for the same seed. */
export function noise(length: number, seed: number): Float32Array {
  const stream = randomStream(seed, 'phantom');
  return Float32Array.from({ length }, () => stream.uniform());
}

/** Every index below `size`, x fastest. */
export function visit([depth, height, width]: Triple, what: (index: Triple) => void): void {
  for (let z = 0; z < depth; z++)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) what([z, y, x]);
}

export const divided = (size: Triple, by: number): Triple => [size[0] / by, size[1] / by, size[2] / by];

export const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function logSoftmax(row: readonly number[]): number[] {
  const highest = Math.max(...row);
  const total = highest + Math.log(sumOf(row.map((value) => Math.exp(value - highest))));
  return row.map((value) => value - total);
}

const dot = (a: readonly number[], b: readonly number[]): number => sumOf(a.map((value, i) => value * b[i]!));
export const cosine = (a: readonly number[], b: readonly number[]): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** The largest absolute difference; an infinite one where the lengths differ, and NaN where there is one. */
export function furthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(found[i]! - expected[i]!));
  return most;
}

/**
 * Which values of a crop are masked.
 * @param patchMask [B, D / patch, H / patch, W / patch]
 * @returns of each value of [B, D, H, W, C], in order
 */
export function maskedValues(
  patchMask: Float32Array,
  batch: number,
  crop: Triple,
  channels: number,
  patch: number,
): boolean[] {
  const [, ph, pw] = divided(crop, patch);
  const perItem = patchMask.length / batch;
  const masked: boolean[] = [];
  for (let b = 0; b < batch; b++) {
    visit(crop, ([z, y, x]) => {
      const at =
        b * perItem + (Math.floor(z / patch) * ph + Math.floor(y / patch)) * pw + Math.floor(x / patch);
      for (let c = 0; c < channels; c++) masked.push(patchMask[at] === 1);
    });
  }
  return masked;
}

/** A linear layer: `weight` is [in, out]. */
export function linearLayer(
  feature: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
): number[] {
  return Array.from({ length: bias.length }, (_, o) =>
    feature.reduce((sum, value, i) => sum + value * weight[i * bias.length + o]!, bias[o]!),
  );
}

/** Item, cell and channel: the mean of each channel over the cells of each item. `latent` is [B, cells, channels]. */
export function averagedOverSpace(latent: ArrayLike<number>, batch: number, channels: number): number[][] {
  const cells = latent.length / batch / channels;
  return Array.from({ length: batch }, (_, item) =>
    Array.from({ length: channels }, (_, c) =>
      meanOf(Array.from({ length: cells }, (_, cell) => latent[(item * cells + cell) * channels + c]!)),
    ),
  );
}

/** What is reconstructed where scales are fed: `clip(image * scale + shift, 0, 1)` by item and channel, and background (0) as it is. */
export function scaledTarget(
  images: Float32Array,
  batch: number,
  channels: number,
  scale: Float32Array,
  shift: Float32Array,
): number[] {
  return Array.from(images, (value, i) => {
    const of = Math.floor(i / (images.length / batch)) * channels + (i % channels);
    return value === 0 ? 0 : Math.min(1, Math.max(0, value * scale[of]! + shift[of]!));
  });
}
