import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CropSize } from '../../src/corruption/crop.js';
import { randomFlips } from '../../src/corruption/flip.js';
import { drawInPaintingBoxes, inPainting } from '../../src/corruption/in-painting.js';
import {
  type CorruptionStep,
  type Crop,
  corrupt,
  type ModelsGenesisRecipe,
} from '../../src/corruption/index.js';
import { localShuffling } from '../../src/corruption/local-shuffling.js';
import {
  drawIntensityCurve,
  type IntensityCurve,
  nonlinearIntensity,
} from '../../src/corruption/nonlinear-intensity.js';
import { drawOutPaintingWindows, outPainting } from '../../src/corruption/out-painting.js';
import { drawSteps } from '../../src/corruption/recipe.js';
import { randomStream } from '../../src/random/streams.js';

const paper: ModelsGenesisRecipe = {
  name: 'models-genesis',
  flip: 0.4,
  shuffle: 0.5,
  nonlinear: 0.9,
  paint: 0.9,
  inPaint: 0.2,
};
const stream = (...indices: number[]) => randomStream(7, 'corrupt', ...indices);
const DRAWS = 10_000;

/** A crop of which every voxel of every channel has a value of its own, in [0.25, 0.75): noise in [0, 1) is told from it. */
function tellingCrop(size: CropSize, channels = 1): Crop {
  const length = size[0] * size[1] * size[2] * channels;
  return { data: Float32Array.from({ length }, (_, i) => 0.25 + (0.5 * i) / length), size, channels };
}

/** A share of `n` draws is within three standard deviations of its probability. */
function expectShare(count: number, probability: number, n = DRAWS): void {
  expect(Math.abs(count / n - probability)).toBeLessThanOrEqual(
    3 * Math.sqrt((probability * (1 - probability)) / n),
  );
}

const changed = (before: Crop, after: Crop): number[] =>
  Array.from(before.data.keys()).filter((i) => before.data[i] !== after.data[i]);

describe('the recipe of Models Genesis', () => {
  it('shuffles, bends and paints with the probabilities of the paper, each on its own', () => {
    const drawn = Array.from({ length: DRAWS }, (_, i) => drawSteps(paper, stream(i)));
    const count = (...wanted: CorruptionStep[]) =>
      drawn.filter((steps) => wanted.every((step) => steps.includes(step))).length;
    expectShare(count('shuffle'), 0.5);
    expectShare(count('nonlinear'), 0.9);
    expectShare(count('in-paint'), 0.18);
    expectShare(count('out-paint'), 0.72);
    expectShare(count('shuffle', 'nonlinear'), 0.5 * 0.9);
    expectShare(count('nonlinear', 'in-paint'), 0.9 * 0.18);
    expect(count('in-paint', 'out-paint')).toBe(0);
  });

  it('does them in the order shuffle, bend, paint, and leaves the crop that it was given alone', () => {
    const crop = tellingCrop([16, 16, 16]);
    const before = crop.data.slice();
    const always = { ...paper, shuffle: 1, nonlinear: 1, paint: 1, inPaint: 1 };
    expect(corrupt(crop, always, stream(1)).steps).toEqual(['shuffle', 'nonlinear', 'in-paint']);
    expect(crop.data).toEqual(before);
  });

  it('is the same for the same stream and another for another', () => {
    const crop = tellingCrop([16, 18, 20], 2);
    const [first, again, other] = [
      corrupt(crop, paper, stream(3, 1)),
      corrupt(crop, paper, stream(3, 1)),
      corrupt(crop, paper, stream(3, 2)),
    ];
    expect(again).toEqual(first);
    expect(other.corrupted.data).not.toEqual(first.corrupted.data);
  });

  it('leaves the image as it is with every probability at 0', () => {
    const crop = tellingCrop([14, 15, 16]);
    const { image, corrupted, steps } = corrupt(
      crop,
      { name: 'models-genesis', flip: 0, shuffle: 0, nonlinear: 0, paint: 0, inPaint: 0 },
      stream(0),
    );
    expect([image.data, corrupted.data, steps]).toEqual([crop.data, crop.data, []]);
  });
});

describe("TransVW's recipe", () => {
  it('does exactly one of the four, each in a quarter of 10,000 draws', () => {
    const drawn = Array.from({ length: DRAWS }, (_, i) => drawSteps({ name: 'transvw' }, stream(i)));
    for (const step of ['shuffle', 'nonlinear', 'in-paint', 'out-paint'] as const)
      expectShare(drawn.filter(([only]) => only === step).length, 0.25);
    expect(drawn.every(({ length }) => length === 1)).toBe(true);
  });
});

describe('flips', () => {
  const crop = tellingCrop([3, 4, 5], 2);
  it('turn image and target together, over one axis a time, up to three times, with probability 0.4 each', () => {
    const identical = (a: Float32Array, b: Float32Array) => a.every((value, i) => value === b[i]);
    let unflipped = 0;
    for (let i = 0; i < DRAWS; i++)
      if (identical(randomFlips(crop, 0.4, stream(i)).data, crop.data)) unflipped++;
    // Not flipped at all; or twice over one axis, which undoes it. Three flips always leave one.
    expectShare(unflipped, 0.6 + (0.4 ** 2 * 0.6) / 3);
  });

  it('reverse whole axes', () => {
    const at = ({ data, size: [nx, ny, nz] }: Crop, x: number, y: number, z: number, c: number) =>
      data[((c * nz + z) * ny + y) * nx + x];
    for (let i = 0; i < 60; i++) {
      const flipped = randomFlips(crop, 0.6, stream(i));
      const [fx, fy, fz] = [0, 1, 2].map((axis) => axisIsReversed(flipped, axis));
      for (const [x, y, z, c] of [
        [0, 0, 0, 0],
        [2, 1, 4, 1],
        [1, 3, 2, 0],
      ] as const) {
        expect(at(flipped, x, y, z, c)).toBe(at(crop, fx ? 2 - x : x, fy ? 3 - y : y, fz ? 4 - z : z, c));
      }
    }
  });

  /** Values ascend with x, y and z in the telling crop. */
  function axisIsReversed({ data, size: [nx, ny] }: Crop, axis: number): boolean {
    return data[[1, nx, nx * ny][axis]!]! < data[0]!;
  }
});

describe('local shuffling', () => {
  it('moves voxels by less than a tenth of each side, within the original, channels together', () => {
    const size: CropSize = [24, 30, 41];
    const crop = tellingCrop(size, 2);
    const shuffled = localShuffling(crop, stream(1));
    const plane = 24 * 30 * 41;
    const place = new Map(Array.from(crop.data.subarray(0, plane), (value, i) => [value, i]));
    const coordinates = (i: number) => [i % 24, Math.floor(i / 24) % 30, Math.floor(i / 720)];
    let moved = 0;
    for (let i = 0; i < plane; i++) {
      const from = place.get(shuffled.data[i]!)!; // throws nothing: a value that is not of the original has no place
      expect(from).toBeDefined();
      if (from !== i) moved++;
      expect(shuffled.data[plane + i]).toBe(crop.data[plane + from]);
      for (const axis of [0, 1, 2]) {
        const shift = Math.abs(coordinates(from)[axis]! - coordinates(i)[axis]!);
        if (shift >= Math.floor(size[axis]! / 10)) expect.fail(`voxel ${i} comes from ${from}`);
      }
    }
    expect(moved).toBeGreaterThan(plane / 2);
  });

  it('moves nothing where windows are single voxels', () => {
    const crop = tellingCrop([14, 15, 16]);
    expect(localShuffling(crop, stream(1)).data).toEqual(crop.data);
  });
});

describe('non-linear intensity', () => {
  const { values, cases } = JSON.parse(readFileSync('test/parity/corruption/bezier.json', 'utf8')) as {
    values: number[];
    cases: (IntensityCurve & { mapped: number[] })[];
  };

  it.each(cases)(
    'follows SciPy and NumPy along the curve by $first and $second, falling: $falling',
    ({ mapped, ...curve }) => {
      const crop = { data: Float32Array.from(values), size: [values.length, 1, 1] as const, channels: 1 };
      const found = nonlinearIntensity(crop, curve).data;
      // Both are tables of the curve, of 10,001 and 100,000 points. Where the curve is steep (the two corner cases) a table's step in y counts.
      for (const [i, value] of mapped.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(2e-4);
    },
  );

  it('finds the same lines as a search of the whole curve, bit for bit', () => {
    const share = fc.oneof(
      fc.constantFrom(0, 1),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((n) => n / 2 ** 32),
    );
    const point = fc.tuple(share, share);
    fc.assert(
      fc.property(point, point, fc.boolean(), fc.integer(), (first, second, falling, seed) => {
        const drawn = randomStream(seed, 'corrupt');
        const values = Float32Array.from({ length: 60 }, (_, i) =>
          i % 3 === 0 ? drawn.integer(2 ** 13) / 2 ** 13 : drawn.uniform() ** (1 + (i % 3) * 4),
        );
        const { data } = nonlinearIntensity(
          { data: values, size: [values.length, 1, 1], channels: 1 },
          { first, second, falling },
        );
        expect(data).toEqual(values.map(slowCurve({ first, second, falling })));
      }),
      { numRuns: 30 },
    );
  });

  /** The curve, whose values are found among all of its points. */
  function slowCurve({ first, second, falling }: IntensityCurve): (value: number) => number {
    const coordinate = (a: number, b: number) =>
      Array.from({ length: 10_001 }, (_, i) => {
        const t = i / 10_000;
        return 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t ** 2 * b + t ** 3;
      });
    const xs = coordinate(first[0], second[0]);
    const rising = coordinate(first[1], second[1]);
    const ys = falling ? rising.reverse() : rising;
    return (value) => {
      if (value <= 0) return ys[0]!;
      if (value >= 1) return ys[10_000]!;
      const low = xs.findLastIndex((x) => x <= value);
      return ys[low]! + ((value - xs[low]!) / (xs[low + 1]! - xs[low]!)) * (ys[low + 1]! - ys[low]!);
    };
  }

  it('keeps or reverses the order of intensities, and keeps them in [0, 1]', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const curve = drawIntensityCurve(randomStream(seed, 'corrupt'));
        const ascending = Float32Array.from({ length: 101 }, (_, i) => i / 100);
        const { data } = nonlinearIntensity({ data: ascending, size: [101, 1, 1], channels: 1 }, curve);
        const ordered = Array.from(curve.falling ? data.toReversed() : data);
        expect(ordered[0]).toBe(0);
        expect(ordered[100]).toBe(1);
        for (let i = 1; i < ordered.length; i++) expect(ordered[i]).toBeGreaterThanOrEqual(ordered[i - 1]!);
      }),
      { numRuns: 100 },
    );
  });

  it('falls in half of 10,000 draws', () => {
    const falling = Array.from({ length: DRAWS }, (_, i) => drawIntensityCurve(stream(i))).filter(
      (curve) => curve.falling,
    );
    expectShare(falling.length, 0.5);
  });
});

describe.each([
  ['in-painting', drawInPaintingBoxes, 0, 5, (n: number) => [Math.floor(n / 6), Math.floor(n / 3)]],
  [
    'out-painting',
    drawOutPaintingWindows,
    1,
    5,
    (n: number) => [n - Math.floor((4 * n) / 7), n - Math.floor((3 * n) / 7)],
  ],
] as const)('the boxes of %s', (_, draw, fewest, most, sides) => {
  const size: CropSize = [14, 32, 45];
  const drawn = Array.from({ length: DRAWS }, (_, i) => draw(stream(i), size));

  it(`are ${fewest} to ${most}, each next one with probability 0.95`, () => {
    for (let count = fewest; count < most; count++) {
      const reached = drawn.filter(({ length }) => length >= count).length;
      expectShare(drawn.filter(({ length }) => length > count).length, 0.95, reached);
    }
    expect(Math.max(...drawn.map(({ length }) => length))).toBe(most);
  });

  it('have sides in their range, both ends included, three voxels off the border', () => {
    for (const axis of [0, 1, 2]) {
      const n = size[axis]!;
      const [low, high] = sides(n) as [number, number];
      const found = drawn.flat().map((box) => box.sides[axis]!);
      expect([Math.min(...found.slice(0, 20_000)), Math.max(...found.slice(0, 20_000))]).toEqual([low, high]);
      for (const { start, sides: box } of drawn.flat()) {
        if (start[axis]! < 3 || start[axis]! + box[axis]! > n - 3)
          expect.fail(`a box begins at ${start} with sides ${box}`);
      }
    }
  });
});

describe('painting', () => {
  const crop = tellingCrop([28, 30, 32], 2);
  const plane = 28 * 30 * 32;
  const flatness = (values: readonly number[]) => [
    values.reduce((a, b) => a + b, 0) / values.length,
    Math.max(...values),
    Math.min(...values),
  ];

  it('inside changes boxes only, by uniform noise that is the same in all channels', () => {
    const painted = inPainting(crop, stream(4));
    const positions = changed(crop, painted);
    expect(positions.length).toBeGreaterThan(200);
    for (const i of positions.slice(0, 500))
      expect(painted.data[i]).toBe(painted.data[(i + plane) % (2 * plane)]);
    const [mean, highest, lowest] = flatness(positions.map((i) => painted.data[i]!));
    expect(mean).toBeCloseTo(0.5, 1);
    expect(highest).toBeLessThan(1);
    expect(lowest).toBeGreaterThanOrEqual(0);
    expect(positions.length).toBeLessThan(2 * plane * 0.2); // five boxes of a third a side are 5/27
  });

  it('outside keeps windows of the original and nothing else', () => {
    for (let i = 0; i < 20; i++) {
      const painted = outPainting(crop, stream(i));
      const kept = new Set(Array.from(crop.data.keys()).filter((at) => crop.data[at] === painted.data[at]));
      expect(kept.size).toBeGreaterThan(plane * 2 * 0.05);
      const noise = Array.from(painted.data).filter((_, at) => !kept.has(at));
      expect(flatness(noise)[0]).toBeCloseTo(0.5, 1);
      // The border of three voxels is noise all round.
      for (let at = 0; at < plane; at++) if (at % 28 < 3) expect(kept.has(at)).toBe(false);
    }
  });
});

describe('against the recipe written in NumPy', () => {
  interface Spread {
    readonly mean: number;
    readonly std: number;
    readonly n: number;
  }
  const reference = JSON.parse(readFileSync('test/parity/corruption/spread.json', 'utf8')) as {
    size: [number, number, number];
    shuffle: { moved: Spread; distance: Spread[] };
    inPaint: Spread;
    outPaint: Spread;
  };
  const { size } = reference;
  const crop = tellingCrop(size);

  /** The mean over crops is within three standard errors of the reference's. */
  function expectMean(values: readonly number[], { mean, std, n }: Spread): void {
    const found = values.reduce((a, b) => a + b, 0) / values.length;
    expect(Math.abs(found - mean)).toBeLessThanOrEqual(3 * std * Math.sqrt(1 / values.length + 1 / n));
  }

  it('shuffling moves as many voxels, and as far along each axis', () => {
    const place = new Map(Array.from(crop.data, (value, i) => [value, i]));
    const coordinates = (i: number) => [
      i % size[0],
      Math.floor(i / size[0]) % size[1],
      Math.floor(i / (size[0] * size[1])),
    ];
    const shuffles = Array.from({ length: 20 }, (_, i) =>
      Array.from(localShuffling(crop, stream(i)).data, (value) => place.get(value)!),
    );
    expectMean(
      shuffles.map((from) => from.filter((source, i) => source !== i).length / from.length),
      reference.shuffle.moved,
    );
    for (const axis of [0, 1, 2]) {
      const distances = shuffles.map(
        (from) =>
          from.reduce(
            (sum, source, i) => sum + Math.abs(coordinates(source)[axis]! - coordinates(i)[axis]!),
            0,
          ) / from.length,
      );
      expectMean(distances, reference.shuffle.distance[axis]!);
    }
  });

  it.each([
    ['in-painting covers', inPainting, reference.inPaint, true],
    ['out-painting keeps', outPainting, reference.outPaint, false],
  ] as const)('%s as many voxels', (_, paint, spread, covered) => {
    const shares = Array.from({ length: 400 }, (_, i) => {
      const { data } = paint(crop, stream(i));
      let kept = 0;
      for (let at = 0; at < data.length; at++) if (data[at] === crop.data[at]) kept++;
      return (covered ? data.length - kept : kept) / data.length;
    });
    expectMean(shares, spread);
  });
});
