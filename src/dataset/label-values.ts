import { DataError } from '../errors.js';
import type { Volume, VoxelArray } from '../volume/index.js';
import type { LabelMap } from './dataset-file.js';

/**
 * The label with the dataset's class values: mapped where a map is given, then every value checked.
 * A value that the map does not list becomes what "*" says, or stays.
 * @returns one channel of Uint8 or, with classes above 255, Uint16
 * @throws DataError for a value that is no class of the task, fractional values, or several channels
 */
export function toClassValues(label: Volume, classes: Readonly<Record<string, string>>, map: LabelMap | undefined, file: string): Volume {
  requireOneChannel(label, file);
  return { ...label, data: classValues(classes, map, file)(label.data) };
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

/** As `toClassValues`, for the values of a part of a label. Throws DataError for a value that is no class of the task. */
export function classValues(
  classes: Readonly<Record<string, string>>,
  map: LabelMap | undefined,
  file: string,
): (found: VoxelArray) => Uint8Array | Uint16Array {
  const values = Object.keys(classes).map(Number);
  const target = new Map([0, ...values].map((value) => [value, value]));
  const accepted = new Map<number, number>();
  const accept = (found: number): number => {
    let value = accepted.get(found);
    if (value === undefined) {
      value = resolve(found);
      accepted.set(found, value);
    }
    return value;
  };
  const resolve = (found: number): number => {
    const mapped = map?.[String(found)] ?? map?.['*'] ?? found;
    const value = target.get(mapped);
    if (value !== undefined) return value;
    const listed = Object.entries(classes).map(([number, name]) => `${number} ${name}`);
    throw new DataError(
      `label ${file} holds the value ${found}${Object.is(mapped, found) ? '' : ` (mapped to ${mapped})`}, but the task's classes are 0 background, ${listed.join(', ')}: ` +
        'add the class, or map the value with "labelMap"',
      { file, field: 'classes', found, expected: [0, ...values] },
    );
  };
  const wide = classValueType(classes) === 'uint16';
  return (found) => {
    const data = wide ? new Uint16Array(found.length) : new Uint8Array(found.length);
    let [lastFound, lastValue] = [0, accept(0)]; // neighbours are mostly alike
    for (let i = 0; i < data.length; i++) {
      const value = found[i]!;
      if (value !== lastFound) [lastFound, lastValue] = [value, accept(value)];
      data[i] = lastValue;
    }
    return data;
  };
}
