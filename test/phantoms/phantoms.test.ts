import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantom, phantomClasses, writePhantoms } from '../../src/phantoms/phantoms.js';
import { applyAffine, readVolume, spacingOf, type Triple, type Volume } from '../../src/volume/index.js';

const seed = 11;
const labels = [1, 2, 3, 4] as const;
let phantoms: { readonly image: Volume; readonly label: Volume }[];

beforeAll(() => {
  phantoms = [1, 2, 3, 4, 5, 6].map((index) => phantom(seed, index));
});

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-phantoms-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('CT phantoms', () => {
  it('are the same to the byte for the same seed and number, and others for another', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    for (const out of [first, second]) await writePhantoms(out, 2, seed);
    const names = [
      'phantom-01.nii.gz',
      'phantom-01_label.nii.gz',
      'phantom-02.nii.gz',
      'phantom-02_label.nii.gz',
    ];
    expect(readdirSync(first).sort()).toEqual(names);
    for (const name of names)
      expect(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name).toBe(true);
    for (const index of [1, 2]) {
      const written = await readVolume(join(first, `phantom-0${index}.nii.gz`));
      expect(Array.from(written.size)).toEqual(Array.from(phantoms[index - 1]!.image.size));
      expect(
        Buffer.from(written.data.buffer).equals(Buffer.from(phantoms[index - 1]!.image.data.buffer)),
      ).toBe(true);
      const label = await readVolume(join(first, `phantom-0${index}_label.nii.gz`));
      expect(Buffer.from(label.data.buffer).equals(Buffer.from(phantoms[index - 1]!.label.data.buffer))).toBe(
        true,
      );
    }
    expect(phantom(seed + 1, 1).image.data).not.toEqual(phantoms[0]!.image.data);
  });

  it('each have every organ, and nothing but organs, in their labels', () => {
    expect(Object.keys(phantomClasses).map(Number)).toEqual([...labels]);
    for (const { label } of phantoms) {
      const counts = new Array<number>(256).fill(0);
      for (const value of label.data) counts[value]!++;
      // The smallest organ, the spleen with semi-axes of 26, 20 and 36 mm, is some 770 of the coarsest voxels; the smallest body scales it to 290.
      for (const value of labels) expect(counts[value]).toBeGreaterThan(200);
      expect(
        counts.reduce((sum, count) => sum + count, 0) -
          [0, ...labels].reduce((sum, value) => sum + counts[value]!, 0),
      ).toBe(0);
    }
  });

  it('have their organs inside the body: with body on every side of each labelled voxel', () => {
    for (const { image, label } of phantoms) {
      const [nx, ny, nz] = image.size;
      const isBody = (x: number, y: number, z: number) => image.data[x + nx * (y + ny * z)]! > -500;
      let outside = 0;
      for (let z = 0; z < nz; z++) {
        const columns = Array.from({ length: nx }, (_, x) => extent(ny, (y) => isBody(x, y, z)));
        for (let y = 0; y < ny; y++) {
          const row = extent(nx, (x) => isBody(x, y, z));
          for (let x = 0; x < nx; x++) {
            if (label.data[x + nx * (y + ny * z)] === 0) continue;
            const column = columns[x]!;
            if (!(x > row.first && x < row.last && y > column.first && y < column.last)) outside++;
          }
        }
      }
      expect(outside).toBe(0);
    }
  });

  it('lie in the world as patients do, however they are stored: liver right, spleen left, a kidney on either side, aorta left of the middle', () => {
    for (const { label } of phantoms) {
      const [liver, spleen, kidneys, aorta] = labels.map((value) => worldPoints(label, value));
      expect(meanX(liver!)).toBeGreaterThan(20);
      expect(meanX(spleen!)).toBeLessThan(-20);
      expect(meanX(aorta!)).toBeLessThan(0);
      expect(kidneys!.some(([x]) => x > 30) && kidneys!.some(([x]) => x < -30)).toBe(true);
      expect(kidneys!.some(([x]) => Math.abs(x) < 15)).toBe(false);
    }
  });

  it('have HU as CT has: air at -1000, fat below 0, organs from unenhanced to arterial, bone above', () => {
    for (const { image, label } of phantoms) {
      expect(image.data).toBeInstanceOf(Int16Array);
      // Noise of at most 28 HU, a quarter of it in air: six standard deviations on either side.
      expect(Math.min(...range(image))).toBeGreaterThan(-1000 - 6 * 7);
      expect(Math.max(...range(image))).toBeLessThan(358 + 6 * 28);
      expect(Math.max(...range(image))).toBeGreaterThan(300);
      expect(medianWhere(image, (i) => i < 40)).toBeCloseTo(-1000, -1); // a corner
      for (const value of labels) {
        const median = medianWhere(image, (i) => label.data[i] === value);
        expect(median).toBeGreaterThan(25);
        expect(median).toBeLessThan(260);
      }
      const fat = Array.from(image.data).filter((hu) => hu > -150 && hu < -50).length;
      expect(fat / image.data.length).toBeGreaterThan(0.1);
    }
  });

  it('differ in orientation, spacing, size and contrast', () => {
    const distinct = (of: (volume: Volume) => unknown) =>
      new Set(phantoms.map(({ image }) => JSON.stringify(of(image)))).size;
    expect(distinct(({ affine }) => affine.rows[0]! > 0)).toBe(2);
    expect(distinct(({ spacing }) => spacing)).toBe(phantoms.length);
    expect(distinct(({ size }) => size)).toBeGreaterThan(phantoms.length / 2);
    for (const { image, label } of phantoms) {
      expect(label.affine).toEqual(image.affine);
      expect(label.size).toEqual(image.size);
      expect(spacingOf(image.affine).map((mm) => Number(mm.toFixed(9)))).toEqual(
        image.spacing.map((mm) => Number(mm.toFixed(9))),
      );
      const [inPlane, across, between] = image.spacing;
      expect(across).toBe(inPlane);
      for (const [mm, low, high] of [[inPlane, 3, 4.5] as const, [between, 3.5, 5] as const])
        expect(mm >= low && mm <= high).toBe(true);
      // The same trunk fills every grid: 360 x 270 x 200 mm to half a voxel.
      for (const [axis, extentMm] of [360, 270, 200].entries()) {
        expect(Math.abs(image.size[axis]! * image.spacing[axis]! - extentMm)).toBeLessThanOrEqual(
          image.spacing[axis]! / 2 + 1e-9,
        );
      }
    }
    const aortas = phantoms.map(({ image, label }) => medianWhere(image, (i) => label.data[i] === 4));
    expect(Math.max(...aortas) - Math.min(...aortas)).toBeGreaterThan(30);
  });

  it('do not give organs away by intensity: other tissue has the HU of the liver', () => {
    for (const { image, label } of phantoms) {
      const liver = Array.from(image.data.filter((_, i) => label.data[i] === 1)).sort((a, b) => a - b);
      const [low, high] = [liver[Math.floor(0.1 * liver.length)]!, liver[Math.floor(0.9 * liver.length)]!];
      const others = image.data.filter((hu, i) => label.data[i] === 0 && hu >= low && hu <= high).length;
      expect(others / liver.length).toBeGreaterThan(0.2);
    }
  });

  it('do not give liver, spleen or kidneys away to the best interval of HU that hindsight can choose', () => {
    // Not so the aorta: in a scan with contrast nothing but bone is brighter, as in patients.
    for (const { image, label } of phantoms) {
      for (const value of [1, 2, 3]) expect(bestIntervalDice(image, label, value)).toBeLessThan(0.85);
    }
  });
});

/** First and last place that passes; nothing passes: none lies between them. */
function extent(length: number, passes: (i: number) => boolean) {
  let [first, last] = [length, -1];
  for (let i = 0; i < length; i++) if (passes(i)) [first, last] = [Math.min(first, i), i];
  return { first, last };
}

function worldPoints({ size: [nx, ny, nz], affine, data }: Volume, value: number): Triple[] {
  const points: Triple[] = [];
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++)
      for (let x = 0; x < nx; x++) if (data[i++] === value) points.push(applyAffine(affine, [x, y, z]));
  }
  return points;
}

const meanX = (points: readonly Triple[]): number => points.reduce((sum, [x]) => sum + x, 0) / points.length;

function range({ data }: Volume): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

function medianWhere({ data }: Volume, holds: (i: number) => boolean): number {
  const sorted = data.filter((_, i) => holds(i)).sort();
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** The largest Dice of "all voxels from a to b HU", over all a and b from -104 to 496 in steps of 4. */
function bestIntervalDice(image: Volume, label: Volume, value: number): number {
  const [bins, lowest, width] = [150, -104, 4];
  const [inside, outside] = [new Float64Array(bins), new Float64Array(bins)];
  let present = 0;
  for (let i = 0; i < image.data.length; i++) {
    const isOrgan = label.data[i] === value;
    if (isOrgan) present++;
    const bin = Math.floor((image.data[i]! - lowest) / width);
    if (bin >= 0 && bin < bins) (isOrgan ? inside : outside)[bin]!++;
  }
  let best = 0;
  for (let from = 0; from < bins; from++) {
    let [found, wrong] = [0, 0];
    for (let to = from; to < bins; to++) {
      [found, wrong] = [found + inside[to]!, wrong + outside[to]!];
      best = Math.max(best, (2 * found) / (found + wrong + present));
    }
  }
  return best;
}
