import type { NamedArrays } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { Network } from './network.js';
import { type UNetConfig, unet, unetWidths } from './unet.js';

/** A network as the registry knows it. */
interface Registered {
  readonly make: (config: UNetConfig) => Network;
  /** Channels and widths as the shapes of a weights file tell them. */
  readonly widths: (arrays: NamedArrays, file: string) => Omit<UNetConfig, 'dropout'>;
}

/** The networks by the name that configurations use. */
const networks: Readonly<Record<string, Registered>> = { unet: { make: unet, widths: unetWidths } };

export const networkNames: readonly string[] = Object.keys(networks);

/**
 * The maker of the named network: `networkByName('unet')(config)`.
 * @throws UsageError naming the networks there are
 */
export function networkByName(name: string): (config: UNetConfig) => Network {
  return registered(name).make;
}

/**
 * Channels and widths of the named network whose parameters a file holds, in PyTorch's names and axis order.
 * @throws UsageError for an unknown network, DataError when the parameters are another network's
 */
export function networkWidths(name: string, arrays: NamedArrays, file: string): Omit<UNetConfig, 'dropout'> {
  return registered(name).widths(arrays, file);
}

function registered(name: string): Registered {
  const found = Object.hasOwn(networks, name) ? networks[name] : undefined;
  if (found) return found;
  throw new UsageError(`there is no network named "${name}"; choose one of ${networkNames.join(', ')}`, {
    field: 'network.name',
    found: name,
    expected: networkNames,
  });
}
