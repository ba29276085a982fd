import { UsageError } from '../errors.js';

const units: Readonly<Record<string, number>> = {
  k: 2 ** 10,
  kib: 2 ** 10,
  kb: 1e3,
  m: 2 ** 20,
  mib: 2 ** 20,
  mb: 1e6,
  g: 2 ** 30,
  gib: 2 ** 30,
  gb: 1e9,
  t: 2 ** 40,
  tib: 2 ** 40,
  tb: 1e12,
};

/** Less than this and TensorFlow itself does not fit. */
const least = 2 ** 29;

/**
 * Bytes of an amount of memory such as `8GiB`, `8 GB`, `8g` or `512MiB`.
 * @throws UsageError for anything else, and for less than 0.5 GiB
 */
export function memoryOf(flag: string, text: string): number {
  const { number, unit } =
    /^\s*(?<number>[0-9]+(?:\.[0-9]+)?)\s*(?<unit>[a-z]+)\s*$/i.exec(text)?.groups ?? {};
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  const bytes = Number(number) * (factor ?? Number.NaN);
  if (bytes >= least) return bytes;
  throw new UsageError(`${flag} is "${text}", but must be at least 0.5 GiB with its unit, such as 8GiB`, {
    field: flag,
    found: text,
  });
}
