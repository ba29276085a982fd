// Each corruption with draws that are given by hand, so that what it must do can be worked out.
import { describe, expect, it } from 'vitest';
import {
  between,
  type Crop,
  type CropSize,
  channelLength,
  forEachRow,
  SMALLEST_SIDE,
} from '../../src/corruption/crop.js';
import { randomFlips } from '../../src/corruption/flip.js';
import { drawInPaintingBoxes, inPainting } from '../../src/corruption/in-painting.js';
import { corrupt, type ModelsGenesisRecipe } from '../../src/corruption/index.js';
import { localShuffling } from '../../src/corruption/local-shuffling.js';
import { drawIntensityCurve, nonlinearIntensity } from '../../src/corruption/nonlinear-intensity.js';
import { drawOutPaintingWindows, outPainting } from '../../src/corruption/out-painting.js';
import { drawSteps } from '../../src/corruption/recipe.js';
import type { RandomStream } from '../../src/random/streams.js';

/** A stream that gives what it is told, in order, then what `then` says, and keeps the limits of its whole numbers. */
function told(
  uniforms: readonly number[],
  integers: readonly number[],
  then?: { uniform?: number; integer?: (limit: number) => number },
) {
  const limits: number[] = [];
  let [u, i] = [0, 0];
  const given = (value: number | undefined, what: string): number => {
    if (value === undefined) throw new Error(`one ${what} more was drawn than was told`);
    return value;
  };
  const uniform = () => given(uniforms[u++] ?? then?.uniform, 'uniform number');
  const stream: RandomStream = {
    uniform,
    fillUniform: (target, first, end) => {
      for (let i = first; i < end; i++) target[i] = uniform();
    },
    integer: (limit) => {
      limits.push(limit);
      return given(integers[i++] ?? then?.integer?.(limit), 'whole number');
    },
    normal: () => given(undefined, 'normal deviate'),
    shuffle: () => {
      throw new Error('a list was shuffled');
    },
  };
  return {
    stream,
    limits,
    unused: () => [Math.max(0, uniforms.length - u), Math.max(0, integers.length - i)],
  };
}

/** Every voxel of every channel has a value of its own. */
const counted = (size: CropSize, channels: number): Crop => ({
  data: Float32Array.from({ length: size[0] * size[1] * size[2] * channels }, (_, i) => i),
  size,
  channels,
});

/** A crop's values by [x, y, z, c] as `of` says. */
function crop(
  size: CropSize,
  channels: number,
  of: (x: number, y: number, z: number, c: number) => number,
): Float32Array {
  const values: number[] = [];
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < size[2]; z++)
      for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[0]; x++) values.push(of(x, y, z, c));
  }
  return Float32Array.from(values);
}

const at = ({ data, size: [nx, ny, nz] }: Crop, x: number, y: number, z: number, c: number): number =>
  data[((c * nz + z) * ny + y) * nx + x]!;
const largest = (limit: number): number => limit - 1;

describe('boxes of a crop', () => {
  it('have rows of voxels from their start on, y, then z', () => {
    const visited: number[] = [];
    forEachRow({ start: [1, 1, 1], sides: [2, 2, 2] }, [5, 4, 3], (first) => visited.push(first));
    expect(visited).toEqual([26, 31, 46, 51]); // (1 * 4 + 1) * 5 + 1, a row of 5 on, and a plane of 20 on
    expect(channelLength([2, 3, 5])).toBe(30);
  });

  it('have sides between two bounds, both included', () => {
    const { stream, limits } = told([], [0, 3]);
    expect([between(stream, 4, 7), between(stream, 4, 7)]).toEqual([4, 7]);
    expect(limits).toEqual([4, 4]);
  });

  it('have room from a side of 14 voxels on: six of edge and the largest window', () => {
    const room = (side: number) => {
      const { stream, limits } = told([], [0, 0, 0, 0, 0, 0], { uniform: 1 });
      drawOutPaintingWindows(stream, [side, side, side]);
      return Math.min(...limits.slice(3));
    };
    expect(room(SMALLEST_SIDE - 1)).toBeLessThan(1);
    for (let side = SMALLEST_SIDE; side < 130; side++) expect(room(side)).toBeGreaterThan(0);
    expect(SMALLEST_SIDE).toBe(14);
  });
});

describe('a flip', () => {
  const size: CropSize = [2, 3, 4];
  const original = counted(size, 2);

  it.each([
    [0, (x: number, y: number, z: number) => [1 - x, y, z]],
    [1, (x: number, y: number, z: number) => [x, 2 - y, z]],
    [2, (x: number, y: number, z: number) => [x, y, 3 - z]],
  ] as const)('reverses axis %i of every channel', (axis, from) => {
    const { stream, limits, unused } = told([0.39, 0.4], [axis]);
    const flipped = randomFlips(original, 0.4, stream);
    expect(flipped.data).toEqual(
      crop(size, 2, (x, y, z, c) => {
        const [fx, fy, fz] = from(x, y, z) as [number, number, number];
        return at(original, fx, fy, fz, c);
      }),
    );
    expect([flipped.size, flipped.channels, limits, unused()]).toEqual([size, 2, [3], [0, 0]]);
  });

  it('comes up to three times, and not at all where the draw reaches the probability', () => {
    const { stream, limits } = told([], [], { uniform: 0, integer: () => 1 });
    expect(randomFlips(original, 0.4, stream).data).toEqual(
      crop(size, 2, (x, y, z, c) => at(original, x, 2 - y, z, c)),
    );
    expect(limits).toHaveLength(3);
    expect(randomFlips(original, 0.4, told([0.4], []).stream)).toBe(original);
  });
});

describe('local shuffling', () => {
  const size: CropSize = [30, 29, 19]; // a tenth, rounded down: 3, 2, 1
  const original = counted(size, 2);

  it('fills each window with its own voxels of the original, in the order drawn, later windows over earlier ones', () => {
    // Sides 3, 1, 1 from [5, 4, 7] on: the last of three voxels changes places with the first one, then the second with itself.
    // Sides 2, 2, 1 from [5, 3, 7] on: of the four, the last and the second, the third and the first, the second and the first.
    const first = [2, 0, 0, 5, 4, 7, 0, 1];
    const second = [1, 1, 0, 5, 3, 7, 1, 0, 0];
    const { stream, limits } = told([], [...first, ...second], { integer: () => 0 });
    const { data, size: sameSize, channels } = localShuffling(original, stream);
    const moved = new Map([
      ['7,4', [5, 4]], // of the first window, where the second is not
      ['6,4', [6, 3]], // fourth <- second
      ['5,4', [5, 3]], // third <- first
      ['6,3', [5, 4]], // second <- first of those left, which was the third
      ['5,3', [6, 4]],
    ]);
    expect(data).toEqual(
      crop(size, 2, (x, y, z, c) => {
        const from = z === 7 ? moved.get(`${x},${y}`) : undefined;
        return from ? at(original, from[0]!, from[1]!, z, c) : at(original, x, y, z, c);
      }),
    );
    expect([sameSize, channels]).toEqual([size, 2]);
    expect(limits.slice(0, 17)).toEqual([3, 2, 1, 28, 29, 19, 3, 2, 3, 2, 1, 29, 28, 19, 4, 3, 2]);
  });

  it('draws 10,000 windows, each of three sides and a place', () => {
    const { stream, limits } = told([], [], { integer: () => 0 });
    localShuffling(counted([10, 10, 10], 1), stream);
    expect(limits).toHaveLength(60_000);
  });

  it('leaves the crop that it was given alone', () => {
    const given = counted([10, 20, 10], 1);
    localShuffling(given, told([], [], { integer: largest }).stream);
    expect(given).toEqual(counted([10, 20, 10], 1));
  });
});

describe('the intensity curve', () => {
  const mapped = (values: readonly number[], curve: Parameters<typeof nonlinearIntensity>[1]) =>
    Array.from(
      nonlinearIntensity({ data: Float32Array.from(values), size: [values.length, 1, 1], channels: 1 }, curve)
        .data,
    );
  const close = (found: readonly number[], expected: readonly number[]) => {
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  };

  it('is the identity with control points on the diagonal, and one less it where it falls', () => {
    const diagonal = { first: [1 / 3, 1 / 3], second: [2 / 3, 2 / 3] } as const;
    const values = [0, 0.00001, 0.12345, 0.5, 0.98765, 0.99999, 1];
    close(mapped(values, { ...diagonal, falling: false }), values);
    close(
      mapped(values, { ...diagonal, falling: true }),
      values.map((value) => 1 - value),
    );
  });

  it('goes through what the polynomial gives at t = 0.2, 0.5 and 0.9', () => {
    const points = (x: readonly [number, number], y: readonly [number, number]) =>
      [0.2, 0.5, 0.9].map((t) =>
        [x, y].map(([a, b]) => 3 * (1 - t) * (1 - t) * t * a + 3 * (1 - t) * t * t * b + t * t * t),
      );
    const found = (first: readonly [number, number], second: readonly [number, number]) => {
      const wanted = points([first[0], second[0]], [first[1], second[1]]);
      close(
        mapped(
          wanted.map(([x]) => x!),
          { first, second, falling: false },
        ),
        wanted.map(([, y]) => y!),
      );
    };
    found([0.1, 0.9], [0.4, 0.2]);
    found([0.7, 0], [0.9, 0.6]);
  });

  it('gives values beyond [0, 1] its ends', () => {
    const curve = { first: [0.2, 0.8], second: [0.4, 0.9] } as const;
    expect(mapped([-0.5, 1.5], { ...curve, falling: false })).toEqual([0, 1]);
    expect(mapped([-0.5, 1.5], { ...curve, falling: true })).toEqual([1, 0]);
  });

  it('is a line between 10,001 points of the parameter, the first of them included', () => {
    const y = 3 * (1 - 1e-4) ** 2 * 1e-4 + 3 * (1 - 1e-4) * 1e-8 + 1e-12; // at the second point, where x is 1e-12
    const [half] = mapped([0.5e-12], { first: [0, 1], second: [0, 1], falling: false });
    expect(half).toBeCloseTo(y / 2, 9);
  });

  it('keeps size and channels', () => {
    const { size, channels } = nonlinearIntensity(counted([2, 3, 4], 2), {
      first: [0, 0],
      second: [1, 1],
      falling: false,
    });
    expect([size, channels]).toEqual([[2, 3, 4], 2]);
  });

  it('draws both control points, then whether it falls: below one half', () => {
    expect(drawIntensityCurve(told([0.1, 0.2, 0.3, 0.4, 0.499], []).stream)).toEqual({
      first: [0.1, 0.2],
      second: [0.3, 0.4],
      falling: true,
    });
    expect(drawIntensityCurve(told([0.1, 0.2, 0.3, 0.4, 0.5], []).stream).falling).toBe(false);
  });
});

describe.each([
  // Sides between a sixth and a third; and between 3/7 and 4/7 short of the whole, where a small draw leaves a large window.
  ['in-painting', drawInPaintingBoxes, [3, 4, 5], [6, 8, 10], [4, 5, 6]],
  ['out-painting', drawOutPaintingWindows, [12, 15, 18], [9, 11, 14], [4, 5, 5]],
] as const)('the boxes of %s', (_, draw, atNone, atMost, sideLimits) => {
  const size: CropSize = [20, 25, 31]; // no multiples: sixths, thirds and sevenths are rounded down

  it('have sides and a place drawn within their bounds, three voxels off every border', () => {
    const low = told([0.949, 1], [], { integer: () => 0, uniform: 1 });
    expect(draw(low.stream, size)[0]).toEqual({ sides: atNone, start: [3, 3, 3] });
    expect(low.limits.slice(0, 3)).toEqual(sideLimits);
    const high = told([0.949, 1], [], { integer: largest, uniform: 1 });
    const box = draw(high.stream, size)[0]!;
    expect(box.sides).toEqual(atMost);
    expect(box.start.map((start, axis) => start + box.sides[axis]!)).toEqual(size.map((n) => n - 3));
  });

  it('are five at most, each next one drawn below 0.95', () => {
    const counted = (uniforms: readonly number[], uniform: number) =>
      draw(told(uniforms, [], { uniform, integer: () => 0 }).stream, size).length;
    const fewest = counted([], 0.95);
    expect(fewest).toBe(draw === drawOutPaintingWindows ? 1 : 0);
    expect(counted([], 0.949)).toBe(5);
    expect(counted([0.949, 0.949], 0.95)).toBe(fewest + 2);
  });
});

describe('painting', () => {
  const size: CropSize = [18, 24, 30];
  const original = counted(size, 2);
  const inBox = (x: number, y: number, z: number, start: CropSize, sides: CropSize) =>
    [x, y, z].every((n, axis) => n >= start[axis]! && n < start[axis]! + sides[axis]!);

  it('inside fills a box with one drawn value a voxel, the same in all channels, and nothing else', () => {
    const noise = Array.from({ length: 3 * 4 * 5 }, (_, i) => -1 - i);
    const { stream, unused } = told([0.9, 0.95, ...noise], [0, 0, 0, 5, 6, 7]);
    const painted = inPainting(original, stream);
    let next = 0;
    const expected = crop(size, 1, (x, y, z) =>
      inBox(x, y, z, [8, 9, 10], [3, 4, 5]) ? noise[next++]! : Number.NaN,
    );
    expect(painted.data).toEqual(
      crop(size, 2, (x, y, z, c) => {
        const value = expected[(z * 24 + y) * 18 + x]!;
        return Number.isNaN(value) ? at(original, x, y, z, c) : value;
      }),
    );
    expect([painted.size, painted.channels, unused()]).toEqual([size, 2, [0, 0]]);
    expect(original).toEqual(counted(size, 2));
  });

  it('outside draws a value for every value of every channel, and keeps the windows of the original', () => {
    const noise = Array.from({ length: original.data.length }, (_, i) => -1 - i);
    const { stream, unused } = told([...noise, 0.95], [0, 0, 0, 1, 2, 3]);
    const painted = outPainting(original, stream);
    let next = 0;
    expect(painted.data).toEqual(
      crop(size, 2, (x, y, z, c) => {
        const drawn = noise[next++]!;
        return inBox(x, y, z, [4, 5, 6], [11, 14, 18]) ? at(original, x, y, z, c) : drawn;
      }),
    );
    expect([painted.size, painted.channels, unused()]).toEqual([size, 2, [0, 0]]);
  });
});

describe('the recipe', () => {
  const genesis: ModelsGenesisRecipe = {
    name: 'models-genesis',
    flip: 0.4,
    shuffle: 0.5,
    nonlinear: 0.9,
    paint: 0.8,
    inPaint: 0.2,
  };
  const steps = (...draws: number[]) => drawSteps(genesis, told(draws, []).stream);

  it('of Models Genesis draws for shuffling, bending, painting and painting inside, each below its probability', () => {
    expect(steps(0.49, 0.89, 0.79, 0.19)).toEqual(['shuffle', 'nonlinear', 'in-paint']);
    expect(steps(0.49, 0.89, 0.79, 0.2)).toEqual(['shuffle', 'nonlinear', 'out-paint']);
    expect(steps(0.5, 0.89, 0.8, 0.19)).toEqual(['nonlinear']);
    expect(steps(0.49, 0.9, 0.8, 0.2)).toEqual(['shuffle']);
    expect(steps(0.5, 0.9, 0.8, 0.2)).toEqual([]);
  });

  it('of TransVW draws one of the four', () => {
    const { stream, limits } = told([], [0, 1, 2, 3]);
    const four = Array.from({ length: 4 }, () => drawSteps({ name: 'transvw' }, stream));
    expect([four, limits]).toEqual([
      [['shuffle'], ['nonlinear'], ['in-paint'], ['out-paint']],
      [4, 4, 4, 4],
    ]);
  });

  it('flips image and corrupted crop together for Models Genesis, and never for TransVW', () => {
    const original = counted([10, 14, 10], 1);
    const flipped = crop([10, 14, 10], 1, (x, y, z) => at(original, 9 - x, y, z, 0));
    const { image, corrupted, steps } = corrupt(original, genesis, told([0, 1, 1, 1, 1, 1], [0]).stream);
    expect([image.data, corrupted.data, steps]).toEqual([flipped, flipped, []]);
    // Bending by the diagonal: what is at most 0 becomes 0, what is at least 1 becomes 1.
    const bent = corrupt(original, { name: 'transvw' }, told([1 / 3, 1 / 3, 2 / 3, 2 / 3, 1], [1]).stream);
    expect([bent.image, bent.steps]).toEqual([original, ['nonlinear']]);
    expect(bent.corrupted.data).toEqual(original.data.map((value) => Math.min(1, value)));
  });

  it('does one after the other, each to what the one before left', () => {
    const original = { ...counted([18, 24, 30], 1), data: new Float32Array(18 * 24 * 30).fill(0.5) };
    const draws = [1, 1, 0, 0, 0]; // no flip, no shuffling; bent, painted inside
    const curve = [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1];
    const { corrupted, steps } = corrupt(
      original,
      genesis,
      told([...draws, ...curve, 0, 1], [0, 0, 0, 0, 0, 0], { uniform: 7 }).stream,
    );
    expect(steps).toEqual(['nonlinear', 'in-paint']);
    const [bent, noise] = [
      corrupted.data.filter((value) => Math.abs(value - 0.5) < 1e-5),
      corrupted.data.filter((value) => value === 7),
    ];
    expect([bent.length, noise.length]).toEqual([18 * 24 * 30 - 3 * 4 * 5, 3 * 4 * 5]); // painted last: noise of 7 would have been bent to 1
  });
});
