import { WorkError } from './errors.js';

/*
 * Reading by index, for the places where an index is worked out and the compiler cannot know that it fits. Each
 * throws where it does not, in place of going on with `undefined` or NaN. One function a kind of array: a
 * function that met several kinds would be slow in a loop over voxels. One kind costs nothing that can be
 * measured in most loops, and 3 to 20 % in the tightest, which read without it and say so.
 */

/** The value at `index`. Throws WorkError beyond the array. */
export function floatAt(values: Float32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw beyond(index, values.length);
  return value;
}

/** The value at `index`. Throws WorkError beyond the array. */
export function doubleAt(values: Float64Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw beyond(index, values.length);
  return value;
}

/** The value at `index`. Throws WorkError beyond the array. */
export function byteAt(values: Uint8Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw beyond(index, values.length);
  return value;
}

/** The value at `index`. Throws WorkError beyond the array. */
export function intAt(values: Int32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw beyond(index, values.length);
  return value;
}

/** The value at `index`. Throws WorkError beyond the array. */
export function uint32At(values: Uint32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw beyond(index, values.length);
  return value;
}

/**
 * The item at `index` of a list, or of numbers of any kind where speed does not matter. Throws WorkError
 * beyond it.
 */
export function itemAt<T>(items: { readonly length: number; readonly [index: number]: T }, index: number): T {
  const item = items[index];
  if (item === undefined) throw beyond(index, items.length);
  return item;
}

/**
 * What a record or map holds under a name. Throws WorkError, naming what it does hold, where there is
 * nothing.
 */
export function entryOf<T>(entries: ReadonlyMap<string, T> | Readonly<Record<string, T>>, name: string): T {
  const entry = entries instanceof Map ? entries.get(name) : (entries as Readonly<Record<string, T>>)[name];
  if (entry !== undefined) return entry;
  const known = entries instanceof Map ? [...entries.keys()] : Object.keys(entries);
  throw new WorkError(
    `there is no "${name}" among ${known.slice(0, 8).join(', ')}${known.length > 8 ? ' ...' : ''}`,
    { found: name },
  );
}

const beyond = (index: number, length: number): WorkError =>
  new WorkError(`index ${index} lies beyond the ${length} values of an array`, {
    found: index,
    expected: `0..${length - 1}`,
  });
