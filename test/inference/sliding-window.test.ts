import { setImmediate, setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  gaussianImportance,
  slidingWindowSlabs,
  type WindowNetwork,
  windowStarts,
} from '../../src/inference/index.js';
import type { Triple } from '../../src/volume/index.js';
import { largestDifference } from '../volume/references.js';
import {
  decodeFloats,
  numberedVolume,
  positionDependentPredictor,
  readReference,
  slidingWindow,
} from './references.js';

interface SlidingCase {
  readonly name: string;
  readonly size: Triple;
  readonly window: Triple;
  readonly overlap: number;
  readonly channels: number;
  readonly output: string;
}

interface WindowReferences {
  readonly importance: readonly { readonly window: Triple; readonly weights: string }[];
  readonly places: readonly {
    readonly size: Triple;
    readonly window: Triple;
    readonly overlap: number;
    readonly along: readonly (readonly number[])[];
    readonly count: number;
  }[];
}

const { importance, places } = readReference<WindowReferences>('windows.json');

const plain = { windowBatch: 1, mirror: [], kind: 'classes' } as const;

/** Of the largest magnitude: both sides add up to 64 float32 products a voxel, each rounded to 6e-8 of itself. */
const relative = 2e-6;

describe('sliding windows', () => {
  it.each(readReference<{ cases: readonly SlidingCase[] }>('sliding-window.json').cases)(
    'give what MONAI gives: $name',
    async (reference) => {
      const { size, window, overlap, channels } = reference;
      const expected = decodeFloats(reference.output);
      const options = { ...plain, window, overlap, outChannels: 2 };
      const found = await slidingWindow(
        numberedVolume(size, channels),
        options,
        positionDependentPredictor(window, channels),
      );
      expect(found).toMatchObject({ size, channels: 2 });
      const magnitude = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largestDifference(found.data, expected)).toBeLessThan(relative * magnitude);
    },
  );

  it('give back a function of single voxels within rounding, whatever the windows', async () => {
    const side = fc.integer({ min: 1, max: 9 });
    const triples = fc.tuple(side, side, side);
    await fc.assert(
      fc.asyncProperty(
        triples,
        triples,
        fc.constantFrom(0, 0.25, 0.5, 0.75),
        fc.integer({ min: 1, max: 3 }),
        async (size, window, overlap, channels) => {
          const volume = numberedVolume(size, channels);
          const copy = async (images: Float32Array) => images.slice();
          const found = await slidingWindow(
            volume,
            { ...plain, window, overlap, outChannels: channels },
            copy,
          );
          expect(found.size).toEqual(size);
          expect(found.affine).toEqual(volume.affine);
          expect(largestDifference(found.data, volume.data)).toBeLessThan(1e-5); // of values up to 8
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leave the volume as it was', async () => {
    const volume = numberedVolume([9, 8, 7], 2);
    await slidingWindow(
      volume,
      { ...plain, window: [4, 4, 4], overlap: 0.5, outChannels: 2 },
      async (images) => images.fill(0),
    );
    expect(volume.data).toEqual(numberedVolume([9, 8, 7], 2).data);
  });

  it('pad a volume that is smaller than the window with zeros on both sides', async () => {
    const seen: number[][] = [];
    const volume = { ...numberedVolume([2, 1, 1], 1), data: Float32Array.of(5, 6) };
    const found = await slidingWindow(
      volume,
      { ...plain, window: [5, 1, 1], overlap: 0.5, outChannels: 1 },
      async (images) => {
        seen.push([...images]);
        return images.slice();
      },
    );
    expect(seen).toEqual([[0, 5, 6, 0, 0]]);
    expect([...found.data]).toEqual([5, 6]);
  });

  it('begin no further run after an error', async () => {
    let begun = 0;
    const network: WindowNetwork = async (images, use) => {
      begun++;
      await setImmediate();
      use(images);
    };
    const onWindow = () => {
      throw new Error('nobody to tell');
    };
    const options = { ...plain, window: [4, 4, 4] as Triple, overlap: 0.5, outChannels: 1, onWindow };
    const slabs = slidingWindowSlabs(numberedVolume([40, 4, 4], 1), options, [network]); // 19 windows
    await expect(slabs.next()).rejects.toThrow('nobody to tell');
    await setTimeout(50);
    expect(begun).toBe(2); // the first, and the one that was begun before its logits were added
  });

  it('tell of each window, and stop when interrupted', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const run = slidingWindow(
      numberedVolume([8, 4, 4], 1),
      {
        ...plain,
        window: [4, 4, 4],
        overlap: 0.5,
        outChannels: 1,
        signal: stop.signal,
        onWindow: (done, total) => {
          seen.push(`${done}/${total}`);
          if (done === 2) stop.abort();
        },
      },
      async (images) => images.slice(),
    );
    await expect(run).rejects.toHaveProperty('name', 'AbortError');
    expect(seen).toEqual(['1/3', '2/3']);
  });
});

describe('the weights of a window', () => {
  it.each(importance)('are those of MONAI compute_importance_map for $window', ({ window, weights }) => {
    const [found, expected] = [gaussianImportance(window), decodeFloats(weights)];
    // MONAI multiplies three float32 factors: a few roundings of 6e-8, and exp of a rounded square of up to 8 sigma^2.
    expect(found).toHaveLength(expected.length);
    found.forEach((weight, i) => {
      expect(Math.abs(weight - expected[i]!)).toBeLessThanOrEqual(2e-6 * expected[i]!);
    });
  });

  it('are symmetric, largest in the middle and nowhere below 1e-3', () => {
    const weights = gaussianImportance([7, 6, 5]);
    expect([...weights]).toEqual([...weights].reverse());
    expect(weights[3 + 7 * (2 + 6 * 2)]).toBe(Math.max(...weights));
    expect(Math.min(...weights)).toBeCloseTo(1e-3, 9);
  });
});

describe('the places of windows', () => {
  it.each(places)(
    'are those of MONAI for $size, windows of $window, overlap $overlap',
    ({ size, window, overlap, along, count }) => {
      const starts = windowStarts(size, window, overlap);
      expect(
        [0, 1, 2].map((axis) => [...new Set(starts.map((at) => at[axis]!))].sort((a, b) => a - b)),
      ).toEqual(along);
      expect(new Set(starts.map(String)).size).toBe(count);
      expect(starts).toHaveLength(count);
    },
  );

  it('cover every voxel and stay inside the volume', () => {
    const sides = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 20 }));
    const overlaps = fc.double({ min: 0, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(sides, sides, sides), overlaps, (axes, overlap) => {
        const window = axes.map(([n]) => n) as unknown as Triple;
        const size = axes.map(([n, more]) => n + more) as unknown as Triple;
        const starts = windowStarts(size, window, overlap);
        for (let axis = 0; axis < 3; axis++) {
          const covered = new Set(
            starts.flatMap((at) => Array.from({ length: window[axis]! }, (_, i) => at[axis]! + i)),
          );
          expect([...covered].sort((a, b) => a - b)).toEqual(
            Array.from({ length: size[axis]! }, (_, i) => i),
          );
        }
      }),
      { numRuns: 50 },
    );
  });
});
