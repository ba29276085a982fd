import { intAt, itemAt } from '../../at.js';
import { AXES, closestToRas, mapAxes, type Triple, type Volume } from '../../volume/index.js';

/** A plane through the patient: seen from the feet, or from the front. */
export type Plane = 'axial' | 'coronal';

/**
 * A slice as radiologists look at it: the patient's right at the left of the picture, anterior (axial) or
 * superior (coronal) at its top. `values` is row by row from the top left.
 */
export interface Slice {
  readonly width: number;
  readonly height: number;
  readonly widthMm: number;
  readonly heightMm: number;
  readonly values: Float32Array;
}

/** Voxels along the patient's right, anterior and superior, whatever the order of the file. */
interface PatientAxes {
  readonly size: Triple;
  readonly spacing: Triple;
  /** How far apart in the data two neighbours lie, negative where the file runs the other way. */
  readonly steps: Triple;
  /** Where in the data the voxel most to the left, posterior and inferior lies. */
  readonly first: number;
}

/** World axes of a plane: what runs through its slices, and what runs up its pictures. */
const planeAxes = { axial: { through: 2, up: 1 }, coronal: { through: 1, up: 2 } } as const;

/** How many slices a plane has. */
export const sliceCount = (volume: Volume, plane: Plane): number =>
  patientAxes(volume).size[planeAxes[plane].through];

/** mm along the patient's right, anterior and superior. */
export const patientSpacing = (volume: Volume): Triple => patientAxes(volume).spacing;

/** One slice of the first channel. `index` counts from the feet, or from the back. */
export function sliceOf(volume: Volume, plane: Plane, index: number): Slice {
  const { size, spacing, steps, first } = patientAxes(volume);
  const { through, up } = planeAxes[plane];
  const [width, height] = [size[0], size[up]];
  const values = new Float32Array(width * height);
  const topLeft = first + index * steps[through] + (width - 1) * steps[0] + (height - 1) * steps[up];
  const [right, upward] = [steps[0], steps[up]];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      values[row * width + column] = volume.data[topLeft - row * upward - column * right]!;
    }
  }
  return { width, height, widthMm: width * spacing[0], heightMm: height * spacing[up], values };
}

/**
 * How many voxels of each slice of a plane have one of the values; as many numbers as the plane has slices.
 */
export function countInSlices(volume: Volume, plane: Plane, values: ReadonlySet<number>): number[] {
  const { size, steps } = patientAxes(volume);
  const { through } = planeAxes[plane];
  const stride = Math.abs(steps[through]);
  const counts = new Int32Array(size[through]);
  for (let i = 0; i < size[0] * size[1] * size[2]; i++) {
    if (!values.has(volume.data[i]!)) continue;
    const slice = Math.floor(i / stride) % size[through];
    counts[slice] = intAt(counts, slice) + 1;
  }
  return [...(steps[through] < 0 ? counts.reverse() : counts)];
}

function patientAxes(volume: Volume): PatientAxes {
  const { axes, flipped } = closestToRas(volume);
  const strides = [1, volume.size[0], volume.size[0] * volume.size[1]];
  const size = mapAxes(axes, (axis) => itemAt(volume.size, axis));
  const steps = mapAxes(axes, (axis, world) =>
    flipped[world] ? -itemAt(strides, axis) : itemAt(strides, axis),
  );
  return {
    size,
    spacing: mapAxes(axes, (axis) => itemAt(volume.spacing, axis)),
    steps,
    first: AXES.reduce<number>(
      (offset, world) => offset + (flipped[world] ? (size[world] - 1) * -steps[world] : 0),
      0,
    ),
  };
}
