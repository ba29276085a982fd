// What the benchmarks do with the processes that they time.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The JSON that a process printed last. */
export const lastLine = (text) => JSON.parse(text.trim().split('\n').at(-1));

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The last line of a process, or `{ failed }` with what it said where it failed or took more than `patience` seconds (0: no bound). */
export async function measuredBy(program, args, patience = 0) {
  try {
    return lastLine(
      (await run(program, args.map(String), { maxBuffer: 1 << 24, timeout: patience * 1000 })).stdout,
    );
  } catch (error) {
    if (error.killed) return { failed: `not done after ${patience} s` };
    return {
      failed: String(error.stderr || error)
        .trim()
        .split('\n')
        .at(-1),
    };
  }
}
