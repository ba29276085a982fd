import type { DryRun } from '../training/index.js';
import type { Context } from './context.js';
import { duration } from './terminal.js';

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** Prints what a run would take; the exit code is 2 where its step does not fit. */
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
    ...(refused === null ? ['nothing was written'] : [`the run would be refused: ${refused}`]),
  ];
  result({ schema: 1, ...dry }, lines.join('\n'), json);
  if (refused !== null) process.exitCode = 2;
}
