import { describe, expect, it } from 'vitest';
import {
  readVolume,
  resampleToGrid,
  resampleToSpacing,
  spacingOf,
  type Triple,
} from '../../src/volume/index.js';
import { decodeFloats, largestDifference, rangeOf, readReference, referenceFile } from './references.js';

interface SpacingCase {
  readonly input: string;
  readonly target: string;
  readonly spacing: Triple;
  readonly size: Triple;
  readonly affine: readonly number[];
  readonly linear: string;
  readonly nearest: string;
  readonly tieDistance: string;
}

interface GridCase extends Omit<SpacingCase, 'spacing' | 'linear' | 'nearest'> {
  readonly inside: string;
  readonly simpleitk: Record<'linear' | 'nearest', string>;
  readonly scipy: Record<'linear' | 'nearest', string>;
}

/** Of the intensity range. */
const tolerance = 1e-3;
/** Voxels; nearer to the middle between two voxels than this, either of them is right. */
const tie = 1e-4;

const spacingCases = ['coarse', 'fine', 'mixed'].flatMap((target) =>
  readReference<SpacingCase[]>(`spacing-${target}.json`),
);

describe.each(spacingCases)('resampling $input to $target spacing', (reference) => {
  it('gives the size and place of MONAI Spacing', async () => {
    const volume = resampleToSpacing(
      await readVolume(referenceFile(`${reference.input}.nii.gz`)),
      reference.spacing,
      'linear',
    );
    expect(volume.size).toEqual(reference.size);
    expect(largestDifference(volume.affine.rows, reference.affine)).toBeLessThan(1e-4);
    expect(largestDifference(volume.spacing, reference.spacing)).toBeLessThan(1e-6);
  });

  it('gives the values of MONAI Spacing', async () => {
    const source = await readVolume(referenceFile(`${reference.input}.nii.gz`));
    const { data } = resampleToSpacing(source, reference.spacing, 'linear');
    expect(largestDifference(data, decodeFloats(reference.linear))).toBeLessThan(
      tolerance * rangeOf(source.data),
    );
  });

  it('gives the labels of MONAI Spacing apart from ties', async () => {
    const label = await readVolume(referenceFile(`${reference.input}-label.nii.gz`));
    const distance = decodeFloats(reference.tieDistance);
    const { data } = resampleToSpacing(label, reference.spacing, 'nearest');
    expect(data).toBeInstanceOf(Uint8Array);
    expect(largestDifference(data, decodeFloats(reference.nearest), (i) => distance[i]! > tie)).toBe(0);
  });
});

describe.each(readReference<GridCase[]>('grid.json'))(
  'resampling $input to the grid of $target',
  (reference) => {
    const grid = { size: reference.size, affine: { rows: reference.affine } };

    it('gives the values of SimpleITK inside the image', async () => {
      const source = await readVolume(referenceFile(`${reference.input}.nii.gz`));
      const inside = decodeFloats(reference.inside);
      const { data } = resampleToGrid(source, grid, 'linear');
      const difference = largestDifference(
        data,
        decodeFloats(reference.simpleitk.linear),
        (i) => inside[i] === 1,
      );
      expect(difference).toBeLessThan(tolerance * rangeOf(source.data));
    });

    it('gives the values of SciPy everywhere, the border going on outside', async () => {
      const source = await readVolume(referenceFile(`${reference.input}.nii.gz`));
      const { data } = resampleToGrid(source, grid, 'linear');
      expect(largestDifference(data, decodeFloats(reference.scipy.linear))).toBeLessThan(
        tolerance * rangeOf(source.data),
      );
    });

    it('gives the labels of SimpleITK inside and of SciPy everywhere, apart from ties', async () => {
      const label = await readVolume(referenceFile(`${reference.input}-label.nii.gz`));
      const [inside, distance] = [decodeFloats(reference.inside), decodeFloats(reference.tieDistance)];
      const { data, spacing } = resampleToGrid(label, grid, 'nearest');
      expect(spacing).toEqual(spacingOf(grid.affine));
      expect(
        largestDifference(
          data,
          decodeFloats(reference.simpleitk.nearest),
          (i) => inside[i] === 1 && distance[i]! > tie,
        ),
      ).toBe(0);
      expect(largestDifference(data, decodeFloats(reference.scipy.nearest), (i) => distance[i]! > tie)).toBe(
        0,
      );
    });
  },
);

describe('resampling by hand', () => {
  const line = {
    size: [3, 1, 1] as const,
    spacing: [2, 1, 1] as const,
    affine: { rows: [2, 0, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0] },
    channels: 1,
  };

  it('halves the distance between three voxels into five, the first staying in place', () => {
    const volume = resampleToSpacing({ ...line, data: Int16Array.of(0, 10, 40) }, [1, 1, 1], 'linear');
    expect(volume.size).toEqual([5, 1, 1]);
    expect([...volume.data]).toEqual([0, 5, 10, 25, 40]);
    expect(volume.affine.rows.slice(0, 4)).toEqual([1, 0, 0, 5]);
  });

  it('keeps channels apart', () => {
    const volume = resampleToSpacing(
      { ...line, channels: 2, data: Float32Array.of(0, 10, 40, 1, 1, 1) },
      [1, 1, 1],
      'linear',
    );
    expect([...volume.data]).toEqual([0, 5, 10, 25, 40, 1, 1, 1, 1, 1]);
  });

  it('returns the same voxels for the same grid', () => {
    const data = Int16Array.of(1, 2, 3);
    expect(resampleToSpacing({ ...line, data }, [2, 1, 1], 'linear').data).toBe(data);
  });
});
