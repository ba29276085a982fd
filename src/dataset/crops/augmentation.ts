import { itemAt } from '../../at.js';
import { type RandomStream, randomStream } from '../../random/streams.js';
import { AXES, type Triple } from '../../volume/index.js';

/** Probabilities of the paper's augmentations for fine-tuning. */
export interface AugmentationProbabilities {
  /** Of each axis being flipped. */
  readonly flip: number;
  /** Of a turn by 90, 180 or 270 degrees in the axial (x, y) plane. */
  readonly rotate: number;
  /** Of intensities times a factor in 1 +- 0.1. */
  readonly scaleIntensity: number;
  /** Of intensities plus an offset in +- 0.1. */
  readonly shiftIntensity: number;
}

/** As the paper's fine-tuning section has them. */
export const paperAugmentation: AugmentationProbabilities = {
  flip: 0.2,
  rotate: 0.2,
  scaleIntensity: 0.1,
  shiftIntensity: 0.1,
};

/** What was done to one crop: turned first, then flipped, then scaled, then shifted. */
export interface Augmentation {
  readonly flip: readonly [boolean, boolean, boolean];
  /** Quarter turns from x towards y. */
  readonly quarterTurns: 0 | 1 | 2 | 3;
  readonly scale: number;
  readonly shift: number;
}

/** A crop as it is. */
export const noAugmentation: Augmentation = {
  flip: [false, false, false],
  quarterTurns: 0,
  scale: 1,
  shift: 0,
};

const intensityRange = 0.1;

/**
 * The augmentation of item `item` of step `step`. A crop that
 * is not square in x, y can be turned by 180 degrees only.
 */
export function planAugmentation(
  seed: number,
  step: number,
  item: number,
  probabilities: AugmentationProbabilities,
  cropSize: Triple,
): Augmentation {
  const stream = randomStream(seed, 'augment', step, item);
  const flips = () => stream.uniform() < probabilities.flip;
  const flip: Augmentation['flip'] = [flips(), flips(), flips()];
  const turned = stream.uniform() < probabilities.rotate;
  const turn = itemAt([1, 2, 3] as const, stream.integer(3));
  const possibleTurn = cropSize[0] === cropSize[1] ? turn : 2;
  return {
    flip,
    quarterTurns: turned ? possibleTurn : 0,
    scale: drawIf(stream, probabilities.scaleIntensity, 1),
    shift: drawIf(stream, probabilities.shiftIntensity, 0),
  };
}

/**
 * `neutral`, or `neutral` +- 0.1 with the probability. Draws twice
 * either way, so that one setting does not move another's draws.
 */
function drawIf(stream: RandomStream, probability: number, neutral: number): number {
  const applies = stream.uniform() < probability;
  const offset = (2 * stream.uniform() - 1) * intensityRange;
  return applies ? neutral + offset : neutral;
}

/**
 * Writes a crop into its place in the batch, turned, flipped, scaled and shifted.
 * @param crop [c][z][y][x], planar
 * @param target channels last, [z][y][x][c], `crop.length` long: the `[D, H, W, C]` of one item
 */
export function placeCrop(
  crop: ArrayLike<number>,
  size: Triple,
  channels: number,
  augmentation: Augmentation,
  target: Float32Array | Int32Array,
): void {
  const walk = sourceWalk(size, augmentation);
  if (crop instanceof Float32Array && target instanceof Float32Array)
    placeImage(crop, size, channels, augmentation, walk, target);
  else placeValues(crop, size, channels, augmentation, walk, target);
}

/** Images, by far the most voxels: a loop that meets arrays of several kinds is slower. */
function placeImage(
  crop: Float32Array,
  [nx, ny, nz]: Triple,
  channels: number,
  { scale, shift }: Augmentation,
  { base, strides }: SourceWalk,
  target: Float32Array,
): void {
  const plane = nx * ny * nz;
  let row = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++, row += nx * channels) {
      // A channel after the other within a row, which stays in the cache meanwhile.
      for (let c = 0; c < channels; c++) {
        let from = base + y * strides[1] + z * strides[2] + c * plane;
        for (let to = row + c; to < row + nx * channels; to += channels, from += strides[0])
          target[to] = crop[from]! * scale + shift;
      }
    }
  }
}

function placeValues(
  crop: ArrayLike<number>,
  [nx, ny, nz]: Triple,
  channels: number,
  { scale, shift }: Augmentation,
  { base, strides }: SourceWalk,
  target: Float32Array | Int32Array,
): void {
  const plane = nx * ny * nz;
  let to = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      let from = base + y * strides[1] + z * strides[2];
      for (let x = 0; x < nx; x++, from += strides[0]) {
        for (let c = 0, at = from; c < channels; c++, at += plane) target[to++] = crop[at]! * scale + shift;
      }
    }
  }
}

/** How the source is walked while the target is filled from its first voxel on. */
interface SourceWalk {
  readonly base: number;
  readonly strides: Triple;
}

/**
 * Where target voxel (0, 0, 0) comes from in the source, and by how much the source position
 * moves with each target axis: turns and flips are signed permutations of the axes.
 */
function sourceWalk([nx, ny, nz]: Triple, { flip, quarterTurns }: Augmentation): SourceWalk {
  let base = 0;
  let strides: [number, number, number] = [1, nx, nx * ny];
  let size: Triple = [nx, ny, nz];
  for (let turn = 0; turn < quarterTurns; turn++) {
    // One quarter turn: target (x, y) shows source (y, nx - 1 - x);
    // an even number of turns leaves an oblong plane's sizes alone.
    const [sx, sy, sz] = strides;
    base += (size[1] - 1) * sy;
    strides = [-sy, sx, sz];
    size = [size[1], size[0], size[2]];
  }
  for (const axis of AXES) {
    if (!flip[axis]) continue;
    base += (size[axis] - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  return { base, strides };
}
