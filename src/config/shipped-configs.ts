import { readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataError, UsageError } from '../errors.js';
import { nearestNames } from './nearest-name.js';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'configs');

/**
 * The configurations that the package ships, such as `pretrain/hybridmim-unet-ct`, sorted. Tasks, parts of
 * others (`_...`) and scripts for clusters are none.
 */
export async function shippedConfigs(): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  const names = files.filter((file) => file.endsWith('.yaml')).map((file) => file.replace(/\.yaml$/, ''));
  return names.filter((name) => !/^(tasks|cluster)\/|(^|\/)_/.test(name)).sort();
}

/**
 * The file of a configuration: `name` where that is a file, seen from the folder `from`, else the shipped one
 * of that name: `configs/pretrain/hybridmim-unet-ct.yaml`, `pretrain/hybridmim-unet-ct` or
 * `hybridmim-unet-ct`. A file goes first, so that a copy that somebody changed is the one that is used.
 * @throws DataError with the nearest names when there is none, UsageError when a short name is that of
 *   several
 */
export async function configFile(name: string, from = '.'): Promise<string> {
  const file = isAbsolute(name) ? name : join(from, name);
  if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  const shipped = await shippedConfigs();
  const wanted = name.replace(/^(\.\/)?configs\//, '').replace(/\.ya?ml$/, '');
  if (shipped.includes(wanted)) return join(folder, `${wanted}.yaml`);
  const named = shipped.filter((known) => shortName(known) === wanted);
  if (named.length === 1) return join(folder, `${named[0]}.yaml`);
  if (named.length > 1) {
    throw new UsageError(`${name} is the name of several shipped configurations: write ${inWords(named)}`, {
      found: name,
      expected: named,
    });
  }
  throw new DataError(
    `configuration ${file} cannot be read, and none that is shipped has this name: ${remedy(wanted, shipped)}`,
    { file },
  );
}

function remedy(wanted: string, shipped: readonly string[]): string {
  const nearest = wanted.includes('/') ? nearestNames(wanted, shipped) : nearestByShortName(wanted, shipped);
  return nearest.length > 0
    ? `did you mean ${inWords(nearest.slice(0, 3))}?`
    : `check the path; those that are shipped stand in ${folder}`;
}

function nearestByShortName(wanted: string, shipped: readonly string[]): string[] {
  const short = [...new Set(shipped.map(shortName))];
  return nearestNames(wanted, short).flatMap((name) => shipped.filter((known) => shortName(known) === name));
}

const shortName = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** `a`, `a or b`, `a, b or c`. */
const inWords = (names: readonly string[]): string =>
  [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' or ');
