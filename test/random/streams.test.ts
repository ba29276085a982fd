import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream, stepSeed } from '../../src/random/streams.js';

const draws = (n: number, ...args: Parameters<typeof randomStream>) => {
  const stream = randomStream(...args);
  return Array.from({ length: n }, () => stream.uniform());
};

describe('random streams', () => {
  it('repeat for the same seed, name and indices, and differ when any of them does', () => {
    const reference = draws(8, 7, 'crop', 3, 1);
    expect(draws(8, 7, 'crop', 3, 1)).toEqual(reference);
    for (const other of [
      draws(8, 8, 'crop', 3, 1),
      draws(8, 7, 'mask', 3, 1),
      draws(8, 7, 'crop', 31),
      draws(8, 7, 'crop', 1, 3),
    ]) {
      expect(other).not.toEqual(reference);
    }
  });

  it('are the same on every machine: first draws, pinned', () => {
    expect(draws(3, 1, 'split')).toEqual([0.2853869383689016, 0.6642473526299, 0.5705216827336699]);
  });

  it('fill 16 equal bins evenly (chi-square, 15 degrees of freedom, 0.1% point 37.7)', () => {
    const counts = new Array(16).fill(0);
    for (const u of draws(160_000, 5, 'crop')) counts[Math.floor(u * 16)]++;
    expect(counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(37.7);
  });

  it('give first draws of neighbouring steps that are uniform too', () => {
    const counts = new Array(16).fill(0);
    for (let step = 0; step < 32_000; step++) counts[randomStream(5, 'mask', step).integer(16)]++;
    expect(counts.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(37.7);
  });

  it('give normals of mean 0 and variance 1', () => {
    const stream = randomStream(2, 'phantom');
    const values = Array.from({ length: 50_000 }, () => stream.normal());
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02); // 4.5 standard errors
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });

  it('accept and reject the same 32 bits as remainders below the largest multiple of the limit do', () => {
    const limit = fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 2 ** 31 - 3, max: 2 ** 32 }), // rejects up to half of what is drawn
      fc.integer({ min: 1, max: 2 ** 32 }),
    );
    fc.assert(
      fc.property(fc.integer(), limit, (seed, limit) => {
        const found = randomStream(seed, 'split');
        const bits = randomStream(seed, 'split');
        const slow = () => {
          for (;;) {
            const value = bits.uniform() * 2 ** 32;
            if (value < 2 ** 32 - (2 ** 32 % limit)) return value % limit;
          }
        };
        for (let draw = 0; draw < 8; draw++) expect(found.integer(limit)).toBe(slow());
      }),
    );
  });

  it('fill a part of an array with what they would give one by one, and go on after it', () => {
    const [one, many] = [randomStream(6, 'corrupt', 2), randomStream(6, 'corrupt', 2)];
    expect(many.uniform()).toBe(one.uniform());
    const target = new Float32Array(100).fill(-1);
    many.fillUniform(target, 10, 90);
    const expected = new Float32Array(100).fill(-1);
    for (let i = 10; i < 90; i++) expected[i] = one.uniform();
    expect(target).toEqual(expected);
    expect([many.uniform(), many.integer(7)]).toEqual([one.uniform(), one.integer(7)]);
  });

  it('shuffle into permutations and draw integers below their limit', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer(), { maxLength: 30 }),
        fc.integer({ min: 1, max: 2 ** 31 }),
        (seed, items, limit) => {
          const stream = randomStream(seed, 'split');
          expect([...stream.shuffle(items)].sort()).toEqual([...items].sort());
          const value = stream.integer(limit);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(limit);
        },
      ),
    );
    expect(() => randomStream(1, 'split').integer(0)).toThrow(RangeError);
  });

  it('derive step seeds that fit a non-negative int32 and differ between steps', () => {
    const seeds = Array.from({ length: 1000 }, (_, step) => stepSeed(9, step));
    expect(new Set(seeds).size).toBe(1000);
    expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)).toBe(true);
  });
});
