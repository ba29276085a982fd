import type { Triple } from '../../volume/index.js';

/** Sizes of the two-level masking, and of the network's deepest cells that answer for a sub-volume. */
export interface Masking {
  /** `network.pools`; their product is the side of a cell of the latent in voxels. */
  readonly pools: readonly [2, 2, 2, 1 | 2];
  readonly subVolume: number;
  readonly patch: number;
}

/** The paper's 32-16 with cells of 16 voxels (4.3, figure 6). */
export const paperMasking: Masking = { pools: [2, 2, 2, 2], subVolume: 32, patch: 16 };

/** Half of it, for crops in which the paper's sizes would leave one sub-volume along an axis. */
export const smallMasking: Masking = { pools: [2, 2, 2, 1], subVolume: 16, patch: 8 };

/** The paper's crops have three sub-volumes a side; two are the least among which one can be told. */
const fewestSubVolumes = 2;

/**
 * The sizes for a crop: the paper's where its shortest side holds at least two of their sub-volumes, else half
 * of them. A cell of the latent is never larger than a patch, or several patches would share one answer.
 * @param largest the crop that the scans allow, voxels
 */
export function maskingFor(largest: Triple): Masking {
  return Math.min(...largest) >= fewestSubVolumes * paperMasking.subVolume ? paperMasking : smallMasking;
}

/**
 * Side of the region that the decoder reconstructs, a cube: two thirds of the shortest side, as the paper has
 * 64 of 96, in whole sub-volumes; all of it where that leaves less than two sub-volumes.
 */
export function regionFor(crop: Triple, { subVolume }: Masking): number {
  const shortest = Math.floor(Math.min(...crop) / subVolume) * subVolume;
  const twoThirds = Math.floor((2 * shortest) / 3 / subVolume) * subVolume;
  return twoThirds >= fewestSubVolumes * subVolume ? twoThirds : shortest;
}
