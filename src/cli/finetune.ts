import { join } from 'node:path';
import type { Fold } from '../dataset/index.js';
import { keepsRun, type Lifeline } from '../ranks/index.js';
import type { Command, Context } from './context.js';
import { showDryRun } from './dry-run-text.js';
import { type RankFlags, rankFlags, withRanks } from './ranks.js';
import { progressOf } from './run-display.js';
import { askedFor, type ConfigFlags, configFlags, taskOfConfig } from './train-flags.js';

interface Flags extends ConfigFlags, RankFlags {
  readonly init: string | undefined;
  readonly fraction: number | undefined;
  readonly fold: string | undefined;
  readonly resume: boolean;
  readonly 'dry-run': boolean;
}

export const finetuneCommand: Command<Flags> = {
  command: 'finetune',
  describe: 'Train a segmentation network on labelled scans, from pre-trained weights or from scratch',
  flags: (yargs) =>
    rankFlags(configFlags(yargs, 'runs/<task>, the configuration’s name without the network'))
      .option('init', {
        type: 'string',
        requiresArg: true,
        describe: 'weights to start from: a run folder or a .safetensors file; absent: from scratch',
      })
      .option('fraction', {
        type: 'number',
        requiresArg: true,
        describe: 'share of the training cases to use; smaller shares lie inside larger ones',
      })
      .option('fold', {
        type: 'string',
        requiresArg: true,
        describe: 'one fold of a cross-validation, such as 2/5; every case validates in one',
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
      .example('$0 finetune --config btcv-unet --init runs/pretrain', 'transfer to BTCV'),
  run: (flags, context) =>
    flags['dry-run'] ? dryRun(flags, context) : withRanks(flags, context, train(flags, context)),
};

async function asked({ config, set, init, fraction, fold }: Flags) {
  const { finetuneConfig } = await import('../config/index.js');
  const { parseFold } = await import('../dataset/index.js');
  const overrides = [
    ...set,
    ...(fraction === undefined ? [] : [`data.fraction=${fraction}`]),
    ...(fold === undefined ? [] : foldOverrides(parseFold(fold))),
  ];
  return askedFor(finetuneConfig, { config, set: overrides, init });
}

async function dryRun(flags: Flags, context: Context): Promise<void> {
  const { dryRunFinetuning } = await import('../training/index.js');
  const signal = context.signal();
  showDryRun(await dryRunFinetuning({ ...(await asked(flags)), signal }), flags.json, context);
}

const train =
  (flags: Flags, { terminal, signal, result }: Context) =>
  async (lifeline: Lifeline | undefined): Promise<void> => {
    const { config, out, resume, json } = flags;
    const { settings, init } = await asked(flags);
    const { finetune } = await import('../training/index.js');
    const folder = out ?? join('runs', taskOfConfig(config, settings.network.name));
    const ended = await finetune({
      settings,
      init,
      out: folder,
      resume,
      mayChange: true,
      progress: progressOf(lifeline, terminal, 'fine-tuning', folder),
      signal: signal(),
      lifeline,
    });
    if (!keepsRun(lifeline)) return;
    const best = ended.best
      ? `\nbest mean Dice ${ended.best.value.toFixed(4)} after step ${ended.best.step}: ${ended.best.file}`
      : '';
    result({ schema: 1, ...ended }, `fine-tuned for ${ended.steps} steps: ${ended.last}${best}`, json);
  };

const foldOverrides = ({ fold, folds }: Fold): string[] => [`data.fold=${fold}`, `data.folds=${folds}`];
