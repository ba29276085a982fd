import { randomStream } from '../random/streams.js';

/**
 * The share of the cases that the seed draws, at least one, in their own order. With the same seed a smaller
 * share lies within a larger one, so that results over shares differ by the cases that are added alone.
 * @param fraction above 0, at most 1
 */
export function drawnFraction(cases: readonly string[], fraction: number, seed: number): string[] {
  const count = Math.max(1, Math.round(fraction * cases.length));
  const drawn = new Set(randomStream(seed, 'fraction').shuffle(cases).slice(0, count));
  return cases.filter((id) => drawn.has(id));
}
