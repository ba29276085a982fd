import { UsageError } from '../errors.js';
import type { DryRun } from '../training/index.js';
import type { Context } from './context.js';
import { duration } from './terminal.js';

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** Prints what a run would take. Throws UsageError where its step does not fit, after what was measured is printed. */
export function showDryRun(dry: DryRun, json: boolean, { result }: Context): void {
  const { cases, steps, stepSeconds, seconds, peakBytes, freeBytes, diskBytes, refused } = dry;
  const orDash = (value: number | null, text: (value: number) => string) =>
    value === null ? '-' : text(value);
  const lines = [
    `cases    ${cases}`,
    `steps    ${steps}, ${orDash(stepSeconds, (value) => `${value.toPrecision(3)} s`)} each`,
    `time     ${orDash(seconds, duration)}, and validations`,
    `memory   ${orDash(peakBytes, gib)} of ${gib(freeBytes)} free`,
    `disk     ${gib(diskBytes)} at most in the run folder`,
    'nothing was written',
  ];
  result({ schema: 1, ...dry }, lines.join('\n'), json);
  if (refused !== null) throw new UsageError(`the run would be refused: ${refused}`);
}
