import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { spatialSize } from '../../src/network/index.js';
import { patchGrid } from '../../src/pretext/patch-grid.js';
import { cropFor } from '../../src/project/rules/crop.js';
import { sidedClasses } from '../../src/project/rules/flips.js';
import { windowOf } from '../../src/project/rules/intensity.js';
import { maskingFor, paperMasking, regionFor, smallMasking } from '../../src/project/rules/masking.js';
import { modalityOf } from '../../src/project/rules/modality.js';
import { finetuneLength, learningRateFor, pretrainLength } from '../../src/project/rules/schedule.js';
import { targetSpacing } from '../../src/project/rules/target-spacing.js';
import type { Triple } from '../../src/volume/index.js';

describe('the target spacing', () => {
  it('is the median, but the 10th percentile along thick slices, never finer than the other axes', () => {
    const thick: Triple[] = [5, 5, 5, 5, 5, 1.5, 1.5, 5, 5, 5].map((z) => [0.8, 0.8, z]);
    const sizes = thick.map((): Triple => [512, 512, 60]);
    expect(targetSpacing(thick, sizes)).toEqual({ spacing: [0.8, 0.8, 1.5], coarse: 2 });
    const fine = thick.map(([x, y, z]): Triple => [x, y, z < 2 ? 0.5 : z]);
    expect(targetSpacing(fine, sizes)).toEqual({ spacing: [0.8, 0.8, 0.8], coarse: 2 });
    // Many slices, or slices of twice the spacing alone: the median.
    expect(
      targetSpacing(
        thick,
        sizes.map((): Triple => [512, 512, 200]),
      ),
    ).toEqual({ spacing: [0.8, 0.8, 5] });
    expect(
      targetSpacing(
        [
          [1, 1, 3],
          [1, 1, 3],
        ],
        [
          [300, 300, 50],
          [300, 300, 50],
        ],
      ),
    ).toEqual({ spacing: [1, 1, 3] });
    expect(
      targetSpacing(
        [
          [6, 1, 1],
          [7, 1, 1],
        ],
        [
          [20, 200, 200],
          [20, 200, 200],
        ],
      ).coarse,
    ).toBe(0);
  });
});

describe('a crop', () => {
  const triples = fc.tuple(
    fc.integer({ min: 5, max: 600 }),
    fc.integer({ min: 5, max: 600 }),
    fc.integer({ min: 5, max: 600 }),
  );
  const spacings = fc.tuple(
    fc.double({ min: 0.3, max: 6, noNaN: true }),
    fc.double({ min: 0.3, max: 6, noNaN: true }),
    fc.double({ min: 0.3, max: 6, noNaN: true }),
  );

  it('is whole units, within the budget where that can be, and no more than a unit longer than the scan', () => {
    fc.assert(
      fc.property(
        spacings,
        triples,
        fc.constantFrom(8, 16, 32),
        fc.constantFrom('up' as const, 'nearest' as const),
        (spacing, size, unit, rounding) => {
          const budget = 64 ** 3;
          const crop = cropFor(spacing, size, budget, unit, rounding);
          for (const [axis, side] of crop.entries()) {
            expect(side % unit).toBe(0);
            expect(side).toBeGreaterThan(0);
            expect(side - (size[axis] ?? 0)).toBeLessThan(unit);
          }
          const smallest = crop.filter((side) => side === unit).length;
          if (crop[0] * crop[1] * crop[2] > budget) expect(smallest).toBe(3);
        },
      ),
    );
  });

  it('is as long in mm along every axis where the scan allows it', () => {
    expect(cropFor([1, 1, 1], [500, 500, 500], 96 ** 3, 32, 'nearest')).toEqual([96, 96, 96]);
    expect(cropFor([0.8, 0.8, 5], [512, 512, 95], 96 ** 3, 16, 'nearest')).toEqual([160, 160, 32]);
    expect(cropFor([1, 1, 1], [35, 50, 36], 96 ** 3, 16, 'nearest')).toEqual([32, 48, 32]);
    expect(cropFor([1, 1, 1], [35, 50, 36], 96 ** 3, 8, 'up')).toEqual([40, 56, 40]);
  });
});

describe('the masking', () => {
  it('is the paper’s for its crop, and half of it where two sub-volumes would not fit', () => {
    expect(maskingFor([96, 96, 96])).toBe(paperMasking);
    expect(regionFor([96, 96, 96], paperMasking)).toBe(64);
    expect(maskingFor([128, 128, 64])).toBe(paperMasking);
    expect(maskingFor([128, 128, 56])).toBe(smallMasking);
    expect(regionFor([32, 48, 32], smallMasking)).toBe(32);
    expect(regionFor([64, 64, 64], smallMasking)).toBe(32);
  });

  it('divides every crop that is made of its units', () => {
    const units = fc.tuple(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 8 }),
    );
    fc.assert(
      fc.property(units, fc.constantFrom(paperMasking, smallMasking), ([x, y, z], masking) => {
        const { subVolume, patch } = masking;
        const crop: Triple = [subVolume * x, subVolume * y, subVolume * z];
        const region = regionFor(crop, masking);
        expect(() => patchGrid(spatialSize(crop), { subVolume, patch, region }, patch)).not.toThrow();
      }),
    );
  });
});

describe('the modality', () => {
  const range = (file: string, lowest: number, highest = 1000) => ({ file, lowest, highest });

  it('is told by air, and refused where scans contradict each other or say neither', () => {
    expect(modalityOf([range('a', -1024), range('b', -3024)])).toBe('ct');
    expect(modalityOf([range('a', 0), range('b', 12)])).toBe('mr');
    expect(() => modalityOf([range('a', -1024), range('b', 0)])).toThrow(
      'the scans are not alike: a has values from -1024 to 1000 (like CT), b has values from 0 to 1000 (like MR): give --modality ct or --modality mr, or plan them apart',
    );
    expect(() => modalityOf([range('a', -3.2, 4.5)])).toThrow(UsageError);
    expect(() => modalityOf([range('a', -3.2, 4.5)])).toThrow(/this is neither/);
  });
});

describe('the window of CT', () => {
  it('is the 0.5th to 99.5th percentile within labels, outwards, and the paper’s without any', () => {
    const values = Array.from({ length: 1001 }, (_, i) => i / 10 - 20.05);
    expect(windowOf([values])).toEqual([-20, 80]);
    expect(windowOf([[7, 7, 7]])).toEqual([7, 8]);
    expect(windowOf([])).toEqual([-1000, 1000]);
  });
});

describe('the length of a run', () => {
  it('is what the time allows, at most the paper’s', () => {
    expect(pretrainLength(1, 3600)).toMatchObject({ steps: 3600, seconds: 3600 });
    expect(pretrainLength(0.01, 36_000).steps).toBe(100_000);
    expect(finetuneLength(1, 3600, 20, 2).steps).toBe(3600);
    expect(finetuneLength(0.1, 36_000, 20, 2)).toMatchObject({ steps: 20_000, seconds: 2000 });
    expect(finetuneLength(0.01, 1e6, 20, 1).reason).toMatch(/2000 epochs \(4\.3\) of 20 labelled/);
    expect(pretrainLength(1000, 10).steps).toBe(1);
    expect([1000, 1001, 20_001].map((steps) => learningRateFor(steps).rate)).toEqual([3e-3, 1e-3, 1e-4]);
  });
});

describe('classes that are told apart by their side', () => {
  it('are found by one differing word, and no others', () => {
    expect(sidedClasses(['spleen', 'right kidney', 'left kidney'])).toEqual(['left kidney', 'right kidney']);
    expect(sidedClasses(['anterior', 'posterior'])).toEqual(['anterior', 'posterior']);
    expect(sidedClasses(['Kidney_L', 'Kidney_R'])).toEqual(['Kidney_L', 'Kidney_R']);
    expect(sidedClasses(['inferior vena cava', 'right ventricle', 'left atrium'])).toBeUndefined();
    expect(sidedClasses([])).toBeUndefined();
  });
});
