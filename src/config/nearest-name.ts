import { intAt } from '../at.js';

/** The name that `wanted` begins, or else the one with the fewest edits from it, if at most half of its letters would change. */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const begun = names.find((name) => name.toLowerCase().startsWith(wanted.toLowerCase()));
  if (begun) return begun;
  const scored = names.map((name) => ({ name, edits: editDistance(wanted.toLowerCase(), name.toLowerCase()) }));
  const [best] = scored.sort((a, b) => a.edits - b.edits);
  return best && best.edits <= Math.ceil(wanted.length / 2) ? best.name : undefined;
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Int32Array.from({ length: b.length + 1 }, (_, j) => j); // edits from a's beginning to each beginning of b
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
