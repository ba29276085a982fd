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
  /** The rows that start from it; without fine-tuning, those that it is of. */
  readonly rows: readonly string[];
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
  readonly evaluated: EvaluatedWeights;
  readonly settings: FinetuneConfig;
}

/** What of a fine-tuning is reported: which of its weights, on which cases. */
export interface EvaluatedWeights {
  readonly split: 'validation' | 'test';
  readonly checkpoint: 'last' | 'best';
}

export type Cell = PretrainCell | FinetuneCell;

/**
 * The runs of an experiment, every pre-training before what needs it, with their settings as resolved.
 * @param prepared folder of the prepared set, which every run reads
 * @throws UsageError when a section does not pass its schema, two arms have one name, the picture or
 *   `compare` names none, or the best weights are to be evaluated on the cases that choose them
 */
export function planCells(config: ExperimentConfig, prepared: string): Cell[] {
  const { mode } = config;
  const ownMode = (arm: ExperimentArm) => (mode !== undefined && isPretrained(arm) ? { mode, ...arm } : arm);
  const arms = [...config.arms.map(ownMode), ...matrixArms(config)];
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
  const strange = config.picture?.find((name) => !arms.some((arm) => arm.name === name || arm.row === name));
  if (strange !== undefined) {
    const known = [...new Set(arms.map((arm) => arm.row ?? arm.name))];
    throw new UsageError(
      `experiment ${config.name} has no row "${strange}" for its picture; it has ${known.join(', ')}`,
      { field: 'picture', found: strange, expected: known },
    );
  }
  const cells = new Map<string, Cell>();
  for (const seed of config.seeds) {
    for (const arm of arms) {
      const pretraining = isPretrained(arm) ? pretrainCell(config, arm, seed, prepared) : undefined;
      if (pretraining) cells.set(pretraining.id, joined(pretraining, cells.get(pretraining.id)));
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

/** A pre-training with the rows of those before that are the same one. */
function joined(cell: PretrainCell, same: Cell | undefined): PretrainCell {
  const rows = same?.kind === 'pretrain' ? same.rows : [];
  return { ...cell, rows: [...new Set([...rows, ...cell.rows])] };
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
  const ownTask = arm.mode === 'task-specific' && datasetsOf(arm.finetune ?? {}) !== undefined;
  const parts =
    arm.pretrain || ownTask
      ? [arm.name]
      : [arm.method, arm.network, arm.mode === 'task-specific' ? 'task' : undefined];
  const what = parts.filter((part) => part !== undefined);
  const section = layers.reduce(overlaid, config.pretrain);
  const settings = checkConfig(
    pretrainConfig,
    section,
    `the pre-training of arm "${arm.name}" of experiment ${config.name}`,
  );
  return {
    kind: 'pretrain',
    rows: [arm.row ?? arm.name],
    id: slug(['pretrain', ...what, `seed-${seed}`].join('-')),
    seed,
    title: `pre-training${what.length > 0 ? ` ${what.join(' ')}` : ''}, seed ${seed}`,
    settings: givenIn(section, 'split') === undefined ? wholeCollections(config, settings) : settings,
  };
}

/**
 * The settings, from all cases of collections that nothing of the experiment holds out: without validation, a
 * drawn share of them would be lost. What is fine-tuned on, and so evaluated, stays with its training split.
 */
function wholeCollections(config: ExperimentConfig, settings: PretrainConfig): PretrainConfig {
  const { data, train } = settings;
  const own = fineTunedDatasets(config);
  const apart =
    own.length === 0 || (own !== 'all' && (data.datasets?.every((name) => !own.includes(name)) ?? false));
  if (!apart || train.validateEvery > 0 || data.mode === 'task-specific') return settings;
  return { ...settings, data: { ...data, split: 'all' } };
}

/** Names of the datasets that any arm is fine-tuned on; `all` where one does not name its own. */
function fineTunedDatasets({ finetune, arms }: ExperimentConfig): readonly string[] | 'all' {
  if (!finetune) return [];
  const named: string[] = [];
  for (const part of [{}, ...arms.map(({ finetune: of }) => of ?? {})]) {
    const datasets = datasetsOf(overlaid(finetune, part));
    if (!Array.isArray(datasets)) return 'all';
    named.push(...datasets.map(String));
  }
  return named;
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
  // Where `fractions` says nothing but its default, `finetune.data.fraction` may say it.
  const isGiven = config.fractions.length > 1 || fraction !== 1;
  const layers: Section[] = [
    networkPart(config, arm),
    arm.finetune ?? {},
    { seed, data: { prepared, ...(isGiven && { fraction }) } },
  ];
  const settings = checkConfig(
    finetuneConfig,
    layers.reduce(overlaid, section),
    `the fine-tuning of arm "${arm.name}" of experiment ${config.name}`,
  );
  refuseChosenOnReported(config, settings, arm.name);
  return {
    kind: 'finetune',
    id: slug(
      [arm.name, ...(isGiven ? [`labels ${Math.round(100 * fraction)}`] : []), `seed ${seed}`].join('-'),
    ),
    arm: arm.name,
    row: arm.row ?? arm.name,
    backbone: arm.network,
    seed,
    fraction: settings.data.fraction,
    title: `${arm.name}${isGiven ? `, ${Math.round(100 * fraction)}% of labels` : ''}, seed ${seed}`,
    ...(needs !== undefined && { needs }),
    evaluated: { split: config.evaluate, checkpoint: config.checkpoint },
    settings,
  };
}

/** The best weights of a run are best on the cases that validated it: those must not be the reported ones. */
function refuseChosenOnReported(
  { name, evaluate, checkpoint }: ExperimentConfig,
  { data, train }: FinetuneConfig,
  arm: string,
): void {
  if (checkpoint === 'last') return;
  const refused = (why: string) =>
    new UsageError(
      `experiment ${name} evaluates the best weights of arm "${arm}", but ${why}: set checkpoint to last, or let other ` +
        'cases choose (evaluate: test, or finetune.data.validateOn: training)',
      { field: 'checkpoint', found: checkpoint },
    );
  if (train.validateEvery === 0) throw refused('nothing chooses them, since train.validateEvery is 0');
  if (data.validateOn === evaluate)
    throw refused(`the ${evaluate} cases would choose them, which are those that it reports`);
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
export const datasetsOf = (section: Section): unknown => givenIn(section, 'datasets');

/** The same for any key of `data`. */
function givenIn({ data }: Section, key: string): unknown {
  const given = typeof data === 'object' && data !== null ? Object.entries(data) : [];
  return given.find(([name]) => name === key)?.[1];
}

/** A star means another run, so that it stays in the name of the folder. */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll('*', ' task ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
