import { UsageError } from '../errors.js';
import type { Command } from './context.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly action: 'inspect' | 'import' | 'export';
  readonly network: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly part: 'all' | 'encoder';
  readonly format: 'safetensors' | 'saved-model';
  readonly 'let-go': readonly string[];
  readonly 'in-channels': number | undefined;
  readonly 'out-channels': number | undefined;
  readonly size: readonly number[];
  readonly seed: number;
  readonly set: readonly string[];
  readonly json: boolean;
}

export const weightsCommand: Command<Flags> = {
  command: 'weights <action>',
  describe: 'Look at a network, take weights in from elsewhere, give them out',
  flags: (yargs) =>
    yargs
      .positional('action', {
        choices: ['inspect', 'import', 'export'] as const,
        demandOption: true,
        describe: 'what to do',
      })
      .option('network', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'unet, seg-res-net, unetr or swin-unetr',
      })
      .option('from', { type: 'string', requiresArg: true, describe: 'the .safetensors file to take' })
      .option('to', {
        type: 'string',
        requiresArg: true,
        describe: 'the file (or, as saved-model, the folder) to write',
      })
      .option('part', {
        choices: ['all', 'encoder'] as const,
        default: 'all' as const,
        describe: 'the whole network or its encoder alone',
      })
      .option('format', {
        choices: ['safetensors', 'saved-model'] as const,
        default: 'safetensors' as const,
        describe: 'of export',
      })
      .option('let-go', {
        type: 'string',
        array: true,
        default: [],
        describe:
          'with import: beginnings of names of the file that are left out, such as rotation_head; anything else that the network lacks is refused',
      })
      .option('in-channels', {
        type: 'number',
        requiresArg: true,
        describe: 'channels of the images; default as in the file, of inspect 1',
      })
      .option('out-channels', {
        type: 'number',
        requiresArg: true,
        describe: 'classes; default as in the file, of inspect 2',
      })
      .option('size', {
        type: 'number',
        array: true,
        nargs: 3,
        default: [96, 96, 96],
        describe: 'voxels x y z of an image, for inspect and saved-model',
      })
      .option('seed', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'of what import leaves random',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'settings of the network such as network.featureSize=48',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the result as JSON on standard output',
      })
      .example(
        '$0 weights inspect --network swin-unetr --set network.featureSize=48',
        'layers, parameters, multiply-adds',
      )
      .example(
        '$0 weights export --network unet --from runs/btcv/checkpoints/best.safetensors --to monai.safetensors',
        'for load_state_dict',
      ),
  run: async (flags, { result }) => {
    const { exportWeights, importWeights, inspectNetwork } = await import('../weights/index.js');
    const { networkNameOf } = await import('../network/index.js');
    const { action, from, to, part, format, seed, set, json, size } = flags;
    const network = networkNameOf(flags.network);
    const [inChannels, outChannels] = [flags['in-channels'], flags['out-channels']];
    for (const [flag, value] of [
      ['--in-channels', inChannels],
      ['--out-channels', outChannels],
      ...size.map((n) => ['--size', n] as const),
    ] as const) {
      if (value !== undefined) requireWholeNumber(flag, value, 1);
    }
    requireWholeNumber('--seed', seed, 0);
    const [x, y, z, ...more] = size;
    if (x === undefined || y === undefined || z === undefined || more.length > 0)
      throw new UsageError(`--size takes three numbers of voxels, x y z, but not ${size.join(' ')}`, {
        field: '--size',
        found: size,
      });
    const voxels = [x, y, z] as const;
    if (action === 'inspect') {
      const inspection = inspectNetwork({
        network,
        set,
        inChannels: inChannels ?? 1,
        outChannels: outChannels ?? 2,
        size: voxels,
      });
      result(inspection, layerTable(inspection), json);
      return;
    }
    if (from === undefined || to === undefined)
      throw new UsageError(`weights ${action} needs --from and --to`, {
        field: from === undefined ? '--from' : '--to',
      });
    const converted =
      action === 'import'
        ? await importWeights({
            network,
            from,
            to,
            part,
            letGo: flags['let-go'],
            inChannels,
            outChannels,
            set,
            seed,
          })
        : await exportWeights({ network, from, to, part, set, format, size: voxels });
    result(converted, summary(converted.report, to), json);
  },
};

interface Inspected {
  readonly layers: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly parameters: number;
  }[];
  readonly parameters: number;
  readonly multiplyAdds: number;
  readonly stepBytesAtLeast: number;
  readonly size: readonly number[];
}

function layerTable({ layers, parameters, multiplyAdds, stepBytesAtLeast, size }: Inspected): string {
  const width = Math.max(...layers.map(({ name }) => name.length));
  const rows = layers.map(
    ({ name, shape, parameters: count }) =>
      `${name.padEnd(width)}  ${`[${shape.join(', ')}]`.padEnd(24)} ${count}`,
  );
  return [
    ...rows,
    '',
    `parameters                ${parameters.toLocaleString('en')}`,
    `multiply-adds             ${(multiplyAdds / 1e9).toFixed(1)} billion for one image of ${size.join(' x ')}`,
    `a training step needs     at least ${(stepBytesAtLeast / 2 ** 30).toFixed(1)} GiB`,
  ].join('\n');
}

interface Reported {
  readonly loaded: readonly string[];
  readonly fresh: readonly string[];
  readonly unused: readonly string[];
  readonly adapted: readonly { readonly name: string; readonly from: number; readonly to: number }[];
}

function summary({ loaded, fresh, unused, adapted }: Reported, to: string): string {
  return [
    `loaded   ${loaded.length} parameters`,
    ...adapted.map(({ name, from, to: channels }) => `fitted   ${name} from ${from} to ${channels} channels`),
    ...unused.map((name) => `skipped  ${name}`),
    ...fresh.map((name) => `random   ${name}`),
    `written  ${to}`,
  ].join('\n');
}
