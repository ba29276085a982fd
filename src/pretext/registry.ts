import type { CorruptionRecipe } from '../corruption/index.js';
import type { Network } from '../network/index.js';
import { type HybridMimConfig, hybridMim } from './hybridmim.js';
import { type MaeConfig, mae } from './mae.js';
import type { PretextBatch, PretextMethod } from './method.js';
import { type ModelsGenesisConfig, modelsGenesis } from './models-genesis.js';
import { type SimMimConfig, simMim } from './simmim.js';
import { type TransVwConfig, transVw } from './transvw.js';
import { type UNetFormerConfig, unetFormer } from './unetformer.js';

/** A method's settings with its name, as a run's `method` section has them. */
export type MethodConfig =
  | ({ readonly name: 'hybridmim' } & HybridMimConfig)
  | ({ readonly name: 'mae' } & MaeConfig)
  | ({ readonly name: 'models-genesis' } & ModelsGenesisConfig)
  | ({ readonly name: 'simmim' } & SimMimConfig)
  | ({ readonly name: 'transvw' } & TransVwConfig)
  | ({ readonly name: 'unetformer' } & UNetFormerConfig);

/** The methods by the name that configurations use. */
export const methodNames: readonly MethodConfig['name'][] = ['hybridmim', 'models-genesis', 'transvw', 'simmim', 'unetformer', 'mae'];

/** The method that a configuration names. Throws UsageError when its settings, network and batch do not fit together. */
export function pretextMethod(network: Network, batch: PretextBatch, config: MethodConfig): PretextMethod {
  switch (config.name) {
    case 'hybridmim':
      return hybridMim(network, batch, config);
    case 'mae':
      return mae(network, batch, config);
    case 'models-genesis':
      return modelsGenesis(network, batch);
    case 'simmim':
      return simMim(network, batch, config);
    case 'transvw':
      return transVw(network, batch, config);
    case 'unetformer':
      return unetFormer(network, batch, config);
  }
}

/** What the loader does to every crop for a method; undefined: the method corrupts within the step, by a mask that is fed. */
export function voxelCorruption(config: MethodConfig): CorruptionRecipe | undefined {
  if (config.name === 'models-genesis') return config;
  return config.name === 'transvw' ? { name: 'transvw' } : undefined;
}
