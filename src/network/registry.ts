import { UsageError } from '../errors.js';
import type { Network } from './network.js';
import { type UNetConfig, unet } from './unet.js';

/** The networks by the name that configurations use, each a function from its settings to the network. */
const networks: Readonly<Record<string, (config: UNetConfig) => Network>> = { unet };

export const networkNames: readonly string[] = Object.keys(networks);

/**
 * The maker of the named network: `networkByName('unet')(config)`.
 * @throws UsageError naming the networks there are
 */
export function networkByName(name: string): (config: UNetConfig) => Network {
  const make = Object.hasOwn(networks, name) ? networks[name] : undefined;
  if (!make) {
    throw new UsageError(`there is no network named "${name}"; choose one of ${networkNames.join(', ')}`, {
      field: 'network.name',
      found: name,
      expected: networkNames,
    });
  }
  return make;
}
