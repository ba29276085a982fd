import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowStarts } from '../../src/inference/index.js';
import { type Triple, type Volume, voxelCount } from '../../src/volume/index.js';
import { largestDifference } from '../volume/references.js';
import { mirroredVolume } from './mirrored-volume.js';
import {
  decodeFloats,
  numberedVolume,
  positionDependentPredictor,
  readReference,
  slidingWindow,
  type WindowPredictor,
} from './references.js';

interface AveragedCase {
  readonly name: string;
  readonly size: Triple;
  readonly window: Triple;
  readonly overlap: number;
  readonly mirror: readonly ('x' | 'y' | 'z')[];
  readonly mirrored: string;
  readonly softmax: string;
  readonly sigmoid: string;
}

const { networks, cases } = readReference<{
  networks: [scale: number, offset: number][];
  cases: AveragedCase[];
}>('averaged.json');
const axes = ['x', 'y', 'z'] as const;

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 1);

const scaled =
  (predict: WindowPredictor, scale: number, offset: number): WindowPredictor =>
  async (images) =>
    (await predict(images)).map((logit, i) => scale * logit + (i % 2 === 0 ? offset : -offset));

describe.each(cases)('windows mirrored $name', ({ size, window, overlap, mirror, ...expected }) => {
  const volume = numberedVolume(size, 1);
  const settings = { window, overlap, mirror, windowBatch: 1, outChannels: 2 };
  const predict = positionDependentPredictor(window, 1);
  const members = networks.map(([scale, offset]) => scaled(predict, scale, offset));

  it('give the mean of the logits over all flips, as PyTorch in MONAI windows does', async () => {
    const found = await slidingWindow(volume, { ...settings, kind: 'classes' }, predict);
    const reference = decodeFloats(expected.mirrored);
    const magnitude = largest(reference);
    // Up to 8 flips of 64 windows are added, each product rounded to 6e-8 of itself.
    expect(largestDifference(found.data, reference)).toBeLessThan(4e-6 * magnitude);
  });

  it('of three networks give the logarithm of their mean softmax', async () => {
    const found = await slidingWindow(volume, { ...settings, kind: 'classes' }, ...members);
    expect(largestDifference(found.data.map(Math.exp), decodeFloats(expected.softmax))).toBeLessThan(1e-5);
  });

  it('of three networks give the logit of their mean sigmoid where the channels are regions', async () => {
    const found = await slidingWindow(volume, { ...settings, kind: 'regions' }, ...members);
    const probabilities = found.data.map((logit) => 1 / (1 + Math.exp(-logit)));
    expect(largestDifference(probabilities, decodeFloats(expected.sigmoid))).toBeLessThan(1e-5);
  });
});

describe('mirrored windows', () => {
  it('are the mean over flips of a volume of one window', async () => {
    const window: Triple = [5, 4, 3];
    const volume = numberedVolume(window, 1);
    const options = { window, overlap: 0.5, windowBatch: 1, outChannels: 2, kind: 'classes' } as const;
    const predict = positionDependentPredictor(window, 1);
    const found = await slidingWindow(volume, { ...options, mirror: ['x', 'z'] }, predict);
    const flips = [[], ['x'], ['z'], ['x', 'z']] as const;
    const plain = await Promise.all(
      flips.map(async (flip) =>
        mirroredVolume(
          await slidingWindow(mirroredVolume(volume, flip), { ...options, mirror: [] }, predict),
          flip,
        ),
      ),
    );
    const mean = Float32Array.from(
      found.data,
      (_, i) => plain.reduce((sum, { data }) => sum + data[i]!, 0) / 4,
    );
    const magnitude = largest(mean);
    expect(largestDifference(found.data, mean)).toBeLessThan(1e-6 * magnitude);
  });

  it('along every axis give for a mirrored volume the mirrored logits', async () => {
    const side = fc.integer({ min: 1, max: 5 });
    const more = fc.integer({ min: 0, max: 2 });
    const triples = fc.tuple(side, side, side);
    const mirrorings = fc.subarray([...axes], { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        triples,
        fc.tuple(more, more, more),
        mirrorings,
        fc.integer({ min: 1, max: 5 }),
        async (window, intervals, flip, windowBatch) => {
          // Windows lie alike from both ends where whole intervals follow the first.
          const size = window.map(
            (n, axis) => n + intervals[axis]! * Math.max(1, Math.floor(n / 2)),
          ) as unknown as Triple;
          const options = {
            window,
            overlap: 0.5,
            windowBatch,
            mirror: [...axes],
            outChannels: 2,
            kind: 'classes',
          } as const;
          const volume = numberedVolume(size, 1);
          const predict = batched(window, positionDependentPredictor(window, 1));
          const found = await slidingWindow(mirroredVolume(volume, flip), options, predict);
          const expected = mirroredVolume(await slidingWindow(volume, options, predict), flip);
          const magnitude = largest(expected.data);
          expect(largestDifference(found.data, expected.data)).toBeLessThan(4e-6 * magnitude);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('averaged networks', () => {
  const window: Triple = [4, 4, 3];
  const volume = numberedVolume([7, 6, 5], 1);
  const predict = scaled(positionDependentPredictor(window, 1), 0.1, 0);

  it.each(['classes', 'regions'] as const)(
    'that are one network three times decide what it decides: %s',
    async (kind) => {
      const options = { window, overlap: 0.5, windowBatch: 1, mirror: [], outChannels: 2, kind } as const;
      const [one, three] = [
        await slidingWindow(volume, options, predict),
        await slidingWindow(volume, options, predict, predict, predict),
      ];
      const voxels = voxelCount(volume);
      const margins = (of: Volume) =>
        of.data.subarray(0, voxels).map((logit, i) => logit - of.data[i + voxels]!);
      expect(
        largestDifference(
          kind === 'regions' ? three.data : margins(three),
          kind === 'regions' ? one.data : margins(one),
        ),
      ).toBeLessThan(1e-5);
    },
  );

  it('stay finite where every network is certain', async () => {
    const certain: WindowPredictor = async (images) =>
      Float32Array.from({ length: 2 * images.length }, (_, i) => (i % 2 === 0 ? 900 : -900));
    for (const kind of ['classes', 'regions'] as const) {
      const options = { window, overlap: 0.5, windowBatch: 1, mirror: [], outChannels: 2, kind } as const;
      const { data } = await slidingWindow(volume, options, certain, certain);
      expect(data.every(Number.isFinite)).toBe(true);
      expect(data[0]! - data[voxelCount(volume)]!).toBeGreaterThan(1000);
    }
  });
});

describe('a batch of windows', () => {
  const window: Triple = [4, 5, 3];
  const volume = numberedVolume([9, 8, 7], 2);
  const options = { window, overlap: 0.5, mirror: [], outChannels: 2, kind: 'classes' } as const;

  it.each([2, 7, 64])(
    'gives the bits of one at a time, %d at once, fewer where the windows that begin in a slice end',
    async (windowBatch) => {
      const sizes: number[] = [];
      const predict = batched(window, positionDependentPredictor(window, 2), 2, (count) => sizes.push(count));
      const one = await slidingWindow(
        volume,
        { ...options, windowBatch: 1 },
        positionDependentPredictor(window, 2),
      );
      const several = await slidingWindow(volume, { ...options, windowBatch }, predict);
      expect(largestDifference(several.data, one.data)).toBe(0);
      const [nx, ny, nz] = [0, 1, 2].map(
        (axis) => new Set(windowStarts(volume.size, window, 0.5).map((at) => at[axis])).size,
      ) as unknown as Triple;
      const whole = Math.floor((nx * ny) / windowBatch);
      const left = (nx * ny) % windowBatch;
      const ofOneSlice = [...new Array(whole).fill(windowBatch), ...(left > 0 ? [left] : [])];
      expect(sizes).toEqual(Array.from({ length: nz }, () => ofOneSlice).flat());
    },
  );

  it('gives the bits of one at a time with several networks too', async () => {
    const networksOf = (make: () => WindowPredictor) => [scaled(make(), 0.1, 0), scaled(make(), -0.2, 0.3)];
    const one = await slidingWindow(
      volume,
      { ...options, windowBatch: 1 },
      ...networksOf(() => positionDependentPredictor(window, 2)),
    );
    for (const windowBatch of [2, 7, 64]) {
      const predictors = networksOf(() => batched(window, positionDependentPredictor(window, 2), 2));
      const several = await slidingWindow(volume, { ...options, windowBatch }, ...predictors);
      expect(largestDifference(several.data, one.data)).toBe(0);
    }
  });
});

/** A predictor of one window for several. */
function batched(
  window: Triple,
  predict: WindowPredictor,
  channels = 1,
  onBatch: (count: number) => void = () => {},
): WindowPredictor {
  const each = voxelCount({ size: window }) * channels;
  return async (images) => {
    const count = images.length / each;
    onBatch(count);
    const parts: Float32Array[] = [];
    for (let k = 0; k < count; k++) parts.push(await predict(images.subarray(k * each, (k + 1) * each)));
    return Float32Array.from(parts.flatMap((part) => [...part]));
  };
}
