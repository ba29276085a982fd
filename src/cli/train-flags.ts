import { basename } from 'node:path';
import type { Argv } from 'yargs';

/** Flags of commands that read a configuration. */
export interface ConfigFlags {
  readonly config: string;
  readonly set: readonly string[];
  readonly out: string | undefined;
  readonly json: boolean;
}

/** The flags that every training command takes; `outDefault` says where a run is written without `--out`. */
export const configFlags = (yargs: Argv, outDefault: string): Argv<ConfigFlags> =>
  yargs
    .option('config', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'YAML file with the settings, or the name of a shipped one',
    })
    .option('set', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'override a setting, such as train.steps=2000; may be repeated',
    })
    .option('out', { type: 'string', requiresArg: true, describe: `folder to write; default ${outDefault}` })
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'print the result as JSON on standard output',
    });

/** `configs/finetune/btcv-unet.yaml` is the task `btcv`, whose run goes to `runs/btcv`. */
export function taskOfConfig(config: string, network: string): string {
  const name = basename(config).replace(/\.ya?ml$/, '');
  return name.endsWith(`-${network}`) ? name.slice(0, -network.length - 1) : name;
}
