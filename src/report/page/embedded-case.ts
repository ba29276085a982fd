import { gzipSync } from 'node:zlib';
import {
  AXES,
  composeAffines,
  cropBox,
  mapAxes,
  niftiBytes,
  percentile,
  reorientToRas,
  resampleToGrid,
  type Triple,
  type Volume,
  type VoxelArray,
} from '../../volume/index.js';

/** The volumes of a case as they stand in a page: gzip-compressed NIfTI, base64. */
export interface EmbeddedCase {
  readonly image: string;
  readonly reference: string;
  readonly prediction: string;
  /** Voxels along right, anterior and superior. */
  readonly size: Triple;
  readonly spacing: Triple;
  /** What the bytes of the image are: values of the scan at 0 and at 255. */
  readonly range: readonly [number, number];
  /** Values shown as black and white at first. */
  readonly window: readonly [number, number];
}

interface CaseVolumes {
  readonly image: Volume;
  readonly reference: Volume;
  readonly prediction: Volume;
}

/** Around what is labelled, so that its surroundings can be seen. */
const marginMm = 20;

/** Voxels of the longest axis, at most and at least. */
const largestSide = 160;
const smallestSide = 32;

/** Characters a voxel of all three volumes takes where images compress well; the first try goes by it. */
const fewestCharacters = 0.5;

/**
 * Volumes cropped to what is labelled in either label with 20 mm around it, made coarser as far as it takes
 * to fit, intensities as 8 bits. Labels keep their values, in bytes where these are below 256.
 * @param window image values shown as black and white; by default the 0.5th and 99.5th percentiles
 * @param budget characters for all three; the coarsest form, 32 voxels long, may take more
 */
export function embedCase(
  volumes: CaseVolumes,
  window: readonly [number, number] | undefined,
  budget: number,
): EmbeddedCase {
  const cropped = croppedToLabels(volumes);
  const shown = window ?? percentiles(cropped.image);
  let side = Math.min(largestSide, sideFor(cropped.image, budget / fewestCharacters));
  for (;;) {
    const embedded = encoded(coarser(cropped, side), shown);
    const share = (embedded.image.length + embedded.reference.length + embedded.prediction.length) / budget;
    if (share <= 1 || side === smallestSide) return embedded;
    const [nx, ny, nz] = embedded.size;
    side = Math.min(side - 1, sideFor(cropped.image, (0.95 * (nx * ny * nz)) / share));
  }
}

/** Voxels of the longest axis of a grid of cubes over the volume that has so many voxels. */
function sideFor({ size, spacing }: Volume, voxels: number): number {
  const [x, y, z] = mapAxes(size, (n, axis) => n * spacing[axis]);
  return Math.max(smallestSide, Math.floor(Math.max(x, y, z) / Math.cbrt((x * y * z) / voxels)));
}

function croppedToLabels({ image, reference, prediction }: CaseVolumes): CaseVolumes {
  const labels = [reorientToRas(reference), reorientToRas(prediction)] as const;
  const box = labelledBox(labels);
  const crop = (volume: Volume) => cropBox(volume, box.start, box.size);
  return {
    image: crop(reorientToRas(firstChannel(image))),
    reference: crop(labels[0]),
    prediction: crop(labels[1]),
  };
}

const firstChannel = (image: Volume): Volume => {
  const voxels = image.size[0] * image.size[1] * image.size[2];
  return image.channels === 1 ? image : { ...image, channels: 1, data: image.data.subarray(0, voxels) };
};

/** Everything where nothing is labelled. */
function labelledBox(labels: readonly [Volume, Volume]): { start: Triple; size: Triple } {
  const [{ size, spacing }] = labels;
  const low: [number, number, number] = mapAxes(size, (n) => n);
  const high: [number, number, number] = [-1, -1, -1];
  for (const { data } of labels) {
    for (let i = 0, z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        for (let x = 0; x < size[0]; x++, i++) {
          if (data[i] === 0) continue;
          const voxel: Triple = [x, y, z];
          for (const axis of AXES) {
            low[axis] = Math.min(low[axis], voxel[axis]);
            high[axis] = Math.max(high[axis], voxel[axis]);
          }
        }
      }
    }
  }
  if (high[0] < 0) return { start: [0, 0, 0], size };
  const margin = mapAxes(spacing, (mm) => Math.ceil(marginMm / mm));
  const start = mapAxes(low, (at, axis) => Math.max(0, at - margin[axis]));
  const end = mapAxes(high, (at, axis) => Math.min(size[axis], at + margin[axis] + 1));
  return { start, size: mapAxes(end, (at, axis) => at - start[axis]) };
}

function percentiles({ data }: Volume): [number, number] {
  const sorted = Float32Array.from(data).sort();
  return [percentile(sorted, 0.5), percentile(sorted, 99.5)];
}

/**
 * On a grid of at most `side` voxels along the longest axis, over the same extent; axes that are coarser
 * already stay.
 */
function coarser({ image, reference, prediction }: CaseVolumes, side: number): CaseVolumes {
  const { size, spacing, affine } = image;
  const step = Math.max(...mapAxes(size, (n, axis) => n * spacing[axis])) / side;
  const factors = mapAxes(spacing, (mm) => Math.max(1, step / mm));
  const newSize = mapAxes(size, (n, axis) => Math.max(1, Math.floor(n / factors[axis])));
  const [fx, fy, fz] = factors;
  // The centre of a coarse voxel lies in the middle of the fine ones that it stands for.
  const scaling = { rows: [fx, 0, 0, (fx - 1) / 2, 0, fy, 0, (fy - 1) / 2, 0, 0, fz, (fz - 1) / 2] };
  const grid = { size: newSize, affine: composeAffines(affine, scaling) };
  return {
    image: resampleToGrid(image, grid, 'linear'),
    reference: resampleToGrid(reference, grid, 'nearest'),
    prediction: resampleToGrid(prediction, grid, 'nearest'),
  };
}

/** The window can be moved and widened in the viewer: as much again is kept on either side, where the scan has it. */
function rangeOf({ data }: Volume, [low, high]: readonly [number, number]): [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [Math.min(low, Math.max(least, 2 * low - high)), Math.max(high, Math.min(most, 2 * high - low))];
}

function encoded(
  { image, reference, prediction }: CaseVolumes,
  window: readonly [number, number],
): EmbeddedCase {
  const [low, high] = rangeOf(image, window);
  const scale = high > low ? 255 / (high - low) : 0;
  const grey = Uint8Array.from(image.data, (value) =>
    Math.round(Math.min(255, Math.max(0, (value - low) * scale))),
  );
  return {
    image: base64({ ...image, data: grey }),
    reference: base64({ ...reference, data: labelBytes(reference.data) }),
    prediction: base64({ ...prediction, data: labelBytes(prediction.data) }),
    size: image.size,
    spacing: image.spacing,
    range: [low, high],
    window,
  };
}

/** Labels as bytes where these hold their values. */
const labelBytes = (data: VoxelArray): VoxelArray =>
  data.every((value: number) => value <= 255) ? Uint8Array.from(data) : data;

const base64 = (volume: Volume): string => gzipSync(niftiBytes(volume), { level: 6 }).toString('base64');
