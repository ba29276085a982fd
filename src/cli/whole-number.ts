import { UsageError } from '../errors.js';

/** Throws UsageError unless a flag's value is a whole number of at least `least`. */
export function requireWholeNumber(flag: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new UsageError(`${flag} is ${value}, but must be a whole number of at least ${least}`, {
    field: flag,
    found: value,
  });
}
