import type { Argv } from 'yargs';
import { plainText } from '../plain-text.js';
import { writeOutput } from '../whole-file.js';
import { interruptSignal } from './interrupt.js';
import { openTerminal, type Terminal } from './terminal.js';

/** What every command shares: where people read, and the signal that Ctrl-C raises. */
export interface Context {
  readonly terminal: Terminal;
  /** Aborted by Ctrl-C. Asking for it makes Ctrl-C a request instead of an end. */
  signal(): AbortSignal;
  /** Whether Ctrl-C came. */
  interrupted(): boolean;
  /** Has the process end as soon as its last word is printed, whatever is still under way in it. */
  endAtOnce(): void;
  endsAtOnce(): boolean;
  /** Writes a result to standard output: the record itself with `--json`, else the text. */
  result(record: object, text: string, json: boolean): void;
}

/**
 * One subcommand: its flags, and what runs. Modules of the engine are imported inside `run`, so that help and
 * errors come at once.
 */
export interface Command<F> {
  readonly command: string;
  readonly describe: string;
  readonly flags: (yargs: Argv) => Argv<F>;
  readonly run: (flags: F, context: Context) => Promise<void>;
}

/** The context of one call: progress on standard error, results on standard output. */
export function openContext(): Context {
  const terminal = openTerminal(process.stderr);
  let signal: AbortSignal | undefined;
  let endsAtOnce = false;
  return {
    terminal,
    signal: () => {
      signal ??= interruptSignal(() =>
        terminal.line('stopping after the present step and saving; Ctrl-C again ends at once'),
      );
      return signal;
    },
    interrupted: () => signal?.aborted ?? false,
    endAtOnce: () => {
      endsAtOnce = true;
    },
    endsAtOnce: () => endsAtOnce,
    result: (record, text, json) =>
      // In JSON the codes stand for the same letters.
      writeOutput(`${plainText(json ? JSON.stringify(record) : text)}\n`),
  };
}
