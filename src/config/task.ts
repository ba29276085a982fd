import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { loadConfig } from './load-config.js';
import { nearestName } from './nearest-name.js';

const value = z.int().min(1);

/** A segmentation task as its label values are published: `configs/tasks/<name>.yaml`. */
export const taskConfig = z.strictObject({
  classes: z
    .record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(1))
    .describe('Label value to class name.'),
  labelMap: z
    .record(z.string().regex(/^[0-9]+$/), z.int().min(0))
    .optional()
    .describe('Values that other releases write, and what they stand for.'),
  regions: z
    .record(z.string(), z.array(value).min(1))
    .optional()
    .describe('Regions that are evaluated instead of the classes, as lists of label values.'),
});
export type TaskConfig = z.infer<typeof taskConfig>;

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'configs', 'tasks');

/** The task of a name. Throws UsageError naming the nearest one there is. */
export async function loadTask(name: string): Promise<TaskConfig> {
  const names = (await readdir(folder)).map((file) => file.replace(/\.yaml$/, ''));
  if (names.includes(name)) return loadConfig(taskConfig, join(folder, `${name}.yaml`));
  const nearest = nearestName(name, names);
  throw new UsageError(
    `there is no task "${name}"${nearest ? `; did you mean "${nearest}"?` : ''} The tasks are ` +
      `${names.join(', ')}; for any other give --classes 1=liver,2=tumour`,
    { field: '--task', found: name, expected: names },
  );
}

/**
 * Classes as a flag gives them: `1=liver,2=tumour`.
 * @throws UsageError for anything else, and for a value or a name that stands twice
 */
export function parseClasses(text: string): TaskConfig {
  const classes = text.split(',').map((pair) => {
    const { value, name } = /^\s*(?<value>[1-9][0-9]*)\s*=\s*(?<name>.+?)\s*$/.exec(pair)?.groups ?? {};
    if (value !== undefined && name !== undefined) return { value, name };
    throw new UsageError(
      `--classes is "${text}", but must be label values and names such as 1=liver,2=tumour`,
      { field: '--classes', found: text },
    );
  });
  for (const what of ['value', 'name'] as const) {
    const listed = classes.map((pair) => pair[what]);
    const twice = listed.find((entry, place) => listed.indexOf(entry) < place);
    if (twice === undefined) continue;
    throw new UsageError(
      `--classes is "${text}", but has the ${what} ${twice} twice: give each class one value and one name`,
      {
        field: '--classes',
        found: text,
      },
    );
  }
  return { classes: Object.fromEntries(classes.map(({ value, name }) => [value, name])) };
}
