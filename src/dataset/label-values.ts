import { DataError } from '../errors.js';
import type { Volume } from '../volume/index.js';
import type { LabelMap } from './dataset-file.js';

/**
 * The label with the dataset's class values: mapped where a map is given, then every value checked.
 * A value that the map does not list becomes what "*" says, or stays.
 * @returns one channel of Uint8 or, with classes above 255, Uint16
 * @throws DataError for a value that is no class of the task, fractional values, or several channels
 */
export function toClassValues(label: Volume, classes: Readonly<Record<string, string>>, map: LabelMap | undefined, file: string): Volume {
  if (label.channels !== 1) {
    throw new DataError(`label ${file} has ${label.channels} channels, but one label volume is expected`, {
      file,
      found: label.channels,
      expected: 1,
    });
  }
  const values = Object.keys(classes).map(Number);
  const target = new Map([0, ...values].map((value) => [value, value]));
  const accepted = new Map<number, number>();
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
  const data = Math.max(0, ...values) > 255 ? new Uint16Array(label.data.length) : new Uint8Array(label.data.length);
  for (let i = 0; i < data.length; i++) {
    const found = label.data[i]!;
    let value = accepted.get(found);
    if (value === undefined) {
      value = resolve(found);
      accepted.set(found, value);
    }
    data[i] = value;
  }
  return { ...label, data };
}
