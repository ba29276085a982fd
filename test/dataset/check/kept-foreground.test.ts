import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keepsForeground } from '../../../src/dataset/check/kept-foreground.js';
import { preprocessImage, preprocessingOf } from '../../../src/dataset/index.js';
import { possibleGrid, type Triple, type Volume } from '../../../src/volume/index.js';

/** A scan of [x, y, z] = 9 x 8 x 7 voxels with one bright voxel, along axes of a file that is not RAS. */
function brightAt([x, y, z]: readonly [number, number, number]): Volume {
  const size: Triple = [9, 8, 7];
  const data = new Float32Array(9 * 8 * 7).fill(-200);
  data[x + 9 * (y + 8 * z)] = 300;
  return {
    size,
    spacing: [1, 1, 1],
    affine: { rows: [0, 0, -1, 4, -1, 0, 0, 3, 0, 1, 0, -2] },
    channels: 1,
    data,
  };
}

describe('what --check says of the foreground', () => {
  it('is what prepare finds on the grid that it resamples to', () => {
    const index = (most: number) => fc.integer({ min: 0, max: most });
    const mm = fc.constantFrom(0.5, 1, 1.5, 2, 3, 7, 1e6);
    const found = { kept: 0, lost: 0 };
    fc.assert(
      fc.property(
        fc.tuple(index(8), index(7), index(6)),
        fc.tuple(mm, mm, mm),
        index(400),
        (at, spacing, over) => {
          const volume = brightAt(at);
          const settings = preprocessingOf('ct', { spacing, foregroundThreshold: over - 150 });
          const kept = keepsForeground(volume, possibleGrid(volume, spacing, 'a.nii'), settings);
          found[kept ? 'kept' : 'lost']++;
          const prepare = () => preprocessImage(volume, settings, 'a.nii');
          if (kept) expect(prepare).not.toThrow();
          else expect(prepare).toThrow(/a.nii has no voxel above the foreground threshold/);
        },
      ),
      { numRuns: 400 },
    );
    expect(Math.min(found.kept, found.lost)).toBeGreaterThan(40);
  });
});
