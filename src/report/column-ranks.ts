const MARKS = ['¹', '²', '³'];

/**
 * Marks of the best three values of a column, as the paper colours them; equal values share a mark, and a value that is missing has none.
 * @returns '¹', '²', '³' or ''
 */
export function rankMarks(values: readonly (number | null)[], better: 'higher' | 'lower'): string[] {
  const distinct = [...new Set(values.filter((value) => value !== null))].sort((a, b) => (better === 'higher' ? b - a : a - b));
  return values.map((value) => (value === null || values.length < 2 ? '' : (MARKS[distinct.indexOf(value)] ?? '')));
}
