import { entryOf } from '../at.js';
import {
  checkConfig,
  type ExperimentArm,
  type ExperimentConfig,
  type FinetuneConfig,
  finetuneConfig,
  overlaid,
  type PretrainConfig,
  pretrainConfig,
  type Section,
} from '../config/index.js';
import { UsageError } from '../errors.js';

interface CommonCell {
  /** Name of its run folder within the experiment's. */
  readonly id: string;
  readonly seed: number;
  /** For people. */
  readonly title: string;
}

/** A pre-training run; arms and shares of labels that start from the same weights have it in common. */
export interface PretrainCell extends CommonCell {
  readonly kind: 'pretrain';
  readonly settings: PretrainConfig;
}

/** A fine-tuning run and its evaluation: one arm with one seed and one share of the labels. */
export interface FinetuneCell extends CommonCell {
  readonly kind: 'finetune';
  readonly arm: string;
  /** Its row in the paper's table, and what stands there for its network. */
  readonly row: string;
  readonly backbone: string | undefined;
  readonly fraction: number;
  /** Id of the pre-training whose weights it starts from; absent: from scratch. */
  readonly needs?: string;
  readonly settings: FinetuneConfig;
}

export type Cell = PretrainCell | FinetuneCell;

/**
 * The runs of an experiment, every pre-training before what needs it, with their settings as resolved.
 * @param prepared folder of the prepared set, which every run reads
 * @throws UsageError when a section does not pass its schema, two arms have one name, or `compare` names another
 */
export function planCells(config: ExperimentConfig, prepared: string): Cell[] {
  const arms = [...config.arms, ...matrixArms(config)];
  const repeated = arms.find(
    ({ name }, i) => arms.findIndex((other) => slug(other.name) === slug(name)) !== i,
  );
  if (repeated)
    throw new UsageError(
      `experiment ${config.name} has two arms named "${repeated.name}": give each a name of its own`,
      { field: 'arms' },
    );
  const names = arms.map(({ name }) => name);
  const unknown = config.compare?.flat().find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new UsageError(
      `experiment ${config.name} compares "${unknown}", but its arms are ${names.join(', ')}`,
      { field: 'compare', found: unknown },
    );
  const cells = new Map<string, Cell>();
  for (const seed of config.seeds) {
    for (const arm of arms) {
      const pretraining = isPretrained(arm) ? pretrainCell(config, arm, seed, prepared) : undefined;
      if (pretraining) cells.set(pretraining.id, pretraining);
      if (!config.finetune) continue;
      for (const fraction of config.fractions) {
        const cell = finetuneCell(config, config.finetune, arm, {
          seed,
          fraction,
          prepared,
          needs: pretraining?.id,
        });
        cells.set(cell.id, cell);
      }
    }
  }
  return [...cells.values()];
}

/** The matrix as arms, named as the paper names them: `UNet`, `HybridMIM(UNet)`, `HybridMIM*(UNet)`. */
function matrixArms({ matrix }: ExperimentConfig): ExperimentArm[] {
  if (!matrix) return [];
  return matrix.networks.flatMap((network) =>
    matrix.methods.flatMap((method): ExperimentArm[] => {
      if (method === 'none') return [{ name: network, network }];
      return matrix.modes.map((mode) => ({
        name: `${method}${mode === 'task-specific' ? '*' : ''}(${network})`,
        method,
        network,
        mode,
      }));
    }),
  );
}

const isPretrained = ({ pretrained, method, mode, pretrain }: ExperimentArm): boolean =>
  pretrained ?? (method !== undefined || mode !== undefined || pretrain !== undefined);

function pretrainCell(
  config: ExperimentConfig,
  arm: ExperimentArm,
  seed: number,
  prepared: string,
): PretrainCell {
  const layers: Section[] = [
    networkPart(config, arm),
    arm.method === undefined ? {} : entryOf(config.methods, arm.method),
    arm.pretrain ?? {},
    arm.mode === 'task-specific'
      ? { data: { mode: 'task-specific', datasets: taskDatasets(config, arm), split: 'training' } }
      : {},
    { seed, data: { prepared } },
  ];
  const ownTask = arm.mode === 'task-specific' && arm.finetune !== undefined;
  const parts =
    arm.pretrain || ownTask
      ? [arm.name]
      : [arm.method, arm.network, arm.mode === 'task-specific' ? 'task' : undefined];
  const what = parts.filter((part) => part !== undefined);
  return {
    kind: 'pretrain',
    id: slug(['pretrain', ...what, `seed-${seed}`].join('-')),
    seed,
    title: `pre-training${what.length > 0 ? ` ${what.join(' ')}` : ''}, seed ${seed}`,
    settings: checkConfig(
      pretrainConfig,
      layers.reduce(overlaid, config.pretrain),
      `the pre-training of arm "${arm.name}" of experiment ${config.name}`,
    ),
  };
}

function finetuneCell(
  config: ExperimentConfig,
  section: Section,
  arm: ExperimentArm,
  {
    seed,
    fraction,
    prepared,
    needs,
  }: { seed: number; fraction: number; prepared: string; needs: string | undefined },
): FinetuneCell {
  const several = config.fractions.length > 1;
  const layers: Section[] = [
    networkPart(config, arm),
    arm.finetune ?? {},
    { seed, data: { prepared, ...(several && { fraction }) } },
  ];
  const settings = checkConfig(
    finetuneConfig,
    layers.reduce(overlaid, section),
    `the fine-tuning of arm "${arm.name}" of experiment ${config.name}`,
  );
  return {
    kind: 'finetune',
    id: slug(
      [arm.name, ...(several ? [`labels ${Math.round(100 * fraction)}`] : []), `seed ${seed}`].join('-'),
    ),
    arm: arm.name,
    row: arm.row ?? arm.name,
    backbone: arm.network,
    seed,
    fraction: settings.data.fraction,
    title: `${arm.name}${several ? `, ${Math.round(100 * fraction)}% of labels` : ''}, seed ${seed}`,
    ...(needs !== undefined && { needs }),
    settings,
  };
}

const networkPart = ({ networks }: ExperimentConfig, { network }: ExperimentArm): Section =>
  network === undefined ? {} : { network: entryOf(networks, network) };

/** What task-specific pre-training may see: the datasets that are fine-tuned on. */
function taskDatasets({ name, finetune }: ExperimentConfig, arm: ExperimentArm): unknown {
  const datasets = datasetsOf(overlaid(finetune ?? {}, arm.finetune ?? {}));
  if (datasets !== undefined) return datasets;
  throw new UsageError(
    `experiment ${name} pre-trains on its task alone, but finetune.data.datasets does not say what that is`,
    {
      field: 'finetune.data.datasets',
    },
  );
}

/** What a section that is not checked yet has under `data.datasets`; undefined where it has nothing there. */
export function datasetsOf({ data }: Section): unknown {
  return typeof data === 'object' && data !== null && 'datasets' in data ? data.datasets : undefined;
}

/** A star means another run, so that it stays in the name of the folder. */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll('*', ' task ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
