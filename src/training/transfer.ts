import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { NamedArrays } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import {
  elementCount,
  isEncoderParameter,
  type Network,
  type NetworkSettings,
  readWeights,
} from '../network/index.js';
import { pretextPrefix } from '../pretext/index.js';
import { type Preparation, preparationOf } from './weights-source.js';

/** Values taken from a file, and how many the part of the network has. */
export interface TransferredPart {
  readonly values: number;
  readonly of: number;
}

/** What fine-tuning took from pre-trained weights; `transfer.json` of a run folder. */
export interface TransferReport {
  readonly schema: 1;
  readonly file: string;
  readonly encoder: TransferredPart;
  readonly decoder: TransferredPart;
  /** Parameters that start at random: the last layer, and the decoder where the file has none. */
  readonly fresh: readonly string[];
  /** Parameters of the file that this network has no use for: heads of the method, and its last layer. */
  readonly unused: readonly string[];
  /** Weights that meet the image, where the file's were made for another number of channels. */
  readonly adapted: readonly { readonly name: string; readonly from: number; readonly to: number }[];
}

/**
 * Weights for fine-tuning from a pre-training file: encoder and decoder where it has both, the encoder alone
 * where it has no decoder or `part` says so; never the last layer. Where the file is of images of another
 * number of channels (CT before the four of BraTS), its first weights are repeated.
 * @param settings those that `network` was made of
 * @throws DataError when the file is damaged or of another network; UsageError when it says that it was trained
 *   with other settings of the network, such as pools, which no shape of an encoder shows
 */
export async function transferredWeights(
  file: string,
  network: Network,
  settings: NetworkSettings,
  part: 'all' | 'encoder' = 'all',
): Promise<{ values: NamedArrays; report: TransferReport; preparation: Preparation }> {
  const isEncoder = (name: string) => isEncoderParameter(network, name);
  const { values, report, metadata } = await readWeights(file, network.specs, {
    replace: network.lastLayer,
    ignore: pretextPrefix,
    constants: network.constants,
    firstLayers: network.firstLayers,
    optional: (name) => !isEncoder(name),
    ...(part === 'encoder' && { only: network.encoder }),
  });
  requireSameSettings(metadata, settings, file);
  const counted = (belongs: (name: string) => boolean): TransferredPart => {
    const specs = network.specs.filter(({ name }) => belongs(name));
    const count = (all: typeof specs) => all.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    return { values: count(specs.filter(({ name }) => name in values)), of: count(specs) };
  };
  const { fresh, unused, adapted } = report;
  return {
    values,
    preparation: preparationOf(metadata),
    report: {
      schema: 1,
      file,
      encoder: counted(isEncoder),
      decoder: counted((name) => !isEncoder(name)),
      fresh,
      unused,
      adapted,
    },
  };
}

/** What fine-tuning may have otherwise than the pre-training. */
const FREE = new Set(['dropout', 'inChannels', 'outChannels']);

function requireSameSettings(
  metadata: Readonly<Record<string, string>>,
  settings: NetworkSettings,
  file: string,
): void {
  const stored = storedSettings.safeParse(jsonOrUndefined(metadata.network ?? ''));
  if (!stored.success || stored.data.name !== settings.name) return; // what the shapes say was held to already
  for (const [key, value] of Object.entries(settings)) {
    const before = stored.data[key];
    if (FREE.has(key) || before === undefined || isDeepStrictEqual(value, before)) continue;
    throw new UsageError(
      `network.${key} is ${JSON.stringify(value)}, but the weights in ${file} were trained with ` +
        `${JSON.stringify(before)}: set network.${key} to that, or choose other weights`,
      { file, field: `network.${key}`, found: value, expected: before },
    );
  }
}

const storedSettings = z.looseObject({ name: z.string() });
