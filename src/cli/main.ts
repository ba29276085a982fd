import { endNow } from '../ranks/index.js';
import { openContext } from './context.js';
import { commandParser } from './parser.js';
import { printError } from './print-error.js';

/**
 * Runs the command line; sets the process's exit code: 0 done, 1 failed while working, 2 wrong use or
 * configuration, 3 bad input data, 130 interrupted with the state saved.
 * @param args without the program's own name
 */
export async function main(args: readonly string[]): Promise<void> {
  const context = openContext();
  const verbose = args.includes('--verbose');
  // Where a job's log is on a disk that is full, its work goes on: the exit code says how it ended.
  process.stderr.on('error', () => {});
  process.on('uncaughtException', (error) => {
    context.terminal.close();
    // Thrown out of any call: nothing is left that could go on.
    void endNow(printError(error, { verbose, interrupted: false }));
  });
  try {
    await commandParser(
      args,
      (command, flags) => command.run(flags, context),
      process.stdout.columns,
    ).parseAsync();
  } catch (error) {
    context.terminal.close();
    process.exitCode = printError(error, { verbose, interrupted: context.interrupted() });
  } finally {
    context.terminal.close();
    if (context.endsAtOnce()) await endNow(Number(process.exitCode ?? 0));
  }
}
