import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Rank, tf } from '../../src/engine/index.js';
import { contrastiveLoss } from '../../src/losses/index.js';
import { contrastChance, maskChance } from '../../src/pretext/chance.js';
import { patchGrid, wholeGrid } from '../../src/pretext/patch-grid.js';

const { chance } = JSON.parse(readFileSync('test/parity/statistics/paired.json', 'utf8')) as {
  chance: { total: number; masked: number; n: number; number: number; location: number }[];
};

/** A crop of so many patches, of which `n` make a sub-volume: whole crops, or cubes of 2 or 4 patches. */
const grids = {
  '64/8': patchGrid([32, 32, 32], { subVolume: 16, patch: 8, region: 32 }, 8),
  '96/8': patchGrid([32, 48, 32], { subVolume: 16, patch: 8, region: 32 }, 8),
  '27/27': patchGrid([24, 24, 24], { subVolume: 24, patch: 8, region: 24 }, 8),
  '8/1': wholeGrid([16, 16, 16], 8),
  '1000/8': patchGrid([40, 40, 40], { subVolume: 8, patch: 4, region: 8 }, 8),
};

describe('losses of a network that sees nothing', () => {
  it.each(Object.entries(grids))("are SciPy's entropies for %s patches", (key, grid) => {
    const [total, n] = key.split('/').map(Number);
    const expected = chance.find((one) => one.total === total && one.n === n)!;
    const found = maskChance(grid, expected.masked / expected.total);
    expect(found.number).toBeCloseTo(expected.number, 9);
    expect(found.location).toBeCloseTo(expected.location, 9);
  });

  it('of the contrast are those of features that are all alike', () => {
    for (const batch of [2, 4]) {
      const alike = tf.ones<Rank.R2>([batch, 3]);
      const loss = contrastiveLoss(alike, alike, 0.5);
      expect(contrastChance(batch)).toBeCloseTo(loss.dataSync()[0]!, 5);
      loss.dispose();
    }
  });
});
