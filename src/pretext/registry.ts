import { z } from 'zod';
import type { CorruptionRecipe } from '../corruption/index.js';
import type { Network } from '../network/index.js';
import { hybridMim, hybridMimSettings, leastHybridMimBatch } from './hybridmim.js';
import { mae, maeSettings } from './mae.js';
import type { PretextBatch, PretextMethod } from './method.js';
import { modelsGenesis, modelsGenesisSettings } from './models-genesis.js';
import { simMim, simMimSettings } from './simmim.js';
import { transVw, transVwSettings } from './transvw.js';
import { unetFormer, unetFormerSettings } from './unetformer.js';

/** How a method is known: its settings, whose `name` is its own, and its maker. */
interface RegisteredMethod<S extends z.ZodObject> {
  readonly settings: S;
  make(network: Network, batch: PretextBatch, settings: z.output<S>): PretextMethod;
  /**
   * What the loader does to every crop; absent: the method corrupts within the step, by a mask that is fed.
   */
  voxelCorruption?(settings: z.output<S>): CorruptionRecipe;
  /** The smallest batch that it takes; absent: 1. */
  leastBatch?(settings: z.output<S>): number;
}

/**
 * A registered method whose settings are checked once more where they come in, so that one table can hold
 * methods of any settings.
 */
function registered<S extends z.ZodObject>({
  settings: schema,
  make,
  voxelCorruption,
  leastBatch,
}: RegisteredMethod<S>) {
  return {
    settings: schema,
    make: (network: Network, batch: PretextBatch, settings: unknown) =>
      make(network, batch, schema.parse(settings)),
    voxelCorruption: (settings: unknown) => voxelCorruption?.(schema.parse(settings)),
    leastBatch: (settings: unknown) => leastBatch?.(schema.parse(settings)) ?? 1,
  };
}

/**
 * The methods by the name that configurations use. A new one is a file beside this one and a line here
 * (docs/new-method.md).
 */
const methods = {
  hybridmim: registered({ settings: hybridMimSettings, make: hybridMim, leastBatch: leastHybridMimBatch }),
  'models-genesis': registered({
    settings: modelsGenesisSettings,
    make: modelsGenesis,
    voxelCorruption: (recipe) => recipe,
  }),
  transvw: registered({
    settings: transVwSettings,
    make: transVw,
    voxelCorruption: () => ({ name: 'transvw' }),
  }),
  simmim: registered({ settings: simMimSettings, make: simMim }),
  unetformer: registered({ settings: unetFormerSettings, make: unetFormer }),
  mae: registered({ settings: maeSettings, make: mae }),
};

type Schemas = { readonly [M in keyof typeof methods]: (typeof methods)[M]['settings'] };

/** A method's settings with its name, as a run's `method` section has them. */
export type MethodConfig = z.output<Schemas[keyof Schemas]>;

export const methodNames = Object.keys(methods) as readonly MethodConfig['name'][];

/** A pre-training method and its settings, chosen by `name`; without a name: HybridMIM. */
export const methodSection = z.discriminatedUnion(
  'name',
  Object.values(methods).map(({ settings }) => settings) as unknown as readonly [
    Schemas['hybridmim'],
    ...Schemas[keyof Schemas][],
  ],
);

/**
 * The method that a configuration names. Throws UsageError when its settings, network and batch do not fit
 * together.
 */
export function pretextMethod(network: Network, batch: PretextBatch, config: MethodConfig): PretextMethod {
  return methods[config.name].make(network, batch, config);
}

/**
 * What the loader does to every crop for a method; undefined: the method corrupts within the step, by a mask
 * that is fed.
 */
export function voxelCorruption(config: MethodConfig): CorruptionRecipe | undefined {
  return methods[config.name].voxelCorruption(config);
}

/** The smallest batch that a method takes. */
export function leastBatch(config: MethodConfig): number {
  return methods[config.name].leastBatch(config);
}
