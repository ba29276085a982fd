import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CropPlanOptions, planCrop, visitOrder } from '../../../src/dataset/crops/crop-plan.js';
import type { Triple } from '../../../src/volume/index.js';

const stored = (voxels: number) => ({ voxels, stored: Math.min(voxels, 4096) });
const options: CropPlanOptions = {
  cases: [{ size: [50, 40, 30], classVoxels: { 1: stored(90_000), 3: stored(12), 7: stored(500) } }],
  cropSize: [20, 20, 20],
  batchSize: 1,
  seed: 3,
  foregroundRatio: 1,
};
const nowhere = (): Triple => [0, 0, 0];
const order = visitOrder(options.seed, 1);

/** 4 standard deviations of a share; the seed is fixed, so the test always ends the same way. */
const tolerance = (p: number, n: number) => 4 * Math.sqrt((p * (1 - p)) / n);

describe('planning a crop', () => {
  it('draws the classes of a case evenly, however few voxels one has, and their stored voxels evenly', () => {
    const asked: [string, number][] = [];
    const draws = 6000;
    for (let step = 0; step < draws; step++) {
      planCrop(options, order, step, 0, (_, label, rank) => {
        asked.push([label, rank]);
        return nowhere();
      });
    }
    expect(asked).toHaveLength(draws);
    for (const label of ['1', '3', '7']) {
      const share = asked.filter(([found]) => found === label).length / draws;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(tolerance(1 / 3, draws));
    }
    const ranks = asked.filter(([label]) => label === '3').map(([, rank]) => rank);
    for (let rank = 0; rank < 12; rank++) {
      expect(Math.abs(ranks.filter((found) => found === rank).length / ranks.length - 1 / 12)).toBeLessThan(
        tolerance(1 / 12, ranks.length),
      );
    }
    expect(Math.max(...asked.filter(([label]) => label === '1').map(([, rank]) => rank))).toBeLessThan(4096);
  });

  it('centres the share of crops that foregroundRatio says, within 4 deviations', () => {
    const draws = 6000;
    for (const foregroundRatio of [0, 0.3, 0.5]) {
      let centred = 0;
      for (let step = 0; step < draws; step++) {
        planCrop({ ...options, foregroundRatio }, order, step, 0, () => {
          centred++;
          return nowhere();
        });
      }
      expect(Math.abs(centred / draws - foregroundRatio)).toBeLessThanOrEqual(
        tolerance(foregroundRatio, draws),
      );
    }
  });

  it('puts the voxel in the middle, or as near to it as the volume lets', () => {
    const start = (voxel: Triple) => planCrop(options, order, 0, 0, () => voxel).start;
    expect(start([25, 20, 15])).toEqual([15, 10, 5]);
    expect(start([0, 39, 29])).toEqual([0, 20, 10]);
    expect(start([10, 30, 20])).toEqual([0, 20, 10]);
  });

  it('keeps every crop inside its volume where it fits, with the chosen voxel in it', () => {
    const side = fc.integer({ min: 1, max: 60 });
    const sides = fc.tuple(side, side, side);
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 1000 }),
        (size, cropSize, share, step) => {
          const voxel = size.map((n) => Math.floor(share * (n - 1))) as unknown as Triple;
          const plan = { ...options, cases: [{ size, classVoxels: { 1: stored(1) } }], cropSize };
          for (const foregroundRatio of [0, 1]) {
            const { start } = planCrop({ ...plan, foregroundRatio }, order, step, 0, () => voxel);
            for (let axis = 0; axis < 3; axis++) {
              const spare = size[axis]! - cropSize[axis]!;
              if (spare < 0) expect(start[axis]! + Math.floor(-spare / 2)).toBe(0);
              else expect(start[axis]! >= 0 && start[axis]! <= spare).toBe(true);
              if (foregroundRatio === 1)
                expect(voxel[axis]! >= start[axis]! && voxel[axis]! < start[axis]! + cropSize[axis]!).toBe(
                  true,
                );
            }
          }
        },
      ),
    );
  });

  it('reaches every place of a volume, each as often as the others', () => {
    const draws = 6200;
    const found = Array.from(
      { length: draws },
      (_, step) => planCrop({ ...options, foregroundRatio: 0 }, order, step, 0, nowhere).start[0],
    );
    for (let x = 0; x <= 30; x++) {
      expect(Math.abs(found.filter((start) => start === x).length / draws - 1 / 31)).toBeLessThan(
        tolerance(1 / 31, draws),
      );
    }
  });

  it('lies anywhere in a case without labelled voxels, whatever foregroundRatio says', () => {
    const unlabelled = {
      ...options,
      cases: [{ size: [50, 40, 30] as [number, number, number], classVoxels: {} }],
    };
    const starts = Array.from({ length: 20 }, (_, step) =>
      planCrop(unlabelled, order, step, 0, nowhere).start.join(),
    );
    expect(new Set(starts).size).toBeGreaterThan(15);
  });
});

describe('the order of the cases', () => {
  it('is a permutation of them in every epoch, for any count and any batch size that cuts across epochs', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: 0, max: 99 }),
        (count, epoch, seed) => {
          const order = visitOrder(seed, count);
          const visits = Array.from({ length: count }, (_, i) => order(epoch * count + i));
          expect([...visits].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        },
      ),
    );
    const ofEight = visitOrder(1, 8);
    const orders = Array.from({ length: 10 }, (_, epoch) =>
      Array.from({ length: 8 }, (_, i) => ofEight(8 * epoch + i)).join(),
    );
    expect(new Set(orders).size).toBeGreaterThan(8);
  });
});
