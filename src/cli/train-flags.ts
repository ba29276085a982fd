import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { z } from 'zod';
import { jsonOrUndefined } from '../json.js';

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

/** What a training command was asked for. */
export interface Asked<S> {
  readonly settings: S;
  /** Weights to start from; undefined: from scratch. */
  readonly init: string | undefined;
}

/**
 * The settings of a training command and the weights that it starts from: those of `--init`, or the ones that the
 * configuration names as `init`, as that of a run does.
 * @throws DataError and UsageError as `loadConfig` does, DataError when there are no such weights
 */
export async function askedFor<S extends z.ZodType>(
  schema: S,
  { config, set, init: flag }: Pick<ConfigFlags, 'config' | 'set'> & { readonly init: string | undefined },
): Promise<Asked<z.infer<S>>> {
  const { checkConfig, readConfig } = await import('../config/index.js');
  const said = await readConfig(config, set);
  const init = flag ?? checkConfig(withInit, said, config).init ?? undefined;
  const { init: _, ...content } =
    init === undefined ? said : await readConfig(config, set, await sectionsOfWeights(init));
  return { settings: checkConfig(schema, content, config), init };
}

const withInit = z.looseObject({ init: z.string().min(1).nullish() });

/**
 * What a configuration may leave out where weights are given: their network, as their file says it. A file
 * that says nothing gives nothing.
 * @throws DataError when there are no such weights, or the file is damaged
 */
async function sectionsOfWeights(init: string): Promise<Record<string, unknown>> {
  const { weightsFile } = await import('../training/index.js');
  const { readSafetensors } = await import('../network/index.js');
  const { metadata } = await readSafetensors(await weightsFile(init));
  const said = z
    .looseObject({ name: z.string(), inChannels: z.unknown(), outChannels: z.unknown() })
    .safeParse(jsonOrUndefined(metadata.network ?? ''));
  if (!said.success) return {};
  const { inChannels: _, outChannels: __, ...network } = said.data;
  return { network };
}
