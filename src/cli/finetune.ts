import { join } from 'node:path';
import type { Fold } from '../dataset/index.js';
import type { Command } from './context.js';
import { showDryRun } from './dry-run-text.js';
import { runDisplay } from './run-display.js';
import { type ConfigFlags, configFlags, sectionsOfWeights, taskOfConfig } from './train-flags.js';

interface Flags extends ConfigFlags {
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
    configFlags(yargs, 'runs/<task>, the configuration’s name without the network')
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
  run: async ({ config, set, out, init, fraction, fold, resume, json, 'dry-run': dry }, context) => {
    const { terminal, signal, result } = context;
    const { finetuneConfig, loadConfig } = await import('../config/index.js');
    const { parseFold } = await import('../dataset/index.js');
    const { dryRunFinetuning, finetune } = await import('../training/index.js');
    const overrides = [
      ...set,
      ...(fraction === undefined ? [] : [`data.fraction=${fraction}`]),
      ...(fold === undefined ? [] : foldOverrides(parseFold(fold))),
    ];
    const settings = await loadConfig(finetuneConfig, config, overrides, await sectionsOfWeights(init));
    if (dry) return showDryRun(await dryRunFinetuning({ settings, init, signal: signal() }), json, context);
    const folder = out ?? join('runs', taskOfConfig(config, settings.network.name));
    const ended = await finetune({
      settings,
      init,
      out: folder,
      resume,
      mayChange: true,
      progress: runDisplay(terminal, 'fine-tuning', folder),
      signal: signal(),
    });
    const best = ended.best
      ? `\nbest mean Dice ${ended.best.value.toFixed(4)} after step ${ended.best.step}: ${ended.best.file}`
      : '';
    result({ schema: 1, ...ended }, `fine-tuned for ${ended.steps} steps: ${ended.last}${best}`, json);
  },
};

const foldOverrides = ({ fold, folds }: Fold): string[] => [`data.fold=${fold}`, `data.folds=${folds}`];
