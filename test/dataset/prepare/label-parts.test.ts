import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LabelPart, partFinder, type VoxelWeights } from '../../../src/dataset/prepare/label-parts.js';
import type { Triple } from '../../../src/volume/index.js';

/** Made by `test/parity/dataset/make_part_references.py`. */
const { cases } = JSON.parse(readFileSync('test/parity/dataset/label-parts.json', 'utf8')) as {
  cases: {
    name: string;
    size: Triple;
    label: string;
    parts: [value: number, voxels: number, first: Triple][];
  }[];
};

function partsOf(label: Uint8Array, size: Triple, weights: readonly VoxelWeights[] = []) {
  const found: LabelPart[] = [];
  const finder = partFinder([size[0], size[1]], weights, (part) => found.push(part));
  const slice = size[0] * size[1];
  for (let z = 0; z < size[2]; z++) finder.add(label.subarray(z * slice, (z + 1) * slice));
  finder.end();
  return { found, box: finder.box() };
}

const sorted = (parts: readonly LabelPart[]) =>
  parts
    .map(({ value, voxels, first }) => [value, voxels, first] as const)
    .sort(
      (a, b) => a[0] - b[0] || a[1] - b[1] || a[2][0] - b[2][0] || a[2][1] - b[2][1] || a[2][2] - b[2][2],
    );

describe('the connected parts of a label', () => {
  it.each(cases)('are those that SciPy finds: $name', ({ size, label, parts }) => {
    const { found } = partsOf(Uint8Array.from(Buffer.from(label, 'base64')), size);
    expect(sorted(found)).toEqual(parts);
  });

  it('lie in the box of all that is labelled, and have their weights', () => {
    const side = fc.integer({ min: 1, max: 6 });
    const labels = fc.tuple(side, side, side).chain((size) =>
      fc.tuple(
        fc.constant(size),
        fc.array(fc.constantFrom(0, 0, 0, 1, 2), {
          minLength: size[0] * size[1] * size[2],
          maxLength: size[0] * size[1] * size[2],
        }),
      ),
    );
    fc.assert(
      fc.property(labels, ([size, values]) => {
        const along = (axis: 0 | 1 | 2) => Array.from({ length: size[axis] }, (_, i) => (i * 7 + axis) % 4);
        const weights: VoxelWeights = [along(0), along(1), along(2)];
        const ones = size.map((n) => new Array<number>(n).fill(1)) as unknown as VoxelWeights;
        const { found, box } = partsOf(Uint8Array.from(values), size, [ones, weights]);
        const voxels = values.flatMap((value, i) => {
          const at: Triple = [
            i % size[0],
            Math.floor(i / size[0]) % size[1],
            Math.floor(i / (size[0] * size[1])),
          ];
          return value === 0 ? [] : [{ value, at }];
        });
        const sum = (of: (part: LabelPart) => number, value: number) =>
          found.filter((part) => part.value === value).reduce((total, part) => total + of(part), 0);
        for (const value of [1, 2]) {
          const own = voxels.filter((voxel) => voxel.value === value);
          expect(sum((part) => part.voxels, value)).toBe(own.length);
          expect(sum((part) => part.weighed[0]!, value)).toBe(own.length);
          expect(sum((part) => part.weighed[1]!, value)).toBe(
            own.reduce(
              (total, { at: [x, y, z] }) => total + weights[0][x]! * weights[1][y]! * weights[2][z]!,
              0,
            ),
          );
        }
        const ends = (of: (...n: number[]) => number) =>
          [0, 1, 2].map((axis) => of(...voxels.map(({ at }) => at[axis]!)));
        expect(box && [box.first, box.last]).toEqual(
          voxels.length > 0 ? [ends(Math.min), ends(Math.max)] : undefined,
        );
      }),
    );
  });

  it('are told as soon as no later slice can reach them, so that none are held', () => {
    const seen: [slice: number, voxels: number][] = [];
    let z = 0;
    const finder = partFinder([6, 6], [], ({ voxels }) => seen.push([z, voxels]));
    const speck = Uint8Array.from({ length: 36 }, (_, i) => (i % 12 === 0 ? 1 : 0));
    const empty = new Uint8Array(36);
    for (const slice of [speck, empty, speck, speck, empty]) {
      finder.add(slice);
      z++;
    }
    expect(seen).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [4, 2],
      [4, 2],
      [4, 2],
    ]);
    finder.end();
    expect(seen).toHaveLength(6);
  });
});
