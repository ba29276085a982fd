import { intAt, itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import type { Volume, VoxelArray } from '../../volume/index.js';
import type { LabelMap } from '../index/dataset-file.js';

/**
 * The label with the dataset's class values: mapped where a map is given, then every value checked.
 * A value that the map does not list becomes what "*" says, or stays.
 * @returns one channel of Uint8 or, with classes above 255, Uint16
 * @throws DataError for a value that is no class of the task, fractional values, or several channels
 */
export function toClassValues(
  label: Volume,
  classes: Readonly<Record<string, string>>,
  map: LabelMap | undefined,
  file: string,
): Volume {
  requireOneChannel(label, file);
  return { ...label, data: classValues(classes, map, file).of(label.data) };
}

/** What holds the classes' values. */
export function classValueType(classes: Readonly<Record<string, string>>): 'uint8' | 'uint16' {
  return Math.max(0, ...Object.keys(classes).map(Number)) > 255 ? 'uint16' : 'uint8';
}

/** Throws DataError when a label has several channels. */
export function requireOneChannel(label: Pick<Volume, 'channels'>, file: string): void {
  if (label.channels !== 1) {
    throw new DataError(`label ${file} has ${label.channels} channels, but one label volume is expected`, {
      file,
      found: label.channels,
      expected: 1,
    });
  }
}

/** As `toClassValues`, for the values of parts of a label. */
export interface ClassValues {
  /** Throws DataError when a value is no class of the task. */
  require(found: VoxelArray): void;
  /**
   * The classes of values. Throws DataError for a value that is no class of the task.
   * @param into an array of `classValueType` and the length of `found` to fill and return; absent: a new one
   */
  of(found: VoxelArray, into?: Uint8Array | Uint16Array): Uint8Array | Uint16Array;
}

/**
 * The values of a task's classes, to check and map labels with.
 * @param file where the label comes from, for errors
 */
export function classValues(
  classes: Readonly<Record<string, string>>,
  map: LabelMap | undefined,
  file: string,
): ClassValues {
  const values = Object.keys(classes).map(Number);
  const target = new Map([0, ...values].map((value) => [value, value]));
  const resolve = (found: number): number => {
    const mapped = map?.[String(found)] ?? map?.['*'] ?? found;
    const value = target.get(mapped);
    if (value !== undefined) return value;
    const listed = Object.entries(classes).map(([number, name]) => `${number} ${name}`);
    throw new DataError(
      `label ${file} holds the value ${found}${Object.is(mapped, found) ? '' : ` (mapped to ${mapped})`}, ` +
        `but the task's classes are 0 background, ${listed.join(', ')}: ` +
        'add the class, or map the value with "labelMap"',
      { file, field: 'classes', found, expected: [0, ...values] },
    );
  };
  const accepted = new Map<number, number>();
  const accept = (found: number): number => {
    const value = accepted.get(found) ?? resolve(found);
    accepted.set(found, value);
    return value;
  };
  const ArrayType = classValueType(classes) === 'uint16' ? Uint16Array : Uint8Array;
  return {
    require: (found) => acceptEach(found, accept),
    of: (found, into = new ArrayType(found.length)) => mapEach(found, accept, into),
  };
}

/**
 * Neighbours are mostly alike, so that words of four bytes,
 * which hold up to four voxels, are mostly as the word before.
 */
function acceptEach(found: VoxelArray, accept: (value: number) => number): void {
  const voxels = 4 / found.BYTES_PER_ELEMENT;
  const words =
    found.byteOffset % 4 === 0
      ? new Int32Array(found.buffer, found.byteOffset, Math.floor(found.length / voxels))
      : new Int32Array(0);
  let last = 0;
  for (let i = 0; i < words.length; i++) {
    const word = intAt(words, i);
    if (word === last && i > 0) continue;
    last = word;
    for (let k = i * voxels; k < (i + 1) * voxels; k++) accept(found[k]!);
  }
  for (let k = words.length * voxels; k < found.length; k++) accept(itemAt<number>(found, k));
}

function mapEach(
  found: VoxelArray,
  accept: (value: number) => number,
  into: Uint8Array | Uint16Array,
): Uint8Array | Uint16Array {
  let [lastFound, lastValue] = [Number.NaN, 0];
  for (let i = 0; i < into.length; i++) {
    const value = found[i]!;
    if (value !== lastFound) {
      lastFound = value;
      lastValue = accept(value);
    }
    into[i] = lastValue;
  }
  return into;
}
