import { itemAt } from '../at.js';
import { type LabelScheme, labelScheme } from '../inference/index.js';
import type { StepOfRun } from '../training/index.js';
import type { Triple } from '../volume/index.js';
import type { Fingerprint } from './fingerprint.js';
import { fewestSteps, timeShares } from './rules/schedule.js';
import {
  cropBudgets,
  finetuningOf,
  type Place,
  pretrainingOf,
  type StepSizes,
  sizesFor,
  widths,
} from './step-settings.js';

/** What the machine gives. */
export interface Limits {
  readonly memoryBytes: number;
  /** Of the largest prepared scan with its label, which fine-tuning holds to validate. */
  readonly scanBytes: number;
  readonly seconds: number;
}

/** A step that was taken on this machine. */
export interface TakenStep {
  readonly seconds: number;
  readonly peakBytes: number | null;
}

/**
 * Takes a step of a run, in less than some memory and time.
 * @returns undefined where it needs more memory, or takes far longer than `seconds`, which may be infinite
 */
export type TakeStep = (
  step: StepOfRun,
  limits: { readonly memoryBytes: number; readonly seconds: number },
) => Promise<TakenStep | undefined>;

/** The step of one kind of run: its crop and batch, as they were measured. */
export interface ChosenKind extends TakenStep {
  readonly crop: Triple;
  readonly batch: number;
}

/** What was chosen, and its steps as they were measured. */
export interface ChosenStep {
  /** Channels of the network's first level. */
  readonly width: number;
  readonly sizes: StepSizes;
  readonly pretrain: ChosenKind;
  /** Absent where nothing is labelled. */
  readonly finetune?: ChosenKind | undefined;
  /** The hours are too few for even the smallest step to be taken often enough. */
  readonly short: boolean;
}

/** Batches from the one to begin with: the paper's 4, nnU-Net's 2. Contrast needs two crops. */
const batchesOf = { pretrain: [4, 2], finetune: [2, 1] } as const;
type Kind = keyof typeof batchesOf;

/**
 * The widest network whose steps fit in memory and can be taken often enough, with the largest batch that
 * fits: the batch is halved first, then the network is narrower. Where the narrowest does not fit either, crops
 * are smaller, of pre-training and of fine-tuning each by itself. Narrow networks are measured first, since
 * they take least time.
 * @returns undefined where nothing fits
 */
export async function chooseStep(
  fingerprint: Fingerprint,
  limits: Limits,
  place: Place,
  take: TakeStep,
): Promise<ChosenStep | undefined> {
  const search = { fingerprint, limits, place, take, scheme: schemeOf(fingerprint) };
  let best: ChosenStep | undefined;
  for (const [i, width] of widths.entries()) {
    const [largest = 0] = cropBudgets;
    const found = await ofWidth(search, width, i === 0 ? cropBudgets : [largest]);
    if (!found || (found.short && best)) break;
    best = found;
    if (found.short || !hasLargestCrops(found, fingerprint)) break;
  }
  return best;
}

interface Search {
  readonly fingerprint: Fingerprint;
  readonly limits: Limits;
  readonly place: Place;
  readonly take: TakeStep;
  readonly scheme: LabelScheme | undefined;
}

const schemeOf = ({ classes, labelled }: Fingerprint): LabelScheme | undefined =>
  labelled === 0
    ? undefined
    : labelScheme(Object.fromEntries(Object.entries(classes).map(([value, { name }]) => [value, name])));

async function ofWidth(
  search: Search,
  width: number,
  budgets: readonly number[],
): Promise<ChosenStep | undefined> {
  const { fingerprint, scheme } = search;
  const pretrain = await firstThatFits(search, 'pretrain', width, budgets);
  if (!pretrain) return undefined;
  const finetune = scheme && (await firstThatFits(search, 'finetune', width, budgets));
  if (scheme && !finetune) return undefined;
  const [ofPretraining, ofFinetuning] = [
    sizesFor(fingerprint, pretrain.budget, width),
    sizesFor(fingerprint, finetune?.budget ?? pretrain.budget, width),
  ];
  return {
    width,
    sizes: { ...ofPretraining, finetuneCrop: ofFinetuning.finetuneCrop },
    pretrain: pretrain.step,
    ...(finetune && { finetune: finetune.step }),
    short: pretrain.slow || finetune?.slow === true,
  };
}

/** Whether no crop had to be made smaller: only then a wider network is tried. */
function hasLargestCrops({ sizes, width }: ChosenStep, fingerprint: Fingerprint): boolean {
  const { pretrainCrop, finetuneCrop } = sizesFor(fingerprint, cropBudgets[0] ?? 0, width);
  return String([pretrainCrop, finetuneCrop]) === String([sizes.pretrainCrop, sizes.finetuneCrop]);
}

const cropOf = (sizes: StepSizes, kind: Kind): Triple =>
  kind === 'pretrain' ? sizes.pretrainCrop : sizes.finetuneCrop;

/** Steps may be so many times quicker than their voxels say, since small ones fit in caches. */
const quickerThanVoxels = 3;

/** Whether a step will be too slow by its voxels and a larger one that was taken: measuring it tells nothing. */
function isHopeless(
  { seconds, crop, batch }: ChosenKind,
  smaller: Pick<ChosenKind, 'crop' | 'batch'>,
  most: number,
): boolean {
  const voxels = (of: Triple) => of[0] * of[1] * of[2];
  const share = (voxels(smaller.crop) * smaller.batch) / (voxels(crop) * batch);
  return (seconds * share) / quickerThanVoxels > most;
}

/** The first batch and crop, the largest first, that fits in memory and time; else the last that fits in memory. */
async function firstThatFits(
  { fingerprint, limits, place, take, scheme }: Search,
  kind: Kind,
  width: number,
  budgets: readonly number[],
): Promise<{ budget: number; step: ChosenKind; slow: boolean } | undefined> {
  const memoryBytes = limits.memoryBytes - (kind === 'finetune' ? limits.scanBytes : 0);
  const seconds = (timeShares[kind] * limits.seconds) / fewestSteps[kind];
  const tried = new Set<string>();
  const smallest = cropOf(sizesFor(fingerprint, itemAt(budgets, budgets.length - 1), width), kind);
  let slow: { budget: number; step: ChosenKind } | undefined;
  for (const budget of budgets) {
    const sizes = sizesFor(fingerprint, budget, width);
    const crop = cropOf(sizes, kind);
    // The masking, and with it the network, is that of the largest crop.
    if (tried.has(String(crop))) continue;
    tried.add(String(crop));
    for (const batch of budget === budgets[0] ? batchesOf[kind] : batchesOf[kind].slice(-1)) {
      const isLast = String(crop) === String(smallest) && batch === batchesOf[kind].at(-1);
      if (slow && !isLast && isHopeless(slow.step, { crop, batch }, seconds)) continue;
      const { channels } = fingerprint;
      const step: StepOfRun =
        kind === 'pretrain' || !scheme
          ? { kind: 'pretrain', channels, settings: pretrainingOf(sizes, batch, place) }
          : { kind: 'finetune', channels, scheme, settings: finetuningOf(sizes, batch, place) };
      // Where nothing smaller is left, a step that is too slow is still better than no plan.
      const patience = isLast && width === widths[0] ? Number.POSITIVE_INFINITY : seconds;
      const taken = await take(step, { memoryBytes, seconds: patience });
      if (!taken) continue;
      const chosen = { ...taken, crop, batch };
      if (taken.seconds <= seconds) return { budget, step: chosen, slow: false };
      slow = { budget, step: chosen };
    }
  }
  return slow && { ...slow, slow: true };
}
