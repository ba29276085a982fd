import { itemAt } from '../at.js';
import type { RandomStream } from '../random/streams.js';
import type { Crop } from './crop.js';
import { randomFlips } from './flip.js';
import { inPainting } from './in-painting.js';
import { localShuffling } from './local-shuffling.js';
import { drawIntensityCurve, nonlinearIntensity } from './nonlinear-intensity.js';
import { outPainting } from './out-painting.js';
import { type SpareArrays, spareArrays } from './spare-arrays.js';

/** Probabilities of Models Genesis's corruptions, each drawn on its own, in this order. */
export interface ModelsGenesisRecipe {
  readonly name: 'models-genesis';
  /** Of a flip, and of another one after it, up to three. The paper's 0.4. */
  readonly flip: number;
  /** The paper's 0.5. */
  readonly shuffle: number;
  /** The paper's 0.9. */
  readonly nonlinear: number;
  /** Of in- or out-painting. The paper's 0.9. */
  readonly paint: number;
  /** Of in-painting, where there is painting. The paper's 0.2. */
  readonly inPaint: number;
}

/**
 * TransVW's: one of shuffling, non-linear intensity,
 * in-painting and out-painting, each as likely as the others.
 */
export interface TransVwRecipe {
  readonly name: 'transvw';
}

/** How crops are corrupted. */
export type CorruptionRecipe = ModelsGenesisRecipe | TransVwRecipe;

/** What was done to a crop. */
export type CorruptionStep = 'shuffle' | 'nonlinear' | 'in-paint' | 'out-paint';

/** A crop before and after, and what was done to it. */
export interface CorruptedCrop {
  /** The target: the crop, flipped where the recipe flips. */
  readonly image: Crop;
  /** What the network sees. */
  readonly corrupted: Crop;
  readonly steps: readonly CorruptionStep[];
}

/**
 * A crop corrupted as the recipe says; every draw is the stream's. The crop itself is left as it is.
 * @param spare where the arrays of the result come from, and those that are needed on the way go back to
 */
export function corrupt(
  crop: Crop,
  recipe: CorruptionRecipe,
  stream: RandomStream,
  spare: SpareArrays = spareArrays(crop.data.length),
): CorruptedCrop {
  const image = recipe.name === 'models-genesis' ? randomFlips(crop, recipe.flip, stream, spare) : crop;
  const steps = drawSteps(recipe, stream);
  let corrupted = image;
  for (const step of steps) {
    const before = corrupted;
    corrupted = corruptions[step](before, stream, spare);
    if (before !== image) spare.giveBack(before.data);
  }
  return { image, corrupted, steps };
}

/** Which corruptions a crop gets, in their order. */
export function drawSteps(recipe: CorruptionRecipe, stream: RandomStream): CorruptionStep[] {
  if (recipe.name === 'transvw') return [itemAt(kinds, stream.integer(kinds.length))];
  const { shuffle, nonlinear, paint, inPaint } = recipe;
  const [shuffles, bends, paints, inside] = [shuffle, nonlinear, paint, inPaint].map(
    (probability) => stream.uniform() < probability,
  );
  const drawn: Readonly<Record<CorruptionStep, boolean | undefined>> = {
    shuffle: shuffles,
    nonlinear: bends,
    'in-paint': paints && inside,
    'out-paint': paints && !inside,
  };
  return kinds.filter((kind) => drawn[kind]);
}

const kinds = ['shuffle', 'nonlinear', 'in-paint', 'out-paint'] as const;

const corruptions: Readonly<
  Record<CorruptionStep, (crop: Crop, stream: RandomStream, spare: SpareArrays) => Crop>
> = {
  shuffle: localShuffling,
  nonlinear: (crop, stream, spare) => nonlinearIntensity(crop, drawIntensityCurve(stream), spare),
  'in-paint': inPainting,
  'out-paint': outPainting,
};
