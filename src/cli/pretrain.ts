import type { Command } from './context.js';
import { showDryRun } from './dry-run-text.js';
import { runDisplay } from './run-display.js';
import { type ConfigFlags, configFlags, sectionsOfWeights } from './train-flags.js';

interface Flags extends ConfigFlags {
  readonly init: string | undefined;
  readonly resume: boolean;
  readonly 'dry-run': boolean;
}

export const pretrainCommand: Command<Flags> = {
  command: 'pretrain',
  describe: 'Pre-train a network on prepared scans without labels',
  flags: (yargs) =>
    configFlags(yargs, 'runs/pretrain')
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
  run: async ({ config, set, out = 'runs/pretrain', init, resume, json, 'dry-run': dry }, context) => {
    const { terminal, signal, result } = context;
    const { loadConfig, pretrainConfig } = await import('../config/index.js');
    const { dryRunPretraining, pretrain } = await import('../training/index.js');
    const settings = await loadConfig(pretrainConfig, config, set, await sectionsOfWeights(init));
    if (dry) return showDryRun(await dryRunPretraining({ settings, init, signal: signal() }), json, context);
    const ended = await pretrain({
      settings,
      init,
      out,
      resume,
      mayChange: true,
      progress: runDisplay(terminal, 'pre-training', out),
      signal: signal(),
    });
    const best = ended.best
      ? `\nbest held-out loss ${(-ended.best.value).toPrecision(4)} after step ${ended.best.step}: ${ended.best.file}`
      : '';
    result({ schema: 1, ...ended }, `pre-trained for ${ended.steps} steps: ${ended.last}${best}`, json);
  },
};
