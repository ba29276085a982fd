import { intAt } from '../at.js';

/**
 * The name that `wanted` begins, or else the one with the fewest edits from it, if at most half of its
 * letters would change.
 */
export const nearestName = (wanted: string, names: readonly string[]): string | undefined =>
  nearestNames(wanted, names)[0];

/**
 * All names that are near by the same rule, the nearest first: those that `wanted` begins, then by the number
 * of edits.
 */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  const scored = names.map((name) => {
    const begun = name.toLowerCase().startsWith(wanted.toLowerCase());
    return { name, edits: begun ? -1 : editDistance(wanted.toLowerCase(), name.toLowerCase()) };
  });
  const near = scored.filter(({ edits }) => edits <= Math.ceil(wanted.length / 2));
  return near.sort((a, b) => a.edits - b.edits).map(({ name }) => name);
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  // Edits from a's beginning to each beginning of b.
  let row = Int32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = new Int32Array(row.length);
    next[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = intAt(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(intAt(row, j) + 1, intAt(next, j - 1) + 1, replaced);
    }
    row = next;
  }
  return intAt(row, b.length);
}
