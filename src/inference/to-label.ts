import { doubleAt, floatAt, itemAt } from '../at.js';
import {
  type Axis,
  composeAffines,
  type Grid,
  invertAffine,
  linearResampler,
  resampleToGrid,
  type Volume,
  voxelCount,
} from '../volume/index.js';
import { channelValue, type LabelScheme, outputChannels } from './label-scheme.js';
import { asSlab, type LogitSlab } from './logit-slab.js';

/** A label volume in the making. */
export interface LabelInProgress {
  /** Decides the voxels that a slab of the logits reaches; slabs come in order. */
  add(slab: LogitSlab): void;
  /** When all slabs were added. */
  finished(): Volume;
}

/**
 * The label volume that logits decide, on another grid: each channel is brought there linearly, then classes
 * take the largest and regions those above 0 (probability 1/2), the last of them winning. Beyond the logits'
 * own grid everything is background. What is held of the logits are slabs, never the whole.
 * @param from the grid of the logits, the prepared one
 * @param grid the scan's own
 */
export function openLabel(from: Grid, grid: Grid, scheme: LabelScheme): LabelInProgress {
  const voxels = voxelCount(grid);
  const slice = grid.size[0] * grid.size[1];
  const label = new (labelArrayOf(largestValue(scheme)))(voxels);
  const channelValues = Array.from({ length: outputChannels(scheme) }, (_, channel) =>
    channelValue(scheme, channel),
  );
  const wins = (channel: number, logit: number, best: number) =>
    scheme.kind === 'regions' ? logit > 0 : channel === 0 || logit > best;
  let best = new Float32Array(0); // of the slices at hand
  const add = linearResampler(from, grid, {
    slices: (channel, first, values) => {
      if (channel === 0)
        best = best.length === values.length ? best.fill(0) : new Float32Array(values.length);
      const value = itemAt(channelValues, channel);
      const decided = label.subarray(first * slice);
      for (let i = 0; i < values.length; i++) {
        const logit = values[i]!; // a check costs a tenth of the time here
        if (!wins(channel, logit, best[i]!)) continue;
        best[i] = logit;
        decided[i] = value;
      }
    },
    voxel: (voxel, values) => {
      let most = 0;
      for (let c = 0; c < values.length; c++) {
        const logit = floatAt(values, c);
        if (!wins(c, logit, most)) continue;
        most = logit;
        label[voxel] = itemAt(channelValues, c);
      }
    },
  });
  return {
    add,
    finished: () => {
      clearOutside(label, grid, from);
      return { size: grid.size, spacing: grid.spacing, affine: grid.affine, channels: 1, data: label };
    },
  };
}

/** The label of logits that are there as a whole: planar channels on the prepared grid. */
export function labelOnGrid(logits: Volume, grid: Grid, scheme: LabelScheme): Volume {
  const label = openLabel(logits, grid, scheme);
  label.add(asSlab(logits));
  return label.finished();
}

/** Logits on another grid; beyond their own grid the border goes on. */
export const logitsOnGrid = (logits: Volume, grid: Grid): Volume => resampleToGrid(logits, grid, 'linear');

/** Zeroes the voxels of `grid` whose centres lie outside the voxels of `inner`. */
function clearOutside(label: LabelArray, grid: Grid, inner: Grid): void {
  const rows = Float64Array.from(composeAffines(invertAffine(inner.affine), grid.affine).rows);
  const [nx, ny, nz] = grid.size;
  const slack = 1e-3; // voxels: affines are stored with rounding
  const inside = (axis: Axis, at: number) => at >= -0.5 - slack && at <= inner.size[axis] - 0.5 + slack;
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        if (label[i] === 0) continue;
        const at = (row: number) =>
          doubleAt(rows, row) * x +
          doubleAt(rows, row + 1) * y +
          doubleAt(rows, row + 2) * z +
          doubleAt(rows, row + 3);
        if (!inside(0, at(0)) || !inside(1, at(4)) || !inside(2, at(8))) label[i] = 0;
      }
    }
  }
}

type LabelArray = Uint8Array | Uint16Array | Uint32Array;

/** The narrowest array that holds every value as it is. */
function labelArrayOf(largest: number): new (length: number) => LabelArray {
  if (largest <= 255) return Uint8Array;
  return largest <= 65_535 ? Uint16Array : Uint32Array;
}

const largestValue = ({ values }: LabelScheme): number => Math.max(...values.flat());
