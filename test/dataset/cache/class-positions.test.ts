import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classFinder } from '../../../src/dataset/cache/class-positions.js';

const labelVolumes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 400, size: 'max' });

/** Three parts of unequal length. */
const inParts = (labels: ArrayLike<number>) => {
  const list = Array.from(labels);
  const third = Math.floor(list.length / 3);
  return () => [list.slice(0, third), list.slice(third, third + 1), list.slice(third + 1)];
};

function classPositions(parts: () => number[][], most?: number) {
  const finder = classFinder(parts(), most);
  for (const part of parts()) finder.add(part);
  return finder.classes;
}

describe('class positions', () => {
  it('are voxels of the class, rising, spread over all of them, and all of them when there are few', () => {
    let spread = 0;
    fc.assert(
      fc.property(labelVolumes, fc.integer({ min: 1, max: 40 }), (labels, most) => {
        const found = classPositions(inParts(labels), most);
        for (const value of [1, 2, 3]) {
          const all = labels.flatMap((label, i) => (label === value ? [i] : []));
          const entry = found[value];
          expect(entry?.voxels ?? 0).toBe(all.length);
          const stored = [...(entry?.positions ?? [])];
          expect(stored.length).toBe(Math.min(all.length, most));
          if (all.length <= most) expect(stored).toEqual(all);
          else spread++;
          stored.forEach((position, k) => {
            // one from each run of all.length / most voxels
            const rank = all.indexOf(position);
            expect(Math.floor(((rank + 1) * stored.length) / all.length)).toBeGreaterThanOrEqual(k);
            expect((rank * stored.length) / all.length).toBeLessThan(k + 1);
          });
          expect(stored.every((position, k) => k === 0 || position > stored[k - 1]!)).toBe(true);
        }
      }),
    );
    expect(spread).toBeGreaterThan(20); // classes larger than what is kept were among those tried
  });

  it.each([4097, 5000, 8000, 20_000])(
    'are 4,096 different voxels of a class of %i, none of them background',
    (voxels) => {
      const labels = new Uint8Array(voxels + 100).fill(7, 100);
      const { positions } = classPositions(inParts(labels))[7]!;
      expect(new Set(positions).size).toBe(4096);
      expect(positions.every((position) => labels[position] === 7)).toBe(true);
    },
  );

  it('leave background out and count each class, rising by its value', () => {
    const found = classPositions(inParts([0, 9, 2, 2, 0, 9, 9, 2]));
    expect(Object.keys(found)).toEqual(['2', '9']);
    expect(found[2]).toEqual({ voxels: 3, positions: Uint32Array.of(2, 3, 7) });
    expect(found[9]).toEqual({ voxels: 3, positions: Uint32Array.of(1, 5, 6) });
    expect(classPositions(inParts([0, 0, 0]))).toEqual({});
  });
});
