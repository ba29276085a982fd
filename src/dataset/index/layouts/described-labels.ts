import { z } from 'zod';
import { DataError } from '../../../errors.js';
import type { Regions } from '../dataset-file.js';

const wholeNumber = /^\d+$/;

/** Names by number, as an object or as a list that begins with number 0. */
export const numberedNames = z.union([
  z.record(z.string().regex(wholeNumber, 'must be a whole number'), z.string()),
  z.array(z.string()),
]);

/** Labels as any `dataset.json` has them: names by value, values by name, or a list of names. */
export const describedLabels = z.union([
  z.array(z.string()),
  z.record(z.string(), z.union([z.int().min(0), z.string(), z.array(z.int().min(0)).min(1)])),
]);

/** What the labels of a `dataset.json` mean. */
export interface DescribedLabels {
  /** Name by value, without background. */
  readonly classes: Readonly<Record<string, string>>;
  /** From the largest to the smallest, with the value first that a prediction writes; absent: none. */
  readonly regions?: Regions;
  /** The value of voxels that nobody labelled. */
  readonly ignore?: number;
}

/**
 * Reads the labels of a `dataset.json`: nnU-Net 1 and the Decathlon have `{"1": "liver"}`, nnU-Net 2 has
 * `{"liver": 1}`, regions (`{"whole": [1, 2, 3]}`) and a label "ignore".
 * @param classOrder nnU-Net's `regions_class_order`: the value that a prediction writes for each region
 * @param file for errors
 * @throws DataError for labels that are neither, values that two labels share, regions that no prediction could
 *   tell apart, and an "ignore" that is no value of its own
 */
export function describedLabelsOf(
  labels: z.infer<typeof describedLabels>,
  classOrder: readonly number[] | undefined,
  file: string,
): DescribedLabels {
  const valuesOf = valuesByName(labels, file);
  const ignored = valuesOf.get('ignore');
  const foreground = [...valuesOf].filter(
    ([name, values]) => name !== 'ignore' && values.some((value) => value > 0),
  );
  const ignore =
    ignored &&
    ignoreValue(
      ignored,
      foreground.flatMap(([, values]) => values),
      file,
    );
  const regions = foreground.some(([, values]) => values.length > 1)
    ? regionsOf(foreground, classOrder, file)
    : undefined;
  return {
    classes: classesOf(foreground, regions !== undefined, file),
    ...(regions && { regions }),
    ...(ignore !== undefined && { ignore }),
  };
}

type NamedValues = readonly (readonly [name: string, values: readonly number[]])[];

/** The values of each label, background too. */
function valuesByName(labels: z.infer<typeof describedLabels>, file: string): Map<string, readonly number[]> {
  const listed: [string, string | number | number[]][] = Array.isArray(labels)
    ? labels.map((name, value) => [name, value])
    : Object.entries(labels);
  const isNumber = (text: string) => wholeNumber.test(text);
  const byValue = listed.every(
    ([key, value]) => isNumber(key) && typeof value === 'string' && !isNumber(value),
  );
  const byName = listed.every(([, value]) => typeof value !== 'string' || isNumber(value));
  if (byValue)
    return uniqueNames(
      listed.map(([key, value]) => [String(value), [Number(key)]]),
      file,
    );
  if (byName)
    return uniqueNames(
      listed.map(([name, value]) => [name, [value].flat().map(Number)]),
      file,
    );
  const odd = listed.find(([key, value]) => !isNumber(key) && typeof value === 'string' && !isNumber(value));
  throw wrong(
    `found ${JSON.stringify(Object.fromEntries([odd ?? listed[0] ?? []]))}, expected {"liver": 1} (names with their ` +
      'values) or {"1": "liver"} (values with their names), the same for all labels',
    file,
  );
}

function uniqueNames(listed: readonly [string, number[]][], file: string): Map<string, readonly number[]> {
  const seen = new Map<string, readonly number[]>();
  for (const [name, values] of listed) {
    if (seen.has(name)) throw wrong(`two labels are named "${name}": give each a name of its own`, file);
    seen.set(name, values);
  }
  return seen;
}

/** nnU-Net asks for one value, which is the highest. */
function ignoreValue(values: readonly number[], others: readonly number[], file: string): number {
  const [ignore] = values;
  if (values.length === 1 && ignore !== undefined && ignore > 0 && !others.includes(ignore)) return ignore;
  throw wrong(
    `"ignore" is ${JSON.stringify(values)}, but must be one value above 0 that no other label has`,
    file,
  );
}

/** Without regions a value has one name; within regions that of the label which is this value alone, else theirs. */
function classesOf(labels: NamedValues, withRegions: boolean, file: string): Record<string, string> {
  const named = labels.flatMap(([name, values]) =>
    values.map((value) => ({ name, value, alone: values.length === 1 })),
  );
  const values = [...new Set(named.map(({ value }) => value))].sort((a, b) => a - b);
  return Object.fromEntries(
    values.map((value) => {
      const mine = named.filter((entry) => entry.value === value);
      if (!withRegions && mine.length > 1)
        throw wrong(
          `the labels ${mine.map(({ name }) => `"${name}"`).join(' and ')} have the same value ${value}`,
          file,
        );
      return [value, mine.find(({ alone }) => alone)?.name ?? mine.map(({ name }) => name).join(' and ')];
    }),
  );
}

/** Regions as nnU-Net writes predictions: one after another, each over those before. */
function regionsOf(labels: NamedValues, classOrder: readonly number[] | undefined, file: string): Regions {
  if (classOrder && classOrder.length !== labels.length)
    throw wrong(
      `regions_class_order has ${classOrder.length} values, but there are ${labels.length} regions ` +
        `(${labels.map(([name]) => name).join(', ')}): it names one value a region`,
      file,
      'regions_class_order',
    );
  return Object.fromEntries(
    labels.map(([name, values], i) => {
      if (values.includes(0))
        throw wrong(
          `the region "${name}" has the value 0, which is background: leave it out of the region`,
          file,
        );
      const later = labels.slice(i + 1).flatMap(([, others]) => others);
      const written = classOrder?.[i] ?? values.find((value) => !later.includes(value));
      if (written === undefined || !values.includes(written) || later.includes(written))
        throw wrong(
          `the region "${name}" [${values.join(', ')}] is written as ${written ?? 'no value'}, but needs a value of its own ` +
            'that no region after it has: order regions from the largest to the smallest, and regions_class_order with them',
          file,
          classOrder ? 'regions_class_order' : 'labels',
        );
      return [name, [written, ...values.filter((value) => value !== written)]];
    }),
  );
}

const wrong = (message: string, file: string, field = 'labels'): DataError =>
  new DataError(`${file}: ${field}: ${message}`, { file, field });

/** The described labels as an entry of the index takes them: none without labels, its own classes before all. */
export function labelsFor(
  {
    withLabels,
    classes,
  }: { readonly withLabels: boolean; readonly classes?: Readonly<Record<string, string>> | undefined },
  described: () => DescribedLabels,
): DescribedLabels {
  if (!withLabels) return { classes: {} };
  if (classes === undefined) return described();
  const { ignore } = described();
  return { classes, ...(ignore !== undefined && !Object.hasOwn(classes, ignore) && { ignore }) };
}
