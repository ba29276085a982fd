import { keepsRun, type Lifeline } from '../ranks/index.js';
import type { Command, Context } from './context.js';
import { showDryRun } from './dry-run-text.js';
import { type RankFlags, rankFlags, withRanks } from './ranks.js';
import { progressOf } from './run-display.js';
import { askedFor, type ConfigFlags, configFlags } from './train-flags.js';

interface Flags extends ConfigFlags, RankFlags {
  readonly init: string | undefined;
  readonly resume: boolean;
  readonly 'dry-run': boolean;
}

export const pretrainCommand: Command<Flags> = {
  command: 'pretrain',
  describe: 'Pre-train a network on prepared scans without labels',
  flags: (yargs) =>
    rankFlags(configFlags(yargs, 'runs/pretrain'))
      .option('init', {
        type: 'string',
        requiresArg: true,
        describe: 'weights to go on from: a run folder or a .safetensors file; absent: from scratch',
      })
      .option('resume', {
        type: 'boolean',
        default: false,
        describe: 'go on from the last checkpoint, bit for bit unless --set changes the rate or the length',
      })
      .option('dry-run', {
        type: 'boolean',
        default: false,
        describe: 'take a step and say what the run would take; nothing is written',
      })
      .example('$0 pretrain --config hybridmim-unet-ct', 'the paper’s settings for CT')
      .example('$0 pretrain --config ... --set train.steps=2000 --resume', 'go on with an interrupted run'),
  run: (flags, context) =>
    flags['dry-run'] ? dryRun(flags, context) : withRanks(flags, context, train(flags, context)),
};

async function asked(flags: Flags) {
  const { pretrainConfig } = await import('../config/index.js');
  return askedFor(pretrainConfig, flags);
}

async function dryRun(flags: Flags, context: Context): Promise<void> {
  const { dryRunPretraining } = await import('../training/index.js');
  const signal = context.signal();
  showDryRun(await dryRunPretraining({ ...(await asked(flags)), signal }), flags.json, context);
}

const train =
  (flags: Flags, { terminal, signal, result }: Context) =>
  async (lifeline: Lifeline | undefined): Promise<void> => {
    const { out = 'runs/pretrain', resume, json } = flags;
    const { pretrain } = await import('../training/index.js');
    const ended = await pretrain({
      ...(await asked(flags)),
      out,
      resume,
      mayChange: true,
      progress: progressOf(lifeline, terminal, 'pre-training', out),
      signal: signal(),
      lifeline,
    });
    if (!keepsRun(lifeline)) return;
    const best = ended.best
      ? `\nbest held-out loss ${(-ended.best.value).toPrecision(4)} after step ${ended.best.step}: ${ended.best.file}`
      : '';
    result({ schema: 1, ...ended }, `pre-trained for ${ended.steps} steps: ${ended.last}${best}`, json);
  };
