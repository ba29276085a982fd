import { z } from 'zod';
import type { NamedArrays } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { Network } from './network.js';
import { segResNet, segResNetSettings, segResNetShapes } from './seg-res-net.js';
import type { Channels, NetworkConfig } from './settings.js';
import { swinEncoderShapes, swinUnetr, swinUnetrSettings, swinUnetrShapes } from './swin-unetr.js';
import { unet, unetSettings, unetWidths } from './unet.js';
import { unetr, unetrEncoderShapes, unetrSettings, unetrShapes } from './unetr.js';
import { withKnownNames } from './weight-names.js';

interface Registered<S extends z.ZodObject> {
  readonly settings: S;
  readonly make: (config: NetworkConfig<S>) => Network;
  /** Channels, and those settings that the shapes of a weights file tell. */
  readonly shapes: (arrays: NamedArrays, file: string) => Partial<NetworkConfig<S>> & Channels;
  /** Settings that the shapes of the encoder alone tell. */
  readonly encoderShapes?: (arrays: NamedArrays, file: string) => Partial<NetworkConfig<S>>;
}

/**
 * A registered network whose settings are checked once more where they come in, so that one table can hold
 * networks of any settings.
 */
function registered<S extends z.ZodObject>({ settings: schema, make, shapes, encoderShapes }: Registered<S>) {
  return {
    settings: schema,
    make: (settings: unknown, channels: Channels) => make({ ...schema.parse(settings), ...channels }),
    shapes,
    encoderShapes: encoderShapes ?? (() => ({})),
  };
}

/** The networks by the name that configurations use. */
const networks = {
  unet: registered({ settings: unetSettings, make: unet, shapes: unetWidths }),
  'seg-res-net': registered({ settings: segResNetSettings, make: segResNet, shapes: segResNetShapes }),
  unetr: registered({
    settings: unetrSettings,
    make: unetr,
    shapes: unetrShapes,
    encoderShapes: unetrEncoderShapes,
  }),
  'swin-unetr': registered({
    settings: swinUnetrSettings,
    make: swinUnetr,
    shapes: swinUnetrShapes,
    encoderShapes: swinEncoderShapes,
  }),
};

export type NetworkName = keyof typeof networks;
type Schemas = { readonly [N in NetworkName]: (typeof networks)[N]['settings'] };

/** One network and its settings, as the section `network` of a configuration says. */
export type NetworkSettings = z.output<Schemas[NetworkName]>;

/** A network and its settings, chosen by `name`, which is `unet` unless said otherwise. */
export const networkSection = z.preprocess(
  (section) =>
    typeof section === 'object' && section !== null && !('name' in section)
      ? { name: 'unet', ...section }
      : section,
  z.discriminatedUnion(
    'name',
    Object.values(networks).map(({ settings }) => settings) as unknown as readonly [
      Schemas['unet'],
      ...Schemas[NetworkName][],
    ],
  ),
);

/** The networks by the names that configurations use. */
export const networkNames: readonly NetworkName[] = Object.keys(networks) as NetworkName[];

/**
 * The network of some settings.
 * @throws UsageError for settings that make no network
 */
export function makeNetwork(settings: NetworkSettings, channels: Channels): Network {
  return networks[settings.name].make(settings, channels);
}

/**
 * Channels of the named network whose parameters a file holds, in PyTorch's names (or those of published
 * variants) and axis order, and those of its settings that the shapes tell.
 * @throws DataError when the parameters are another network's
 */
export function networkShapes(
  name: NetworkName,
  arrays: NamedArrays,
  file: string,
): Channels & Readonly<Record<string, unknown>> {
  return { ...networks[name].shapes(withKnownNames(arrays, file, patterns[name]()), file) };
}

/** As `networkShapes`, of a file that may hold the encoder alone. */
export function networkEncoderShapes(
  name: NetworkName,
  arrays: NamedArrays,
  file: string,
): Readonly<Record<string, unknown>> {
  return { ...networks[name].encoderShapes(withKnownNames(arrays, file, patterns[name]()), file) };
}

const one = { inChannels: 1, outChannels: 1, dropout: 0 };

/** Names of each network's parameters with every part that a setting can add, at the smallest size. */
const patterns: { readonly [N in NetworkName]: () => readonly string[] } = {
  unet: () => namesOf(unet({ ...one, features: [1, 1, 1, 1, 1, 1], pools: [2, 2, 2, 2] })),
  'seg-res-net': () =>
    namesOf(segResNet({ ...one, initFilters: 1, blocksDown: [1, 1], blocksUp: [1], normGroups: 1 })),
  unetr: () =>
    namesOf(
      unetr({ ...one, imageSize: [16, 16, 16], featureSize: 1, hiddenSize: 1, mlpDim: 1, numHeads: 1 }),
    ),
  'swin-unetr': () =>
    namesOf(
      swinUnetr({
        ...one,
        featureSize: 12,
        depths: [1, 1, 1, 1],
        numHeads: [1, 1, 1, 1],
        window: [1, 1, 1],
        version: 2,
        merging: 'merging',
      }),
    ),
};

const namesOf = ({ specs }: Network): readonly string[] => specs.map(({ name }) => name);

/** The name, if it is a network's. Throws UsageError naming the networks there are. */
export function networkNameOf(name: string): NetworkName {
  const found = networkNames.find((known) => known === name);
  if (found) return found;
  throw new UsageError(`there is no network named "${name}"; choose one of ${networkNames.join(', ')}`, {
    field: 'network.name',
    found: name,
    expected: networkNames,
  });
}
