import { describe, expect, it } from 'vitest';
import { closestToRas, reorientToRas, spacingOf, type Triple, type Volume } from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference } from './references.js';

interface OrientationReference {
  readonly size: Triple;
  readonly data: string;
  readonly cases: readonly {
    readonly code: string;
    readonly affine: readonly number[];
    readonly size: Triple;
    readonly turnedAffine: readonly number[];
    readonly data: string;
  }[];
}

const { size, data, cases } = readReference<OrientationReference>('orientation.json');

function volumeOf(rows: readonly number[]): Volume {
  return {
    size,
    spacing: spacingOf({ rows }),
    affine: { rows },
    channels: 1,
    data: Int16Array.from(decodeFloats(data)),
  };
}

describe('reorienting to RAS', () => {
  it('has all 48 axis codes to try, straight and oblique', () => {
    expect(new Set(cases.map(({ code }) => code)).size).toBe(48);
    expect(cases).toHaveLength(96);
  });

  it.each(cases.map((reference, i) => ({ ...reference, name: i % 2 ? 'oblique' : 'straight' })))(
    'turns $code ($name) as nibabel and MONAI do',
    (reference) => {
      const turned = reorientToRas(volumeOf(reference.affine));
      expect(turned.size).toEqual(reference.size);
      expect([...turned.data]).toEqual([...decodeFloats(reference.data)]);
      expect(largestDifference(turned.affine.rows, reference.turnedAffine)).toBeLessThan(1e-4);
      expect(largestDifference(turned.spacing, spacingOf(turned.affine))).toBeLessThan(1e-9);
      expect(closestToRas(turned)).toEqual({ axes: [0, 1, 2], flipped: [false, false, false] });
    },
  );
});
