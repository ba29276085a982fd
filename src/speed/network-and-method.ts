import { makeNetwork, type Network } from '../network/index.js';
import { type PretextMethod, pretextMethod } from '../pretext/index.js';
import type { SpeedSetting } from './speed-settings.js';

/**
 * The network, of one channel, and the method of a setting.
 * @throws UsageError for a method that does not go with the network or sizes that do not go together
 */
export function networkAndMethod({ network: settings, method, crop, batch }: SpeedSetting): {
  readonly network: Network;
  readonly method: PretextMethod;
} {
  const network = makeNetwork(settings, { inChannels: 1, outChannels: 1 });
  return { network, method: pretextMethod(network, { size: batch, crop: [crop, crop, crop], scaledTargets: false }, method) };
}
