import { describe, expect, it } from 'vitest';
import { type CorruptionRecipe, corrupt, spareArrays } from '../../src/corruption/index.js';
import { randomStream } from '../../src/random/streams.js';

describe('spare arrays', () => {
  it('are used again once they were given back, each by one at a time', () => {
    const spare = spareArrays(5);
    const [first, second] = [spare.take(), spare.take()];
    expect(first).toHaveLength(5);
    expect(second).not.toBe(first);
    spare.giveBack(first);
    spare.giveBack(first);
    expect(spare.take()).toBe(first);
    expect(spare.take()).not.toBe(first);
  });

  it('take no array of another length', () => {
    const spare = spareArrays(5);
    spare.giveBack(new Float32Array(4));
    expect(spare.take()).toHaveLength(5);
  });

  it('hold no more than a crop needs at once, and what was in them changes nothing', () => {
    const recipe: CorruptionRecipe = {
      name: 'models-genesis',
      flip: 1,
      shuffle: 1,
      nonlinear: 1,
      paint: 1,
      inPaint: 0.5,
    };
    const crop = {
      data: Float32Array.from({ length: 20 * 18 * 16 }, (_, i) => (i % 97) / 97),
      size: [20, 18, 16] as const,
      channels: 1,
    };
    const made = new Set<Float32Array>();
    const kept = spareArrays(crop.data.length);
    const watched = {
      ...kept,
      take: () => {
        const array = kept.take().fill(Number.NaN);
        made.add(array);
        return array;
      },
    };
    for (let i = 0; i < 6; i++) {
      const { image, corrupted } = corrupt(crop, recipe, randomStream(i, 'corrupt'), watched);
      const fresh = corrupt(crop, recipe, randomStream(i, 'corrupt'));
      expect(image.data).toEqual(fresh.image.data);
      expect(corrupted.data).toEqual(fresh.corrupted.data);
      for (const { data } of [image, corrupted]) watched.giveBack(data);
    }
    expect(made.size).toBe(3); // the image, and two that a step goes between
  });
});
