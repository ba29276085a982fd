import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { checkAffine, composeAffines, invertAffine, nearestRotation } from '../../src/volume/affine.js';

const spacing = fc.double({ min: 1e-6, max: 1e9, noNaN: true });

describe('an affine that is accepted', () => {
  it('has an inverse, whatever its spacings are', () => {
    fc.assert(
      fc.property(spacing, spacing, spacing, fc.double({ min: 0, max: 3, noNaN: true }), (x, y, z, angle) => {
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        const affine = { rows: [x * c, -y * s, 0, 1, x * s, y * c, 0, 2, 0, 0, z, 3] };
        checkAffine(affine, 'a.nii', 'mend it');
        const { rows } = composeAffines(invertAffine(affine), affine);
        for (const at of [0, 5, 10]) expect(rows[at]).toBeCloseTo(1, 6);
      }),
    );
  });

  it('has an inverse and a nearest rotation, whatever its numbers are', () => {
    const any = fc.double({ noNaN: true });
    const usual = fc.integer({ min: -300, max: 300 }).map((n) => n / 100);
    const alike = fc.integer({ min: -100, max: 100 }).map((n) => n / 1000);
    const rows = fc.oneof(
      fc.array(any, { minLength: 12, maxLength: 12 }),
      fc.array(fc.oneof({ arbitrary: usual, weight: 20 }, any), { minLength: 12, maxLength: 12 }),
      // Three axes that run nearly along one another, of very different lengths.
      fc
        .tuple(fc.array(alike, { minLength: 9, maxLength: 9 }), fc.tuple(spacing, spacing, spacing))
        .map(([off, lengths]) =>
          [0, 1, 2].flatMap((row) => [...[0, 1, 2].map((c) => (1 + off[3 * row + c]!) * lengths[c]!), 0]),
        ),
    );
    let accepted = 0;
    fc.assert(
      fc.property(rows, (numbers) => {
        const affine = { rows: numbers };
        try {
          checkAffine(affine, 'a.nii', 'mend it');
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          return;
        }
        accepted++;
        const { rows: identity } = composeAffines(invertAffine(affine), affine);
        for (const at of [0, 5, 10]) expect(identity[at]).toBeCloseTo(1, 6);
        const rotation = nearestRotation(affine);
        for (const a of rotation)
          for (const b of rotation)
            expect(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]).toBeCloseTo(a === b ? 1 : 0, 6);
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it('is none where its products leave the range of numbers', () => {
    // Two axes along one another; the products of the third overflow, which hid it.
    const affine = { rows: [8.1e-320, -5e203, 0, 0, 2.4e-319, 0, -4e131, 0, 2.4e-319, 2e214, -4e158, 0] };
    expect(() => checkAffine(affine, 'a.nii', 'mend it')).toThrow(/too near or too far apart.*mend it/);
    const far = { rows: [1, 0, 0, 1e163, 0, 1, 0, 0, 0, 0, 1, 0] };
    expect(() => checkAffine(far, 'a.nii', 'mend it')).toThrow(/origin that is too far away.*mend it/);
  });

  it('has axes that span a volume of more than a ten-thousandth of their lengths', () => {
    const leaning = (z: number) => ({
      rows: [2, 0, 3 * Math.sqrt(1 - z * z), 0, 0, 2, 0, 0, 0, 0, 3 * z, 0],
    });
    expect(() => checkAffine(leaning(1.1e-4), 'a.nii', 'mend it')).not.toThrow();
    expect(() => checkAffine(leaning(0.9e-4), 'a.nii', 'mend it')).toThrow(/is singular.*mend it/);
  });
});
