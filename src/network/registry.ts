import type { NamedArrays } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { Network } from './network.js';
import { type SegResNetSettings, segResNet, segResNetShapes } from './seg-res-net.js';
import { type SwinUnetrSettings, swinUnetr, swinUnetrShapes } from './swin-unetr.js';
import { type UNetConfig, unet, unetWidths } from './unet.js';
import { type UnetrSettings, unetr, unetrShapes } from './unetr.js';

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
}

const networks: { readonly [N in NetworkName]: Registered<N> } = {
  unet: { make: unet, shapes: unetWidths },
  'seg-res-net': { make: segResNet, shapes: segResNetShapes },
  unetr: { make: unetr, shapes: unetrShapes },
  'swin-unetr': { make: swinUnetr, shapes: swinUnetrShapes },
};

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
 * Channels of the named network whose parameters a file holds, in PyTorch's names and axis order, and those of its settings that the shapes tell.
 * @throws DataError when the parameters are another network's
 */
export function networkShapes(name: NetworkName, arrays: NamedArrays, file: string): Channels & Readonly<Record<string, unknown>> {
  return { ...networks[name].shapes(arrays, file) };
}

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
