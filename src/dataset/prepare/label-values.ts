import { DataError, UsageError } from '../../errors.js';
import type { Volume, VoxelArray } from '../../volume/index.js';
import type { LabelMap } from '../index/dataset-file.js';

/**
 * The label with the dataset's class values: mapped where a map is given, then every value checked.
 * A value that the map does not list becomes what "*" says, or stays.
 * @returns one channel of Uint8, with classes above 255 Uint16, above 65,535 Uint32
 * @param ignore a value that stays besides the classes: of voxels that nobody labelled
 * @throws DataError for a value that is no class of the task, fractional values, ids that the file's type cannot
 * tell apart, or several channels; UsageError for a class above 2^32 - 1
 */
export function toClassValues(
  label: Volume,
  classes: Readonly<Record<string, string>>,
  map: LabelMap | undefined,
  file: string,
  ignore?: number,
): Volume {
  requireOneChannel(label, file);
  return { ...label, data: classValues(classes, map, file, ignore).of(label.data) };
}

/** The largest class of a prepared label, which has two bytes a voxel at most. */
export const largestPreparedClass = 65_535;

/** What holds the values of classes. */
export type ClassArray = Uint8Array | Uint16Array | Uint32Array;

/** What holds the classes' values in a prepared label, none of which is above `largestPreparedClass`. */
export function classValueType(classes: Readonly<Record<string, string>>, ignore = 0): 'uint8' | 'uint16' {
  return Math.max(ignore, ...Object.keys(classes).map(Number)) > 255 ? 'uint16' : 'uint8';
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

/** What is wrong with a label in which every voxel is to be ignored. */
export function nothingLabelled(file: string, ignore: number): DataError {
  return new DataError(
    `label ${file} holds nothing but the value ${ignore}, which is ignored: nothing can be learnt from it, ` +
      'so label some of it or leave the case out',
    { file, field: 'ignore', found: ignore },
  );
}

/** As `toClassValues`, for the values of parts of a label. */
export interface ClassValues {
  /**
   * The classes of values. Throws DataError for a value that is no class of the task.
   * @param into an array that this gave before, of the length of `found` to fill and return; absent: a new one
   */
  of(found: VoxelArray, into?: ClassArray): ClassArray;
}

/**
 * The values of a task's classes, to check and map labels with.
 * @param file where the label comes from, for errors
 * @param ignore a value that stays besides the classes
 */
export function classValues(
  classes: Readonly<Record<string, string>>,
  map: LabelMap | undefined,
  file: string,
  ignore?: number,
): ClassValues {
  const values = [...Object.keys(classes).map(Number), ...(ignore === undefined ? [] : [ignore])];
  const target = new Map([0, ...values].map((value) => [value, value]));
  const resolve = (found: number): number => {
    const mapped = map?.[String(found)] ?? map?.['*'] ?? found;
    const value = target.get(mapped);
    if (value !== undefined) return value;
    const listed = [
      ...Object.entries(classes).map(([number, name]) => `${number} ${name}`),
      ...(ignore === undefined ? [] : [`${ignore} ignored`]),
    ];
    throw new DataError(
      `label ${file} holds the value ${found}${Object.is(mapped, found) ? '' : ` (mapped to ${mapped})`}, ` +
        `but the task's classes are 0 background, ${listed.join(', ')}: ` +
        'add the class, or map the value with "labelMap"',
      { file, field: 'classes', found, expected: [0, ...values] },
    );
  };
  const accepted = new Map<number, number>();
  const acceptUpTo = (largest: number) => (found: number) => {
    if (Math.abs(found) > largest) throw notExact(found, largest, file);
    const value = accepted.get(found) ?? resolve(found);
    accepted.set(found, value);
    return value;
  };
  const acceptSingle = acceptUpTo(2 ** 24);
  const acceptDouble = acceptUpTo(Number.MAX_SAFE_INTEGER);
  const acceptOf = (found: VoxelArray) => (found instanceof Float32Array ? acceptSingle : acceptDouble);
  const ArrayType = classArrayType(values);
  return {
    of: (found, into = new ArrayType(found.length)) => mapEach(found, acceptOf(found), into),
  };
}

/** Whether a value of a file is another than background once it is mapped. */
export function countsAsClass(map: LabelMap | undefined): (found: number) => boolean {
  return (found) => (map?.[String(found)] ?? map?.['*'] ?? found) !== 0;
}

function classArrayType(values: readonly number[]): new (length: number) => ClassArray {
  const largest = Math.max(0, ...values);
  if (largest <= 255) return Uint8Array;
  if (largest <= 65_535) return Uint16Array;
  if (largest < 2 ** 32) return Uint32Array;
  throw new UsageError(
    `the class ${largest} is larger than ${2 ** 32 - 1}, the most that a class can be: ` +
      'map its value to a smaller one with "labelMap"',
    { field: 'classes', found: largest, expected: 2 ** 32 - 1 },
  );
}

/** Beyond its largest safe whole number a type of float rounds ids to others, before anybody reads them. */
const notExact = (found: number, largest: number, file: string): DataError =>
  new DataError(
    `label ${file} holds the value ${found}, but its type of number tells whole numbers apart up to ${largest} ` +
      'only, so that ids may have become others: write the label as whole numbers of 32 bits',
    { file, field: 'datatype', found, expected: largest },
  );

/**
 * Neighbours are mostly alike, so that words of four bytes, which hold up to four voxels, are mostly as the
 * word before. Where both arrays have the same bytes a voxel, such a word is copied.
 */
function mapEach(found: VoxelArray, accept: (value: number) => number, into: ClassArray): ClassArray {
  const size = found.BYTES_PER_ELEMENT;
  const inWords =
    size === into.BYTES_PER_ELEMENT && size < 4 && found.byteOffset % 4 === 0 && into.byteOffset % 4 === 0;
  const count = inWords ? Math.floor((found.length * size) / 4) : 0;
  if (count === 0) return mapFrom(0, found.length, found, accept, into);
  const [from, to] = [found, into].map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, count));
  if (!from || !to) return mapFrom(0, found.length, found, accept, into);
  const perWord = 4 / size;
  for (let word = 0; word < count; word++) {
    if (word > 0 && from[word] === from[word - 1]) to[word] = to[word - 1]!;
    else mapFrom(word * perWord, (word + 1) * perWord, found, accept, into);
  }
  return mapFrom(count * perWord, found.length, found, accept, into);
}

function mapFrom(
  start: number,
  end: number,
  found: VoxelArray,
  accept: (value: number) => number,
  into: ClassArray,
): ClassArray {
  let [lastFound, lastValue] = [Number.NaN, 0];
  for (let i = start; i < end; i++) {
    const value = found[i]!;
    if (value !== lastFound) {
      lastFound = value;
      lastValue = accept(value);
    }
    into[i] = lastValue;
  }
  return into;
}
