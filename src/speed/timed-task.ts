import { makeNetwork } from '../network/index.js';
import { pretextMethod } from '../pretext/index.js';
import { type LearningTask, pretrainingTask } from '../training/index.js';
import type { SpeedSetting } from './speed-settings.js';

/**
 * The pre-training that a setting times, on images of one channel.
 * @throws UsageError for a method that does not go with the network or sizes that do not go together
 */
export function timedTask({
  network: settings,
  method: config,
  crop,
  batch: size,
}: SpeedSetting): LearningTask {
  const network = makeNetwork(settings, { inChannels: 1, outChannels: 1 });
  const batch = { size, crop: [crop, crop, crop], scaledTargets: false } as const;
  const method = pretextMethod(network, batch, config);
  return pretrainingTask({ name: `${method.name} step`, network, method, batch, seed: 0 });
}
