/** 1 for the best of a column, to 3. */
export type Rank = 1 | 2 | 3;

/** By how many are better. */
const RANKS = [1, 2, 3] as const;

/**
 * Ranks of the best three of a column, as the paper colours them. A number has as many ranks before it as
 * there are better ones, so that equal ones share a rank and leave out the next (1, 1, 3); they are compared
 * as printed, and what is no number has no rank.
 */
export function columnRanks(printed: readonly string[], better: 'higher' | 'lower'): (Rank | undefined)[] {
  const values = printed.map((text) => (better === 'higher' ? Number(text) : -Number(text)));
  return values.map((value) => {
    if (Number.isNaN(value)) return undefined;
    const ahead = values.filter((other) => other > value).length;
    return RANKS[ahead];
  });
}

const MARKS: Readonly<Record<Rank, string>> = { 1: '¹', 2: '²', 3: '³' };

/** The ranks as '¹', '²', '³' or '', none where there is nothing to compare with. */
export function rankMarks(printed: readonly string[], better: 'higher' | 'lower'): string[] {
  return columnRanks(printed, better).map((rank) =>
    rank === undefined || printed.length < 2 ? '' : MARKS[rank],
  );
}
