import type { Fingerprint } from './fingerprint.js';
import { voxels } from './fingerprint-text.js';
import type { ProjectPlan } from './plan-project.js';
import { sidedClasses } from './rules/flips.js';
import {
  finetuneLength,
  type Length,
  learningRateFor,
  pretrainLength,
  timeShares,
  warmUpFor,
} from './rules/schedule.js';
import { finetuningOf, pretrainingOf } from './step-settings.js';

/** What a plan takes. */
export interface Expected {
  readonly pretrain: Length;
  readonly finetune?: Length | undefined;
  readonly memoryBytes: number | null;
  readonly diskBytes: number;
}

/** What a plan's runs take, as its steps were measured. */
export function expectedOf({ chosen, limits, labelledTraining, diskBytes }: ProjectPlan): Expected {
  const { pretrain, finetune } = chosen;
  const peaks = [pretrain, finetune].flatMap((step) => step?.peakBytes ?? []);
  return {
    pretrain: pretrainLength(pretrain.seconds, timeShares.pretrain * limits.seconds),
    ...(finetune && {
      finetune: finetuneLength(
        finetune.seconds,
        timeShares.finetune * limits.seconds,
        labelledTraining,
        finetune.batch,
      ),
    }),
    memoryBytes: peaks.length === 0 ? null : Math.max(...peaks),
    diskBytes,
  };
}

/** A value with why it is so. */
export interface Reasoned {
  readonly key: string;
  readonly value: unknown;
  readonly reason: string;
}

/** The configuration of the pre-training, a value at a time. */
export function pretrainReasons(plan: ProjectPlan, { pretrain: length }: Expected): Reasoned[] {
  const { chosen, place, fingerprint, limits, pretraining, heldOut, seed } = plan;
  const { sizes } = chosen;
  const { data, network, method, train } = pretrainingOf(sizes, chosen.pretrain.batch, place);
  const rate = learningRateFor(length.steps);
  const held = heldOut > 0 || fingerprint.labelled === 0;
  return [
    { key: 'seed', value: seed, reason: 'of everything that is drawn' },
    {
      key: 'precision',
      value: 'float32',
      reason: 'bfloat16 is worth a try where "hybridmim doctor" says so',
    },
    { key: 'data.prepared', value: data.prepared, reason: 'where "prepare" writes' },
    { key: 'data.datasets', value: data.datasets, reason: `${pretraining} scans, with and without labels` },
    {
      key: 'data.split',
      value: 'training',
      reason:
        heldOut > 0
          ? `the ${heldOut} labelled scans that are held out never pre-train`
          : fingerprint.labelled === 0
            ? 'a fifth is held out'
            : 'all of them: too few have labels to hold any out',
    },
    { key: 'data.mode', value: 'task-specific', reason: 'a held-out scan under another name is refused' },
    {
      key: 'data.cropSize',
      value: data.cropSize,
      reason: `equally long in mm, at most the paper’s 96^3 voxels (4.3) and the median scan of ${voxels(fingerprint.targetSize)}, in whole sub-volumes`,
    },
    { key: 'data.workers', value: data.workers, reason: 'as many threads make crops as the steps need' },
    { key: 'data.prefetch', value: data.prefetch, reason: 'batches made ahead' },
    { key: 'network.name', value: 'unet', reason: 'learns fastest of the four on few scans' },
    { key: 'network.features', value: sizes.features, reason: widthReason(plan) },
    {
      key: 'network.pools',
      value: sizes.masking.pools,
      reason: `a cell of the latent is ${sizes.masking.patch} voxels, as a patch`,
    },
    { key: 'network.dropout', value: network.dropout, reason: 'the two views of the contrast differ by it' },
    { key: 'method.name', value: 'hybridmim', reason: 'the method of this program' },
    {
      key: 'method.subVolume',
      value: sizes.masking.subVolume,
      reason:
        sizes.masking.subVolume === 32
          ? 'the paper’s 32-16 (4.3): at least two fit along every side'
          : 'half of the paper’s 32-16, of which two would not fit along every side',
    },
    { key: 'method.patch', value: sizes.masking.patch, reason: 'eight to a sub-volume, as in the paper' },
    {
      key: 'method.region',
      value: sizes.region,
      reason: 'two thirds of the shortest side as in the paper (3.2), where that leaves two sub-volumes',
    },
    {
      key: 'method.mask',
      value: 'token',
      reason: 'a learned value; 0 is also a value of the image (docs/results.md)',
    },
    {
      key: 'method.contrastDim',
      value: 'contrastDim' in method ? method.contrastDim : 384,
      reason: 'four a channel, at most the paper’s 384',
    },
    {
      key: 'train.batchSize',
      value: train.batchSize,
      reason: `the paper’s 4 (4.3), halved until ${gib(limits.memoryBytes)} are enough; measured ${peak(chosen.pretrain.peakBytes)}`,
    },
    { key: 'train.steps', value: length.steps, reason: length.reason },
    { key: 'train.warmupSteps', value: warmUpFor(length.steps), reason: 'a twentieth' },
    { key: 'train.learningRate', value: rate.rate, reason: rate.reason },
    {
      key: 'train.checkpointEvery',
      value: everyMinutes(length, 10),
      reason: 'about ten minutes, what a stop may lose',
    },
    {
      key: 'train.validateEvery',
      value: held ? Math.max(1, Math.ceil(length.steps / 10)) : 0,
      reason: held ? 'ten times' : 'nothing is held out',
    },
    { key: 'train.validationBatches', value: 4, reason: 'held-out batches a validation' },
  ];
}

/** The configuration of the fine-tuning. */
export function finetuneReasons(plan: ProjectPlan, length: Length): Reasoned[] {
  const { chosen, place, fingerprint, limits, labelledTraining, heldOut, seed } = plan;
  const { sizes } = chosen;
  const { data, train } = finetuningOf(sizes, chosen.finetune?.batch ?? 1, place);
  const rate = learningRateFor(length.steps);
  const names = Object.values(fingerprint.classes).map(({ name }) => name);
  const sided = sidedClasses(names);
  return [
    { key: 'seed', value: seed, reason: 'of everything that is drawn' },
    { key: 'precision', value: 'float32', reason: 'as in pre-training' },
    { key: 'data.prepared', value: data.prepared, reason: 'where "prepare" writes' },
    {
      key: 'data.datasets',
      value: data.datasets,
      reason: `${labelledTraining} labelled scans train, ${heldOut} are held out`,
    },
    {
      key: 'data.cropSize',
      value: data.cropSize,
      reason: `as in pre-training, in whole cells of the network`,
    },
    {
      key: 'data.foregroundRatio',
      value: 0.5,
      reason: 'half of the crops have a class at their centre, each class as often',
    },
    ...(heldOut === 0
      ? [{ key: 'data.validateOn', value: 'training', reason: 'nothing is held out: too few labels' }]
      : []),
    { key: 'data.workers', value: data.workers, reason: 'as many threads make crops as the steps need' },
    { key: 'data.prefetch', value: data.prefetch, reason: 'batches made ahead' },
    { key: 'network.name', value: 'unet', reason: 'as pre-trained' },
    { key: 'network.features', value: sizes.features, reason: 'as pre-trained' },
    { key: 'network.pools', value: sizes.masking.pools, reason: 'as pre-trained' },
    { key: 'network.dropout', value: 0, reason: 'the contrast alone needed it' },
    {
      key: 'transfer',
      value: 'encoder',
      reason: 'best of what was searched on real patients (docs/results.md)',
    },
    {
      key: 'train.batchSize',
      value: train.batchSize,
      reason: `nnU-Net’s 2, halved until ${gib(limits.memoryBytes)} are enough; measured ${peak(chosen.finetune?.peakBytes ?? null)}`,
    },
    { key: 'train.steps', value: length.steps, reason: length.reason },
    { key: 'train.warmupSteps', value: warmUpFor(length.steps), reason: 'a twentieth' },
    { key: 'train.learningRate', value: rate.rate, reason: rate.reason },
    {
      key: 'train.augmentation',
      value: sided
        ? { flip: 0, rotate: 0, scaleIntensity: 0.1, shiftIntensity: 0.1 }
        : { flip: 0.2, rotate: 0.2, scaleIntensity: 0.1, shiftIntensity: 0.1 },
      reason: sided
        ? `the paper’s (4.3) without flips and rotations: ${sided[0]} and ${sided[1]} differ by their side`
        : 'the paper’s (4.3)',
    },
    {
      key: 'train.checkpointEvery',
      value: everyMinutes(length, 10),
      reason: 'about ten minutes, what a stop may lose',
    },
    validation(plan, length),
    { key: 'inference.window', value: sizes.finetuneCrop, reason: 'as the crops' },
    { key: 'inference.overlap', value: 0.5, reason: 'as nnU-Net and MONAI' },
  ];
}

/** As often as a tenth of the time allows, at most ten times: whole scans are predicted. */
function validation({ chosen, fingerprint, heldOut }: ProjectPlan, { steps, seconds }: Length): Reasoned {
  const { finetune, sizes } = chosen;
  if (heldOut === 0 || !finetune)
    return { key: 'train.validateEvery', value: 0, reason: 'nothing is held out' };
  const windows = [0, 1, 2].reduce((product, axis) => {
    const [size = 1, side = 1] = [fingerprint.targetSize[axis], sizes.finetuneCrop[axis]];
    return product * (size <= side ? 1 : Math.ceil((size - side) / (side / 2)) + 1);
  }, 1);
  // Of a step, the forward pass takes about a third.
  const once = (heldOut * windows * finetune.seconds) / 3 / finetune.batch;
  const times = Math.max(1, Math.min(10, Math.floor((0.1 * seconds) / once)));
  return {
    key: 'train.validateEvery',
    value: Math.max(1, Math.ceil(steps / times)),
    reason:
      times === 1 ? 'once, at the end: whole scans take long' : `${times} times, at most a tenth of the time`,
  };
}

function widthReason({ chosen, limits }: ProjectPlan): string {
  if (chosen.short) return `the narrowest: even so ${limits.hours} h are few steps on this machine`;
  return chosen.width === 64
    ? 'the widest that is planned: memory and hours are enough'
    : `the widest that takes enough steps in ${limits.hours} h and fits in ${gib(limits.memoryBytes)}`;
}

/** Steps in some minutes, at most a quarter of the run. */
const everyMinutes = ({ steps, seconds }: Length, minutes: number): number =>
  Math.max(1, Math.min(Math.ceil(steps / 4), Math.round((60 * minutes * steps) / seconds)));

/** What the dataset index says about preparation. */
export function preparationReasons(fingerprint: Fingerprint): Reasoned[] {
  const { modality, targetSpacing, coarseAxis, windowHu, labelled } = fingerprint;
  const spacing =
    coarseAxis === null
      ? 'the median of each axis'
      : `the median of each axis, along ${'xyz'[coarseAxis]} the 10th percentile: its slices are thick`;
  return [
    { key: 'spacing', value: targetSpacing, reason: spacing },
    ...(modality === 'ct'
      ? [
          { key: 'intensity', value: 'ct-window', reason: 'CT: one window for all scans' },
          {
            key: 'windowHu',
            value: windowHu,
            reason:
              labelled > 0
                ? '0.5th to 99.5th percentile of the voxels within labels'
                : 'the paper’s, since no label says what matters (4.3)',
          },
          {
            key: 'foregroundThreshold',
            value: -500,
            reason: 'the box around the body: half-way from air to tissue',
          },
        ]
      : [
          { key: 'intensity', value: 'z-score', reason: 'MR: its values have no unit' },
          { key: 'foregroundThreshold', value: 0, reason: 'the box around what is not 0' },
        ]),
    {
      key: 'validationShare',
      value: 0.2,
      reason: 'a fifth of the labelled scans is held out, and evaluated',
    },
  ];
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const peak = (bytes: number | null): string => (bytes === null ? 'without memory' : gib(bytes));
