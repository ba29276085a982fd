import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAffine, composeAffines, invertAffine } from '../../src/volume/affine.js';

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
});
