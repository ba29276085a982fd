import type { Network } from '../network/index.js';
import { type HybridMimConfig, hybridMim, type PretextBatch } from './hybridmim.js';
import type { PretextMethod } from './method.js';

/** The method's settings with its name, as a run's `method` section has them. */
export type MethodConfig = { readonly name: 'hybridmim' } & HybridMimConfig;

/** The method that a configuration names. */
export function pretextMethod(network: Network, batch: PretextBatch, config: MethodConfig): PretextMethod {
  return { hybridmim: hybridMim }[config.name](network, batch, config);
}
