import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/random/streams.js';
import { embedCase } from '../../../src/report/page/embedded-case.js';
import type { Triple, Volume } from '../../../src/volume/index.js';
import { asLabel, volumeOf } from '../../dataset/generated-data.js';

const anySize = fc.tuple(
  fc.integer({ min: 8, max: 40 }),
  fc.integer({ min: 8, max: 40 }),
  fc.integer({ min: 8, max: 40 }),
);

/** A scan with a label in the box between two corners. */
function boxedCase(size: Triple, low: Triple, high: Triple, spacing: Triple = [1, 1, 1]) {
  const inside = (...at: number[]) => at.every((p, axis) => p >= low[axis]! && p <= high[axis]!);
  const image = volumeOf(size, (x, y, z) => (inside(x, y, z) ? 100 : 0), spacing);
  const label = asLabel(volumeOf(size, (x, y, z) => (inside(x, y, z) ? 3 : 0), spacing));
  return { image, reference: label, prediction: label };
}

describe('a case inside a page', () => {
  it('is cropped to 20 mm around what is labelled, and keeps its place in the world', () => {
    const volumes = boxedCase([80, 70, 60], [30, 30, 30], [39, 33, 31], [2, 1, 4]);
    const { size, spacing, reference, image } = embedCase(volumes, undefined, 1e6);
    expect([size, spacing]).toEqual([
      [10 + 2 * 10, 4 + 2 * 20, 2 + 2 * 5],
      [2, 1, 4],
    ]);
    expect(decoded(reference).origin).toEqual([2 * 20, 1 * 10, 4 * 25]);
    expect(count(decoded(reference).data, 3)).toBe(10 * 4 * 2);
    expect(decoded(image).origin).toEqual(decoded(reference).origin);
  });

  it('is turned to right, anterior, superior', () => {
    const { image, ...labels } = boxedCase([30, 20, 10], [4, 5, 6], [7, 8, 9]);
    const flipped = (volume: Volume): Volume => ({
      ...volume,
      affine: { rows: [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0] },
    });
    const embedded = embedCase(
      { image: flipped(image), reference: flipped(labels.reference), prediction: flipped(labels.prediction) },
      undefined,
      1e6,
    );
    const { rows } = decoded(embedded.image);
    expect([rows[0], rows[5], rows[10]]).toEqual([1, 1, 1]);
  });

  it('keeps the values of the window, and as much again on either side where the scan has it', () => {
    const grey = volumeOf([16, 16, 16], (x) => 100 * x - 500);
    const labels = asLabel(volumeOf([16, 16, 16], () => 1));
    const embedded = embedCase({ image: grey, reference: labels, prediction: labels }, [-100, 100], 1e6);
    expect(embedded.window).toEqual([-100, 100]);
    expect(embedded.range).toEqual([-300, 300]);
    const values = [...decoded(embedded.image).data.subarray(0, 16)];
    expect(values).toEqual(
      Array.from({ length: 16 }, (_, x) => Math.round(255 * Math.min(1, Math.max(0, (x - 2) / 6)))),
    );
    const narrow = embedCase({ image: grey, reference: labels, prediction: labels }, [-600, 900], 1e6);
    expect(narrow.range).toEqual([-600, 1000]);
  });

  it('gets coarser until it fits, over the same extent', () => {
    const noise = randomStream(1, 'crop');
    const image = volumeOf([72, 72, 72], () => 255 * noise.uniform());
    const label = asLabel(volumeOf([72, 72, 72], (x) => (x < 36 ? 1 : 2)));
    const [fine, coarse] = [2e6, 150_000].map((budget) =>
      embedCase({ image, reference: label, prediction: label }, undefined, budget),
    );
    expect(fine!.size).toEqual([72, 72, 72]);
    expect(coarse!.image.length + coarse!.reference.length + coarse!.prediction.length).toBeLessThanOrEqual(
      150_000,
    );
    expect(coarse!.size[0] * coarse!.spacing[0]).toBeGreaterThan(69);
    const { data } = decoded(coarse!.reference);
    expect(Math.abs(count(data, 1) / data.length - 0.5)).toBeLessThan(0.02);
  });

  it('keeps the share and the centre of a label within a coarse voxel, whatever the size', () => {
    fc.assert(
      fc.property(anySize, (size) => {
        const high = size.map((n) => Math.floor(n / 2)) as unknown as Triple;
        const { reference, spacing } = embedCase(boxedCase(size, [2, 2, 2], high), undefined, 2_000);
        const found = decoded(reference);
        for (const axis of [0, 1, 2])
          expect(Math.abs(centre(found, axis) - (2 + high[axis]!) / 2)).toBeLessThanOrEqual(spacing[axis]!);
      }),
      { numRuns: 25 },
    );
  });

  it('takes the first channel, and everything where nothing is labelled', () => {
    const one = volumeOf([12, 10, 8], (x) => x);
    const image = { ...one, channels: 2, data: Float32Array.from([...one.data, ...one.data.map(() => 1e6)]) };
    const empty = asLabel(volumeOf([12, 10, 8], () => 0));
    const { size, image: grey } = embedCase({ image, reference: empty, prediction: empty }, [0, 11], 1e6);
    expect(size).toEqual([12, 10, 8]);
    expect(decoded(grey).data[11]).toBe(255);
    expect(count(decoded(grey).data, 255)).toBe(80);
  });
});

/** Values and sform of an embedded volume, read from the NIfTI bytes alone. */
function decoded(base64: string): { size: Triple; rows: number[]; origin: number[]; data: Uint8Array } {
  const bytes = gunzipSync(Buffer.from(base64, 'base64'));
  const size = [42, 44, 46].map((at) => bytes.readInt16LE(at)) as unknown as Triple;
  const rows = Array.from({ length: 12 }, (_, i) => bytes.readFloatLE(280 + 4 * i));
  return { size, rows, origin: [rows[3]!, rows[7]!, rows[11]!], data: new Uint8Array(bytes.subarray(352)) };
}

/** mm along an axis of the middle of what is labelled. */
function centre({ size, rows, origin, data }: ReturnType<typeof decoded>, axis: number): number {
  let [sum, n] = [0, 0];
  const stride = [1, size[0], size[0] * size[1]][axis]!;
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    sum += Math.floor(i / stride) % size[axis]!;
    n++;
  }
  return origin[axis]! + (rows[5 * axis]! * sum) / n;
}

const count = (data: Uint8Array, value: number): number =>
  data.reduce((n, found) => n + (found === value ? 1 : 0), 0);
