import { describe, expect, it } from 'vitest';
import {
  axisAlignedAffine,
  type BackgroundRange,
  backgroundRanges,
  foregroundBox,
  reorientToRas,
  type Triple,
  type Volume,
} from '../../src/volume/index.js';

const size: Triple = [20, 18, 16];
type Value = (x: number, y: number, z: number) => number;

function volumeOf(...channels: readonly Value[]): Volume {
  const data = channels.flatMap((value) =>
    Array.from({ length: size[0] * size[1] * size[2] }, (_, i) =>
      value(i % size[0], Math.floor(i / size[0]) % size[1], Math.floor(i / (size[0] * size[1]))),
    ),
  );
  const affine = axisAlignedAffine([1, 1, 1]);
  return { size, spacing: [1, 1, 1], affine, channels: channels.length, data: Float32Array.from(data) };
}

/** Values of both signs, no two neighbours alike. */
const tissue: Value = (x, y, z) =>
  Math.sin(1.7 * x + 0.6 * y) + 0.7 * Math.cos(2.1 * z - 0.9 * x) - 0.031 * y;
const inside: (x: number, y: number, z: number) => boolean = (x, y, z) =>
  x >= 4 && x < 15 && y >= 3 && y < 14 && z >= 2 && z < 12;
const brainIn =
  (air: number, value: Value = tissue): Value =>
  (x, y, z) =>
    inside(x, y, z) ? value(x, y, z) : air;
const noise: Value = (x, y, z) => (7 * x + 13 * y + 29 * z + x * y * z) % 23;
const brainBox = { start: [4, 3, 2], size: [11, 11, 10] };
const whole = { start: [0, 0, 0], size };

const isIn = ({ low, high }: BackgroundRange, value: number) => value >= low && value <= high;

describe('the foreground of an MR volume', () => {
  it.each([
    ['0', 0],
    ['a negative constant, as after a z-score over all voxels', -0.51234567],
    ['-1, the lowest of values between -1 and 1', -1],
    ['a large number', 4096],
    ['a number between those of the tissue', 0.25],
  ])('is the brain where the air is %s', (_, air) => {
    const volume = volumeOf(brainIn(air));
    const ranges = backgroundRanges(volume);
    expect(isIn(ranges[0]!, Math.fround(air))).toBe(true);
    expect(foregroundBox(volume, ranges)).toEqual(brainBox);
  });

  it('is the brain where each channel has an air of its own, and one channel shows nothing', () => {
    const volume = volumeOf(brainIn(-0.4), brainIn(7), () => -3, brainIn(0));
    expect(foregroundBox(volume, backgroundRanges(volume))).toEqual(brainBox);
  });

  it('is everything where tissue of both signs fills the volume', () => {
    const volume = volumeOf(tissue);
    expect(foregroundBox(volume, backgroundRanges(volume))).toEqual(whole);
  });

  it('is what is above 0 where the air is noise and nothing is negative, as raw MR has it', () => {
    const raw = volumeOf((x, y, z) => (inside(x, y, z) ? 500 + 100 * tissue(x, y, z) : noise(x, y, z)));
    expect(backgroundRanges(raw)).toEqual([{ low: 0, high: 0 }]);
    expect(foregroundBox(raw, backgroundRanges(raw))).toEqual(whole);
  });

  it.each<[string, (x: number, y: number, z: number) => boolean, object]>([
    ['the first slices along x', (x) => x < 3, { start: [3, 0, 0], size: [17, 18, 16] }],
    ['the last slices along y', (_x, y) => y >= 15, { start: [0, 0, 0], size: [20, 15, 16] }],
    ['both ends along z', (_x, _y, z) => z < 2 || z > 12, { start: [0, 0, 2], size: [20, 18, 11] }],
  ])('leaves out a padding of %s of a scan without air', (_, isPadding, box) => {
    const volume = volumeOf((x, y, z) => (isPadding(x, y, z) ? -9.5 : tissue(x, y, z)));
    expect(foregroundBox(volume, backgroundRanges(volume))).toEqual(box);
  });

  it('is found though the head is cut by a face, and though the rounding of the air differs', () => {
    const cut: Value = (x, y, z) => (x >= 4 && x < 15 && y >= 3 && y < 14 && z < 12 ? tissue(x, y, z) : -0.3);
    const rounded: Value = (x, y, z) => cut(x, y, z) + (cut(x, y, z) === -0.3 ? 6e-8 * ((x + y + z) % 2) : 0);
    const volume = volumeOf(rounded);
    expect(foregroundBox(volume, backgroundRanges(volume))).toEqual({ start: [4, 3, 0], size: [11, 11, 12] });
  });

  it('is what is not 0 where a mask cut so near the tissue that no face is air, and leaves tissue alone', () => {
    const cleared: Value = (x, y, z) => ((x < 14 && y < 13 && z < 11) === x >= 7 ? tissue(x, y, z) : 0);
    expect(backgroundRanges(volumeOf(cleared))).toEqual([{ low: 0, high: 0 }]);
    const [range] = backgroundRanges(volumeOf(tissue));
    for (const value of [-1e9, -1, 0, 1]) expect(isIn(range!, value)).toBe(false);
  });

  it('does not depend on the order and direction of the axes', () => {
    const volume = volumeOf(brainIn(-0.51234567));
    const turned = reorientToRas({ ...volume, affine: { rows: [0, 0, -1, 9, -1, 0, 0, 3, 0, 1, 0, 0] } });
    expect(turned.size).toEqual([16, 20, 18]);
    expect(backgroundRanges(turned)).toEqual(backgroundRanges(volume));
  });

  it('has none where every channel has one value', () => {
    const volume = volumeOf(
      () => 5,
      () => -2,
    );
    expect(foregroundBox(volume, backgroundRanges(volume))).toBeUndefined();
  });
});
