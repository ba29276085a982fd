import { checkConfig, loadSettings } from '../config/index.js';
import type { Precision } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { NetworkSettings } from '../network/index.js';
import { networkSection } from '../network/index.js';
import { type MethodConfig, methodSection } from '../pretext/index.js';

/** One bar of the figure: a pre-training step whose time is measured. */
export interface SpeedSetting {
  readonly network: NetworkSettings;
  readonly method: MethodConfig;
  readonly precision: Precision;
  /** Side of the cubic crop, voxels. */
  readonly crop: number;
  /** Side of the region that is predicted; `crop`: all of it. */
  readonly region: number;
  readonly batch: number;
  /** Threads of one op; 0: one a core. */
  readonly threads: number;
}

export interface SpeedMatrix {
  readonly networks: readonly string[];
  readonly methods: readonly string[];
  readonly precisions: readonly Precision[];
  readonly crop: number;
  /** Of HybridMIM's partial target region; it is measured without one, too. */
  readonly region: number;
  readonly batch: number;
  readonly threads: number;
  /** Overrides such as `unet.features=[...]`, by network. */
  readonly set: readonly string[];
}

/**
 * Every combination of the matrix, HybridMIM with its partial region and without.
 * @throws UsageError for an unknown network or method and for sizes that do not fit together
 */
export function speedSettings({
  networks,
  methods,
  precisions,
  crop,
  region,
  batch,
  threads,
  set,
}: SpeedMatrix): SpeedSetting[] {
  if (region > crop)
    throw new UsageError(`--region is ${region}, more than the crop's ${crop} voxels`, {
      field: '--region',
      found: region,
      expected: crop,
    });
  requireNames(set, networks);
  return precisions.flatMap((precision) =>
    networks.flatMap((name) => {
      const network = networkSettings(name, set);
      return methods.flatMap((method) =>
        regionsOf(method, region, crop).map((side) => ({
          network,
          method: methodSettings(method, side, batch),
          precision,
          crop,
          region: side,
          batch,
          threads,
        })),
      );
    }),
  );
}

/** "HybridMIM, unet, float32, region 64 of 96", for progress and tables. */
export function speedName({ network, method, precision, region, crop }: SpeedSetting): string {
  return [
    method.name,
    network.name,
    precision,
    ...(region < crop ? [`region ${region} of ${crop}`] : []),
  ].join(', ');
}

const regionsOf = (method: string, region: number, crop: number): number[] =>
  method === 'hybridmim' && region < crop ? [region, crop] : [crop];

function networkSettings(name: string, set: readonly string[]): NetworkSettings {
  const own = set
    .filter((override) => override.startsWith(`${name}.`))
    .map((override) => override.slice(name.length + 1));
  return loadSettings(networkSection, [`name=${name}`, ...own]);
}

/** HybridMIM's contrastive loss takes a batch of two or more: it is left out of a smaller one. */
function methodSettings(name: string, region: number, batch: number): MethodConfig {
  const own = name === 'hybridmim' ? { region, ...(batch < 2 && { weights: { contrast: 0 } }) } : {};
  return checkConfig(methodSection, { name, ...own }, '--methods');
}

function requireNames(set: readonly string[], networks: readonly string[]): void {
  const foreign = set.find((override) => !networks.some((name) => override.startsWith(`${name}.`)));
  if (foreign === undefined) return;
  throw new UsageError(
    `--set ${foreign}: write the network before the key, such as ${networks[0]}.${foreign}`,
    { field: '--set', found: foreign },
  );
}
