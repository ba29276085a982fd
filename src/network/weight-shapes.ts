import type { NamedArrays } from '../engine/index.js';
import { DataError } from '../errors.js';

/**
 * Length of an axis of an array of a weights file.
 * @throws DataError naming the file, the network and the array that is missing
 */
export function lengthOf(
  arrays: NamedArrays,
  name: string,
  axis: number,
  network: string,
  file: string,
): number {
  const length = arrays[name]?.shape[axis];
  if (length !== undefined) return length;
  throw new DataError(`${file} lacks the parameter ${name}: it is no file of a ${network}'s weights`, {
    file,
    field: name,
  });
}

/** How many parts `prefix.0`, `prefix.1`, ... a weights file has: the highest number and one. */
export function countOf(arrays: NamedArrays, prefix: string): number {
  const numbers = Object.keys(arrays).flatMap((name) => {
    if (!name.startsWith(`${prefix}.`)) return [];
    const part = Number(name.slice(prefix.length + 1).split('.')[0]);
    return Number.isInteger(part) ? [part] : [];
  });
  return numbers.reduce((most, n) => Math.max(most, n), -1) + 1;
}
