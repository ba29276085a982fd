// The crops of a seed, as the first version that was published made them: whatever makes them quicker must not change them.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { classFinder } from '../../../src/dataset/cache/class-positions.js';
import { writeChunkedFile } from '../../../src/dataset/cache/write-chunked.js';
import { type BatchOptions, batchMaker } from '../../../src/dataset/crops/make-batch.js';
import { paperAugmentation } from '../../../src/dataset/index.js';
import type { Triple } from '../../../src/volume/index.js';
import { temporaryFolder } from '../generated-data.js';

const folder = temporaryFolder();
const sizes: readonly Triple[] = [
  [45, 40, 38],
  [60, 35, 34],
  [33, 41, 70],
  [28, 30, 17],
  [50, 64, 32],
];
const cropSize: Triple = [24, 20, 30];
const stored: Record<string, { voxels: number; stored: number }>[] = [];

/** Numbers that repeat on every machine, in [0, 1), some of them 0. */
function numbers(length: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state % 5 === 0 ? 0 : (state >>> 8) / 2 ** 24;
  }
  return values;
}

/** A volume [c][z][y][x] from below, in slabs of 32 planes. */
function* slabs<T extends Float32Array | Uint8Array>(values: T, [nx, ny, nz]: Triple, channels: number) {
  for (let z = 0; z < nz; z += 32) {
    const planes = Math.min(32, nz - z);
    const slab = values.slice(0, nx * ny * planes * channels) as T;
    for (let c = 0; c < channels; c++) {
      const first = nx * ny * (z + nz * c);
      slab.set(values.subarray(first, first + nx * ny * planes), nx * ny * planes * c);
    }
    yield slab;
  }
}

beforeAll(() => {
  const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
  for (const [i, size] of sizes.entries()) {
    const described = { size, spacing: [1, 1, 1] as Triple, affine, steps: [], sources: [] };
    const voxels = size[0] * size[1] * size[2];
    for (const channels of [1, 2]) {
      const values = numbers(voxels * channels, 10 * i + channels);
      if (channels === 2) for (let v = 0; v < values.length; v++) values[v] = 4 * values[v]! - 1.5;
      writeChunkedFile(
        join(folder, `${i}-${channels}.image.hmv`),
        { ...described, dtype: 'float32', channels },
        slabs(values, size, channels),
      );
    }
    const label = Uint8Array.from(numbers(voxels, 77 + i), (value) =>
      value > 0.99 ? 2 : value > 0.9 ? 1 : 0,
    );
    const finder = classFinder([label]);
    finder.add(label);
    writeChunkedFile(
      join(folder, `${i}.label.hmv`),
      { ...described, dtype: 'uint8', channels: 1 },
      slabs(label, size, 1),
      finder.classes,
    );
    stored.push(
      Object.fromEntries(
        Object.entries(finder.classes).map(([name, { voxels: all, positions }]) => [
          name,
          { voxels: all, stored: positions.length },
        ]),
      ),
    );
  }
});

function options(channels: number, more: Partial<BatchOptions> = {}): BatchOptions {
  return {
    preparedDir: folder,
    cases: sizes.map((size, i) => ({
      id: `case${i}`,
      image: `${i}-${channels}.image.hmv`,
      label: `${i}.label.hmv`,
      size,
      classVoxels: stored[i]!,
      ...(channels === 2 && {
        unitScales: [
          { scale: 0.25, shift: 0.3 },
          { scale: 0.5, shift: 0.1 },
        ],
      }),
    })),
    channels,
    cropSize,
    batchSize: 3,
    seed: 41,
    withLabels: false,
    foregroundRatio: 0,
    ...more,
  };
}

const genesis = {
  name: 'models-genesis',
  flip: 0.4,
  shuffle: 0.5,
  nonlinear: 0.9,
  paint: 0.9,
  inPaint: 0.2,
} as const;
const crops = sizes.flatMap((_, caseIndex) =>
  [0, 1].map((word) => ({ word, caseIndex, start: [word - 2, 3 * word, 1] as Triple })),
);
const kinds: Record<string, () => BatchOptions> = {
  'drawn anywhere': () => options(1),
  'with labels and augmentation': () =>
    options(1, { withLabels: true, foregroundRatio: 0.5, augmentation: paperAugmentation }),
  'of two channels': () => options(2),
  'corrupted as Models Genesis does': () => options(2, { corruption: { recipe: genesis, heldOut: false } }),
  'corrupted as Models Genesis does, held out': () =>
    options(1, { corruption: { recipe: genesis, heldOut: true } }),
  'given, and corrupted as TransVW does': () =>
    options(1, { crops, corruption: { recipe: { name: 'transvw' }, heldOut: false } }),
};
const steps = Array.from({ length: 12 }, (_, step) => step);

/** Of the batch of a step, all of it. */
function digest({ images, corrupted, words, labels, provenance }: ReturnType<ReturnType<typeof batchMaker>>) {
  const hash = createHash('sha256');
  for (const array of [images, corrupted, words, labels]) if (array) hash.update(array);
  return hash.update(JSON.stringify(provenance)).digest('hex');
}

const frozen: Record<string, string> = {
  'drawn anywhere': '192578697cd6a941ff3545aa39c46052285c304aceed5829f05875ba1e08a4e3',
  'with labels and augmentation': 'd802313a6d4d62abfbeb0003f45a9ff8d191c5310e6ebf7dd6e59b6e640fab11',
  'of two channels': 'ad95a010fe88ad400d5d2cae603cecf05ed56276be3b638761e1715b2dce8314',
  'corrupted as Models Genesis does': '292e3d1b7486dcab46be0c45b96dfab3b34c53163179693ac0310d0a4518f495',
  'corrupted as Models Genesis does, held out':
    '19f21170e88a07fd508862148ee6e90d91a5a12c82ff5d2874cacc748f46d2a7',
  'given, and corrupted as TransVW does': '5ea772cfbe398855ca895a92c752387eb60fc10ea8e4de9bd5bbae1a0fb6fee6',
};

describe('crops', () => {
  it.each(Object.entries(kinds))(
    '%s are those that the seed always gave, in any order of asking',
    (name, of) => {
      const make = batchMaker(of());
      const inOrder = steps.map((step) => digest(make(step)));
      const hash = createHash('sha256');
      for (const step of inOrder) hash.update(step);
      expect(hash.digest('hex')).toBe(frozen[name]);
      const resumed = batchMaker(of()); // in the middle of an epoch of five cases or ten crops
      for (const step of [7, 8, 2, 11]) expect(digest(resumed(step))).toBe(inOrder[step]);
    },
  );
});
