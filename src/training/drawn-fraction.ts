import type { PreparedCase } from '../dataset/index.js';
import { randomStream } from '../random/streams.js';

/**
 * The share of the cases that the seed draws, at least one group, in their own order. Groups, such as the
 * scans of a patient, are drawn as a whole, as long as they fit. With the same seed a smaller share lies within
 * a larger one, so that results over shares differ by the cases that are added alone.
 * @param fraction above 0, at most 1
 */
export function drawnFraction(cases: readonly FractionCase[], fraction: number, seed: number): string[] {
  const count = Math.max(1, Math.round(fraction * cases.length));
  const keyOf = ({ id, dataset, group }: FractionCase) =>
    group === undefined ? id : `group ${group} of ${dataset}`;
  const groups = new Map<string, string[]>();
  for (const listed of cases) groups.set(keyOf(listed), [...(groups.get(keyOf(listed)) ?? []), listed.id]);
  const drawn = new Set<string>();
  for (const ids of randomStream(seed, 'fraction').shuffle([...groups.values()])) {
    if (drawn.size > 0 && drawn.size + ids.length > count) break;
    for (const id of ids) drawn.add(id);
  }
  return cases.filter(({ id }) => drawn.has(id)).map(({ id }) => id);
}

type FractionCase = Pick<PreparedCase, 'id' | 'dataset' | 'group'>;
