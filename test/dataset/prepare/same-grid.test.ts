import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requireSameGrid } from '../../../src/dataset/prepare/same-grid.js';
import { DataError } from '../../../src/errors.js';
import type { Grid, Triple } from '../../../src/volume/index.js';
import { affineOf } from '../generated-data.js';

const grid = (size: Triple, spacing: Triple, origin: Triple = [0, 0, 0]): Grid => ({
  size,
  spacing,
  affine: affineOf(spacing, origin),
});
const scan = grid([40, 30, 20], [1, 1, 2], [5, -6, 7]);
const check = (other: Grid) => () => requireSameGrid(scan, 'ct.nii', other, 'seg.nii', 'label');

describe('two volumes', () => {
  it('share a grid when they have the same voxels in the same places, up to rounding of headers', () => {
    expect(check(scan)).not.toThrow();
    expect(check(grid([40, 30, 20], [1, 1, 2], [5.04, -6, 7]))).not.toThrow(); // 0.04 mm: less than a twentieth of a voxel
    expect(check(grid([40, 30, 20], [1.0005, 1, 2], [5, -6, 7]))).not.toThrow(); // 0.0195 mm at the far corner
  });

  it.each([
    [
      'another size',
      grid([40, 30, 21], [1, 1, 2], [5, -6, 7]),
      /^label seg.nii has 40x30x21 voxels, but its image ct.nii has 40x30x20: they must share/,
    ],
    [
      'another origin',
      grid([40, 30, 20], [1, 1, 2], [5.06, -6, 7]),
      /^label seg.nii lies elsewhere .*: the affines put a corner 0.06 mm apart/,
    ],
    ['another spacing', grid([40, 30, 20], [1.01, 1, 2], [5, -6, 7]), /put a corner 0.39 mm apart/],
    [
      'a flipped axis',
      { ...scan, affine: { rows: [-1, 0, 0, 44, 0, 1, 0, -6, 0, 0, 2, 7] } },
      /put a corner 39.00 mm apart/,
    ],
  ])('are refused with %s', (_, other, message) => {
    expect(check(other)).toThrow(message);
    expect(check(other)).toThrow(DataError);
  });

  it('are compared in voxels of the finest axis, whatever the unit', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 8, noNaN: true }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (spacing, voxelsApart) => {
          fc.pre(Math.abs(voxelsApart - 0.05) > 1e-6);
          const reference = grid([9, 8, 7], [spacing, 2 * spacing, 3 * spacing]);
          const moved = grid([9, 8, 7], [spacing, 2 * spacing, 3 * spacing], [0, 0, voxelsApart * spacing]);
          const checked = () => requireSameGrid(reference, 'a', moved, 'b', 'channel 2');
          if (voxelsApart > 0.05) expect(checked).toThrow(/^channel 2 b lies elsewhere/);
          else expect(checked).not.toThrow();
        },
      ),
    );
  });
});
