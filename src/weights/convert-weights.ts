import { join } from 'node:path';
import { loadSettings, overridesOf, predictConfig } from '../config/index.js';
import { type NamedArrays, savedModel, type Tensor5D, tf } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import {
  AXIS_ORDER,
  initialiseParameters,
  isEncoderParameter,
  type LoadReport,
  logitsOf,
  makeNetwork,
  type Network,
  type NetworkName,
  type NetworkSettings,
  networkEncoderShapes,
  networkShapes,
  readSafetensors,
  STILL,
  takeWeights,
  writeWeights,
} from '../network/index.js';
import { pretextPrefix } from '../pretext/index.js';
import { runMetadata, weightsFile } from '../training/index.js';
import type { Triple } from '../volume/index.js';
import { makeFolder, writeWholeFile, writeWholeFolder } from '../whole-file.js';

export interface ImportOptions {
  readonly network: NetworkName;
  /** A `.safetensors` file of any origin. */
  readonly from: string;
  readonly to: string;
  /** `encoder`: only the encoder is taken, the rest starts at random. */
  readonly part: 'all' | 'encoder';
  /** Beginnings of names of the file that are let go. */
  readonly letGo?: readonly string[];
  /** Channels of the images; absent: as in the file. */
  readonly inChannels?: number | undefined;
  /** Classes; absent: as in the file. Another number leaves the last layer random. */
  readonly outChannels?: number | undefined;
  readonly set: readonly string[];
  /** Of what stays random. */
  readonly seed: number;
}

export interface Converted {
  readonly schema: 1;
  readonly network: string;
  readonly from: string;
  readonly to: string;
  readonly report: LoadReport;
}

/**
 * Makes a weights file of this project of one of any origin: names of published variants become the
 * network's, the first layers are fitted to the number of channels, and what the file does not give starts at
 * random, which the report names. What the file gives and the network does not take is refused, unless
 * `letGo` names it.
 * @throws DataError when the file does not fit, UsageError when channels are not given and the file does not
 *   tell them
 */
export async function importWeights({
  network: name,
  from: given,
  to,
  part,
  letGo = [],
  inChannels,
  outChannels,
  set,
  seed,
}: ImportOptions): Promise<Converted> {
  const from = await weightsFile(given, 'best');
  const content = await readSafetensors(from);
  const { arrays, metadata } = content;
  const { settings, channels } = fileNetwork(name, arrays, from, set, { inChannels, outChannels }, part);
  const network = makeNetwork(settings, {
    inChannels: inChannels ?? channels.inChannels,
    outChannels: outChannels ?? channels.outChannels,
  });
  const otherClasses = outChannels !== undefined && outChannels !== channels.outChannels;
  const { values, report } = takeWeights(content, from, network.specs, {
    ignore: pretextPrefix,
    constants: network.constants,
    firstLayers: network.firstLayers,
    letGo,
    ...(part === 'encoder' && { only: network.encoder }),
    ...(part === 'all' && otherClasses && { replace: network.lastLayer }),
  });
  const { scheme, preprocessing } = metadata;
  const kept = {
    ...(scheme && !otherClasses && part === 'all' && { scheme }),
    ...(preprocessing && { preprocessing }),
  };
  await writeWeights(to, { ...initialiseParameters(network.specs, seed), ...values }, network.specs, {
    ...runMetadata(network, settings),
    ...kept,
  });
  return { schema: 1, network: name, from, to, report };
}

export interface ExportOptions {
  readonly network: NetworkName;
  readonly from: string;
  readonly to: string;
  /** `encoder`: only the encoder is written. */
  readonly part: 'all' | 'encoder';
  readonly set: readonly string[];
  /** `saved-model`: TensorFlow's folder, with the inference graph for images of `size`. */
  readonly format: 'safetensors' | 'saved-model';
  /** Voxels [x, y, z]. */
  readonly size: Triple;
}

/**
 * Writes weights of this project for other programs: as MONAI's whole state dict, which takes it with
 * `strict=True`; its encoder alone; or as a TensorFlow SavedModel that maps images [1, x, y, z, channels] to
 * logits, with a JSON file of preparation and classes. Pre-training heads are left out.
 * @throws DataError when the file is another network's
 */
export async function exportWeights({
  network: name,
  from: given,
  to,
  part,
  set,
  format,
  size,
}: ExportOptions): Promise<Converted> {
  const from = await weightsFile(given, 'best');
  const content = await readSafetensors(from);
  const { settings, channels } = fileNetwork(name, content.arrays, from, set, {}, 'all');
  const network = makeNetwork(settings, channels);
  const { values, report } = takeWeights(content, from, network.specs, {
    ignore: pretextPrefix,
    constants: network.constants,
  });
  if (format === 'saved-model') {
    if (part === 'encoder')
      throw new UsageError('--format saved-model writes the whole network: leave out --part encoder', {
        field: '--part',
      });
    const fact = (name: string): unknown => jsonOrUndefined(content.metadata[name] ?? 'null') ?? null;
    await writeSavedModel(to, network, values, size, {
      schema: 1,
      ...AXIS_ORDER,
      network: { ...settings, ...channels },
      window: size,
      preprocessing: fact('preprocessing'),
      scheme: fact('scheme'),
    });
  } else {
    const isWritten = ({ name: of }: { readonly name: string }) =>
      part === 'all' || isEncoderParameter(network, of);
    await writeWeights(
      to,
      values,
      network.specs.filter(isWritten),
      { format: 'pt', producer: 'hybridmim' },
      network.constants.filter(isWritten),
    );
  }
  return { schema: 1, network: name, from, to, report };
}

/** Settings and channels of the network that a file's shapes, and what is set, say. */
function fileNetwork(
  name: NetworkName,
  arrays: NamedArrays,
  file: string,
  set: readonly string[],
  given: { readonly inChannels?: number | undefined; readonly outChannels?: number | undefined },
  part: 'all' | 'encoder',
): { settings: NetworkSettings; channels: { inChannels: number; outChannels: number } } {
  const settingsOf = (own: readonly string[]) =>
    loadSettings(predictConfig, [`network.name=${name}`, ...own, ...set, `network.name=${name}`]).network;
  if (part === 'encoder') {
    const { inChannels, outChannels } = given;
    if (inChannels === undefined || outChannels === undefined) {
      throw new UsageError(
        'an encoder alone does not say how many channels and classes the network has: give --in-channels and --out-channels',
        {
          field: '--in-channels',
        },
      );
    }
    return {
      settings: settingsOf(overridesOf('network', networkEncoderShapes(name, arrays, file))),
      channels: { inChannels, outChannels },
    };
  }
  const { inChannels, outChannels, ...shapes } = networkShapes(name, arrays, file);
  return {
    settings: settingsOf(overridesOf('network', shapes)),
    channels: { inChannels, outChannels },
  };
}

/**
 * What a SavedModel's own reader needs to know beside the signature; `assets.extra` is TensorFlow's folder
 * for it.
 */
export const SAVED_MODEL_FACTS = join('assets.extra', 'hybridmim.json');

/**
 * A SavedModel whose images and logits have the axes of a file, [1, x, y, z, channels], with a JSON file of
 * what it needs to know of scans.
 * @param facts preparation and classes, as far as the weights file says them
 */
async function writeSavedModel(
  folder: string,
  network: Network,
  values: NamedArrays,
  size: Triple,
  facts: object,
): Promise<void> {
  const turned = (x: Tensor5D) => tf.transpose(x, [0, 3, 2, 1, 4]);
  const model = savedModel(
    (images, parameters) => turned(logitsOf(network, turned(images), parameters, STILL)),
    values,
    [1, ...size, network.inChannels],
  );
  await writeWholeFolder(folder, async (partial) => {
    await makeFolder(join(partial, 'assets.extra'));
    await writeWholeFile(join(partial, SAVED_MODEL_FACTS), `${JSON.stringify(facts, null, 1)}\n`);
    await writeWholeFile(join(partial, 'saved_model.pb'), model);
  });
}
