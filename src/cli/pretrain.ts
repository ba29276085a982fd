import type { Command } from './context.js';
import { runDisplay } from './run-display.js';
import { type ConfigFlags, configFlags } from './train-flags.js';

interface Flags extends ConfigFlags {
  readonly resume: boolean;
}

export const pretrainCommand: Command<Flags> = {
  command: 'pretrain',
  describe: 'Pre-train a network on prepared scans without labels',
  flags: (yargs) =>
    configFlags(yargs, 'runs/pretrain')
      .option('resume', {
        type: 'boolean',
        default: false,
        describe: 'go on from the last checkpoint, bit for bit unless --set changes the rate or the length',
      })
      .example('$0 pretrain --config hybridmim-unet-ct', 'the paper’s settings for CT')
      .example('$0 pretrain --config ... --set train.steps=2000 --resume', 'go on with an interrupted run'),
  run: async ({ config, set, out = 'runs/pretrain', resume, json }, { terminal, signal, result }) => {
    const { loadConfig, pretrainConfig } = await import('../config/index.js');
    const { pretrain } = await import('../training/index.js');
    const settings = await loadConfig(pretrainConfig, config, set);
    const ended = await pretrain({
      settings,
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
