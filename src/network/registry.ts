import type { NamedArrays } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { Network } from './network.js';
import { type SegResNetSettings, segResNet, segResNetShapes } from './seg-res-net.js';
import { type SwinUnetrSettings, swinEncoderShapes, swinUnetr, swinUnetrShapes } from './swin-unetr.js';
import { type UNetConfig, unet, unetWidths } from './unet.js';
import { type UnetrSettings, unetr, unetrEncoderShapes, unetrShapes } from './unetr.js';
import { withKnownNames } from './weight-names.js';

/** The settings of each network by the name that configurations use. */
export interface SettingsByName {
  readonly unet: Pick<UNetConfig, 'features' | 'dropout'>;
  readonly 'seg-res-net': SegResNetSettings;
  readonly unetr: UnetrSettings;
  readonly 'swin-unetr': SwinUnetrSettings;
}
export type NetworkName = keyof SettingsByName;

/** One network and its settings, as the section `network` of a configuration says. */
export type NetworkSettings = { [N in NetworkName]: { readonly name: N } & SettingsByName[N] }[NetworkName];

export interface Channels {
  readonly inChannels: number;
  readonly outChannels: number;
}

interface Registered<N extends NetworkName> {
  readonly make: (config: SettingsByName[N] & Channels) => Network;
  /** Channels, and those settings that the shapes of a weights file tell. */
  readonly shapes: (arrays: NamedArrays, file: string) => Partial<SettingsByName[N]> & Channels;
  /** Settings that the shapes of the encoder alone tell. */
  readonly encoderShapes: (arrays: NamedArrays, file: string) => Partial<SettingsByName[N]>;
}

const networks: { readonly [N in NetworkName]: Registered<N> } = {
  unet: { make: unet, shapes: unetWidths, encoderShapes: () => ({}) },
  'seg-res-net': { make: segResNet, shapes: segResNetShapes, encoderShapes: () => ({}) },
  unetr: { make: unetr, shapes: unetrShapes, encoderShapes: unetrEncoderShapes },
  'swin-unetr': { make: swinUnetr, shapes: swinUnetrShapes, encoderShapes: swinEncoderShapes },
};

/** The networks by the names that configurations use. */
export const networkNames: readonly NetworkName[] = Object.keys(networks) as NetworkName[];

/**
 * The network of some settings.
 * @throws UsageError for settings that make no network
 */
export function makeNetwork({ name, ...settings }: NetworkSettings, { inChannels, outChannels }: Channels): Network {
  const { make } = networks[name] as Registered<NetworkName>;
  return make({ ...settings, inChannels, outChannels } as never);
}

/**
 * Channels of the named network whose parameters a file holds, in PyTorch's names (or those of published variants) and axis order, and those of
 * its settings that the shapes tell.
 * @throws DataError when the parameters are another network's
 */
export function networkShapes(name: NetworkName, arrays: NamedArrays, file: string): Channels & Readonly<Record<string, unknown>> {
  return { ...networks[name].shapes(withKnownNames(arrays, file, patterns[name]()), file) };
}

/** As `networkShapes`, of a file that may hold the encoder alone. */
export function networkEncoderShapes(name: NetworkName, arrays: NamedArrays, file: string): Readonly<Record<string, unknown>> {
  return { ...networks[name].encoderShapes(withKnownNames(arrays, file, patterns[name]()), file) };
}

const one = { inChannels: 1, outChannels: 1, dropout: 0 };

/** Names of each network's parameters with every part that a setting can add, at the smallest size. */
const patterns: { readonly [N in NetworkName]: () => readonly string[] } = {
  unet: () => namesOf(unet({ ...one, features: [1, 1, 1, 1, 1, 1] })),
  'seg-res-net': () => namesOf(segResNet({ ...one, initFilters: 1, blocksDown: [1, 1], blocksUp: [1], normGroups: 1 })),
  unetr: () => namesOf(unetr({ ...one, imageSize: [16, 16, 16], featureSize: 1, hiddenSize: 1, mlpDim: 1, numHeads: 1 })),
  'swin-unetr': () =>
    namesOf(swinUnetr({ ...one, featureSize: 12, depths: [1, 1, 1, 1], numHeads: [1, 1, 1, 1], window: [1, 1, 1], version: 2, merging: 'merging' })),
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
