import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataError, UsageError } from '../errors.js';
import { plainText } from '../plain-text.js';
import type { Command } from './context.js';
import { watchText } from './watch-text.js';

interface Flags {
  readonly run: string;
  readonly interval: number;
  readonly once: boolean;
  readonly json: boolean;
}

export const watchCommand: Command<Flags> = {
  command: 'watch <run>',
  describe: 'Follow a run in the terminal: its loss, rate, time left and last validation',
  flags: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'run folder' })
      .option('interval', {
        type: 'number',
        default: 2,
        requiresArg: true,
        describe: 'seconds between looks',
      })
      .option('once', { type: 'boolean', default: false, describe: 'print how the run stands and end' })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print how the run stands as JSON on standard output, and end',
      })
      .example('$0 watch runs/btcv', 'until the run ends or Ctrl-C'),
  run: async ({ run, interval, once, json }, { result }) => {
    if (!(interval > 0))
      throw new UsageError(`--interval is ${interval}, but must be above 0`, {
        field: '--interval',
        found: interval,
      });
    if (!existsSync(join(run, 'config.yaml')))
      throw new DataError(`${run} is no run folder: it holds no config.yaml`, { file: run });
    const { followMetrics, readRunStatus } = await import('../training/index.js');
    if (json) {
      const lines = followMetrics(run)();
      const status = await readRunStatus(run);
      const last = lines.findLast((line) => 'loss' in line);
      const validated = lines.findLast((line) => 'validation' in line);
      const { steps = null, ended = null, killed } = status;
      const record = {
        schema: 1,
        run,
        step: last?.step ?? 0,
        steps,
        last: last ?? null,
        validated: validated ?? null,
      };
      return result({ ...record, ended, killed }, '', true);
    }
    const [metrics, show] = [followMetrics(run), screenOf(process.stdout)];
    for (;;) {
      const status = await readRunStatus(run);
      show(plainText(watchText({ run, lines: metrics(), ...status, width: process.stdout.columns ?? 80 })));
      if (once || status.ended !== undefined) return;
      await sleep(1000 * interval); // Ctrl-C ends the process: watching has nothing to save
    }
  },
};

/** Shows a text in place of the one before, or, where that is no terminal, below it when it has changed. */
function screenOf(stream: NodeJS.WriteStream): (text: string) => void {
  let shown: string | undefined;
  return (text) => {
    if (text === shown) return;
    if (stream.isTTY && shown !== undefined) stream.write(`\u001b[${rowsOf(shown, stream.columns)}A\u001b[J`);
    stream.write(`${text}\n`);
    shown = text;
  };
}

/** Rows that a text takes, longer lines being broken by the terminal. */
const rowsOf = (text: string, columns: number): number =>
  text.split('\n').reduce((rows, line) => rows + Math.max(1, Math.ceil([...line].length / columns)), 0);
