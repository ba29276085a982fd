import yargs, { type Argv, type CommandModule } from 'yargs';
import { UsageError } from '../errors.js';
import { packageVersion } from '../package-version.js';
import { benchmarkSpeedCommand } from './benchmark-speed.js';
import { completionCommand } from './completion.js';
import type { Command } from './context.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { downloadCommand } from './download.js';
import { evaluateCommand } from './evaluate.js';
import { experimentCommand } from './experiment.js';
import { finetuneCommand } from './finetune.js';
import { planCommand } from './plan.js';
import { predictCommand } from './predict.js';
import { prepareCommand } from './prepare.js';
import { pretrainCommand } from './pretrain.js';
import { reportCommand } from './report.js';
import { runCommand } from './run.js';
import { setupCommand } from './setup.js';
import { watchCommand } from './watch.js';
import { weightsCommand } from './weights.js';

/** What happens when a command was parsed. */
export type RunsCommand = <F>(command: Command<F>, flags: F) => Promise<void>;

/** Columns of help texts where nobody says. */
const widest = 120;

/**
 * The parser of the whole command line. Parsing throws UsageError for what is no use of it.
 * @param args without the program's own name
 * @param runs takes over once a command and its flags are known
 * @param columns of help texts
 */
export function commandParser(args: readonly string[], runs: RunsCommand, columns = widest): Argv {
  const add = <F>(command: Command<F>) => commandModule(command, runs);
  return yargs([...args])
    .scriptName('hybridmim')
    .usage(
      '$0 <command>\n\nPre-train 3-D segmentation networks on unlabelled scans, fine-tune them, evaluate them.',
    )
    .locale('en')
    .command(add(setupCommand))
    .command(add(demoCommand))
    .command(add(doctorCommand))
    .command(add(downloadCommand))
    .command(add(planCommand))
    .command(add(runCommand))
    .command(add(prepareCommand))
    .command(add(pretrainCommand))
    .command(add(finetuneCommand))
    .command(add(predictCommand))
    .command(add(evaluateCommand))
    .command(add(experimentCommand))
    .command(add(benchmarkSpeedCommand))
    .command(add(weightsCommand))
    .command(add(reportCommand))
    .command(add(watchCommand))
    .command(add(completionCommand))
    .option('verbose', { type: 'boolean', default: false, describe: 'with errors, show where in the code' })
    .demandCommand(1, 'no command was given')
    .recommendCommands()
    .strict()
    .version(packageVersion())
    .help()
    .alias('help', 'h')
    .wrap(Math.min(widest, columns))
    .epilogue(
      'Exit codes: 0 done, 1 failed while working, 2 wrong use or configuration, 3 bad input data, 130 interrupted (state saved).',
    )
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? usageError(message, args);
    });
}

/** The command as yargs takes it. */
function commandModule<F>(command: Command<F>, runs: RunsCommand): CommandModule<object, F> {
  return {
    command: command.command,
    describe: command.describe,
    builder: (yargs) => command.flags(yargs),
    handler: (parsed) => runs(command, parsed as F),
  };
}

/** yargs names the nearest command alone; what was typed belongs to it, and has no help of its own. */
function usageError(message: string, args: readonly string[]): UsageError {
  const nearest = /^Did you mean (\S+)\?$/.exec(message.trim())?.[1];
  const [typed = ''] = args;
  if (nearest !== undefined)
    return new UsageError(
      `there is no command "${typed}"; did you mean "${nearest}"? See "hybridmim --help"`,
      {
        found: typed,
        expected: nearest,
      },
    );
  return new UsageError(`${message.replaceAll('\n', ' ')}; see "hybridmim ${commandOf(args)}--help"`);
}

const commandOf = (args: readonly string[]): string =>
  args[0] && !args[0].startsWith('-') ? `${args[0]} ` : '';
