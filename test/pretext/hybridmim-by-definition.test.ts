// HybridMIM against the sentences of the paper's section 3, each as plain loops over numbers. Only the network itself is shared: what it
// is given, and what is made of what it gives back, is worked out here.
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, createState, type OutputValues, type Tensor5D, tf } from '../../src/engine/index.js';
import { initialiseParameters, unet } from '../../src/network/index.js';
import { type HybridMimConfig, hybridMim } from '../../src/pretext/index.js';
import { maskedValues, noise } from './one-pass.js';

type Triple = readonly [number, number, number];

const CHANNELS = 2;
const BATCH = 2;
const network = unet({ inChannels: CHANNELS, outChannels: CHANNELS, features: [4, 4, 4, 6, 8, 4], dropout: 0.2 });
const weights = { reconstruction: 1, number: 0.1, location: 0.1, consistency: 0.01, contrast: 0.1 };
const base = { maskRatio: 0.4, weights, temperature: 0.5, contrastDim: 5 } as const;

interface Case {
  readonly title: string;
  /** [D, H, W]: no two sides alike, so that no two axes can be taken for each other. */
  readonly crop: Triple;
  /** Where the target region begins, along each axis, by hand. */
  readonly before: Triple;
  readonly config: HybridMimConfig;
}

const cases: readonly Case[] = [
  {
    title: 'a cell of the latent to a sub-volume',
    crop: [32, 48, 64],
    before: [0, 16, 16],
    config: { ...base, subVolume: 16, patch: 8, region: 16, reconstruction: 'l2', consistency: 'soft' },
  },
  {
    title: 'eight cells to a sub-volume',
    crop: [32, 64, 96],
    before: [0, 16, 32],
    config: { ...base, subVolume: 32, patch: 16, region: 32, reconstruction: 'l1', consistency: 'hard' },
  },
  {
    title: 'eight sub-volumes to a cell',
    crop: [16, 32, 48],
    before: [0, 0, 16],
    config: { ...base, subVolume: 8, patch: 4, region: 16, reconstruction: 'l2', consistency: 'soft' },
  },
];

const LATENT_STRIDE = 16;
const SEED = 9;

/** What the method said, and what the network gives for images that were masked here. */
async function found({ crop, before, config }: Case) {
  const method = hybridMim(network, { size: BATCH, crop, scaledTargets: false }, config);
  const images = noise(BATCH * crop[0] * crop[1] * crop[2] * CHANNELS, 1);
  const fed = method.corruption(5, 0);
  const patchMask = fed.patchMask as Float32Array;
  const masked = maskedValues(patchMask, BATCH, crop, CHANNELS, config.patch);
  const seen = images.map((value, i) => (masked[i] ? 0 : value));
  const after = crop.map((voxels, axis) => voxels - before[axis as 0 | 1 | 2] - config.region) as [number, number, number];
  const initial = initialiseParameters([...network.specs, ...method.heads], 3);
  const state = createState(initial, { engine: 'graph' });
  const shape = [BATCH, ...crop, CHANNELS];
  const step = compile(
    ({ ownMasked, ...inputs }, variables) => {
      const encoded = (training: boolean, dropoutKey: number) => network.encode(ownMasked as Tensor5D, variables, { training, dropoutKey });
      const still = encoded(false, 0);
      const terms = method.losses(inputs, variables, false);
      const training = method.losses(inputs, variables, true);
      const { seen, prediction } = method.reconstruct(inputs, variables);
      return {
        ...terms,
        contrast: training.contrast!,
        trainingTotal: training.total,
        trainingTerms: tf.stack(Object.keys(weights).map((task) => training[task]!)),
        seen: tf.clone(seen),
        filled: tf.clone(prediction),
        latent: tf.clone(still.at(-1)!),
        region: tf.clone(network.decode(still, variables, { training: false, dropoutKey: 0 }, { before, after })),
        firstView: tf.clone(encoded(true, 0).at(-1)!),
        secondView: tf.clone(encoded(true, 1).at(-1)!),
      };
    },
    { name: 'definition', inputs: { ...method.inputs, ownMasked: { shape, dtype: 'float32' } }, state, precision: 'float32' },
  );
  const values = await step.run({ images, ...fed, ownMasked: seen }, SEED);
  state.dispose();
  return { values, images, masked, seen, patchMask, parameters: initial };
}

type Found = Awaited<ReturnType<typeof found>>;
const number = (values: OutputValues, name: string): number => Number(values[name]![0]);

describe.each(cases)('HybridMIM by definition: $title', ({ crop, before, config }) => {
  let run: Found;
  beforeAll(async () => {
    run = await found({ title: '', crop, before, config });
  });
  const { subVolume, patch, region } = config;
  const subVolumes = crop.map((voxels) => voxels / subVolume) as unknown as Triple;
  const side = subVolume / patch;
  const n = side ** 3;

  /** For each item and sub-volume, in raster order: which of its patches, in raster order, are masked. */
  function maskedBySubVolume(): number[][] {
    const patches = crop.map((voxels) => voxels / patch) as unknown as Triple;
    const rows: number[][] = [];
    for (let item = 0; item < BATCH; item++) {
      visit(subVolumes, ([sz, sy, sx]) => {
        const row: number[] = [];
        visit([side, side, side], ([z, y, x]) => {
          const at = ((item * patches[0] + sz * side + z) * patches[1] + sy * side + y) * patches[2] + sx * side + x;
          row.push(run.patchMask[at]!);
        });
        rows.push(row);
      });
    }
    return rows;
  }

  /** For each item and sub-volume: the mean of the latent over the sub-volume's voxels, through a linear layer. */
  function projected(head: string, latent: ArrayLike<number>, out: number): number[][] {
    const channels = network.latentChannels;
    const cells = crop.map((voxels) => voxels / LATENT_STRIDE) as unknown as Triple;
    const rows: number[][] = [];
    for (let item = 0; item < BATCH; item++) {
      visit(subVolumes, (index) => {
        const feature = new Array<number>(channels).fill(0);
        let voxels = 0;
        const step = Math.min(subVolume, LATENT_STRIDE); // no cell and no sub-volume is finer
        visit([subVolume / step, subVolume / step, subVolume / step], (offset) => {
          const cell = index.map((at, axis) => Math.floor((at * subVolume + offset[axis]! * step) / LATENT_STRIDE));
          const start = (((item * cells[0] + cell[0]!) * cells[1] + cell[1]!) * cells[2] + cell[2]!) * channels;
          for (let c = 0; c < channels; c++) feature[c]! += latent[start + c]!;
          voxels++;
        });
        rows.push(
          layer(
            head,
            feature.map((sum) => sum / voxels),
            out,
          ),
        );
      });
    }
    return rows;
  }

  function layer(head: string, feature: readonly number[], out: number): number[] {
    const weight = run.parameters[`pretext.${head}.weight`]!.data;
    const bias = run.parameters[`pretext.${head}.bias`]!.data;
    return Array.from({ length: out }, (_, o) => feature.reduce((sum, value, i) => sum + value * weight[i * out + o]!, bias[o]!));
  }

  it('masks the stated share of the patches, and never lets the network see them', () => {
    const share = run.patchMask.reduce((sum, value) => sum + value, 0) / run.patchMask.length;
    expect(Math.abs(share - config.maskRatio)).toBeLessThanOrEqual(0.5 / (run.patchMask.length / BATCH));
    expect(furthest(run.values.seen!, run.seen)).toBe(0);
  });

  it('reconstructs the masked voxels of the target region and no others (eq. 1)', () => {
    const distance = (a: number, b: number) => (config.reconstruction === 'l2' ? (a - b) ** 2 : Math.abs(a - b));
    let [sum, count] = [0, 0];
    const filled = Float32Array.from(run.seen);
    for (let item = 0; item < BATCH; item++) {
      visit([region, region, region], ([z, y, x]) => {
        for (let c = 0; c < CHANNELS; c++) {
          const inRegion = (((item * region + z) * region + y) * region + x) * CHANNELS + c;
          const inCrop = (((item * crop[0] + z + before[0]) * crop[1] + y + before[1]) * crop[2] + x + before[2]) * CHANNELS + c;
          if (!run.masked[inCrop]) continue;
          sum += distance(run.values.region![inRegion]!, run.images[inCrop]!);
          count++;
          filled[inCrop] = run.values.region![inRegion]!;
        }
      });
    }
    expect(count).toBeGreaterThan(0);
    expect(number(run.values, 'reconstruction')).toBeCloseTo(sum / count, 5);
    expect(furthest(run.values.filled!, filled)).toBeLessThan(1e-6);
  });

  it('predicts how many patches of each sub-volume are masked (eq. 2)', () => {
    const logits = projected('number', run.values.latent!, n + 1);
    const counts = maskedBySubVolume().map(sumOf);
    const losses = logits.map((row, s) => -logSoftmax(row)[counts[s]!]!);
    expect(number(run.values, 'number')).toBeCloseTo(meanOf(losses), 5);
  });

  it('predicts which patches of each sub-volume are masked (eq. 4)', () => {
    const logits = projected('location', run.values.latent!, n);
    const losses = maskedBySubVolume().flatMap((row, s) =>
      row.map((masked, i) => -Math.log(masked ? sigmoid(logits[s]![i]!) : 1 - sigmoid(logits[s]![i]!))),
    );
    expect(number(run.values, 'location')).toBeCloseTo(meanOf(losses), 5);
  });

  it('holds the predicted number to the predicted locations (eq. 5)', () => {
    const numbers = projected('number', run.values.latent!, n + 1);
    const locations = projected('location', run.values.latent!, n);
    const soft = config.consistency === 'soft';
    const counts = locations.map((row) => sumOf(row.map((logit) => (soft ? sigmoid(logit) : Number(sigmoid(logit) > 0.5)))));
    const expected = numbers.map((row) => {
      const probabilities = logSoftmax(row).map(Math.exp);
      return soft ? sumOf(probabilities.map((p, count) => p * count)) : probabilities.indexOf(Math.max(...probabilities));
    });
    const crossEntropy = meanOf(numbers.map((row, s) => -logSoftmax(row)[Math.round(counts[s]!)]!));
    const squared = meanOf(counts.map((count, s) => (count - expected[s]!) ** 2));
    expect(number(run.values, 'consistency')).toBeCloseTo(crossEntropy + squared, 4);
  });

  it('contrasts two dropout views of each masked crop with those of the other crops (eq. 6)', () => {
    const views = [run.values.firstView!, run.values.secondView!].flatMap((latent) => {
      const perItem = latent.length / BATCH;
      return Array.from({ length: BATCH }, (_, item) => {
        const feature = new Array<number>(network.latentChannels).fill(0);
        const cells = perItem / network.latentChannels;
        for (let i = 0; i < perItem; i++) feature[i % network.latentChannels]! += latent[item * perItem + i]! / cells;
        return layer('contrast', feature, config.contrastDim);
      });
    });
    const losses = views.map((view, i) => {
      const partner = (i + BATCH) % views.length;
      const others = views.map((_, j) => j).filter((j) => j !== i);
      const scores = others.map((j) => cosine(view, views[j]!) / config.temperature);
      return -logSoftmax(scores)[others.indexOf(partner)]!;
    });
    expect(cosine(views[0]!, views[BATCH]!)).toBeLessThan(1 - 1e-6);
    expect(number(run.values, 'contrast')).toBeCloseTo(meanOf(losses), 5);
  });

  it('adds the tasks by their weights, and validates without the contrast (eq. 7)', () => {
    const { values } = run;
    const by = (terms: readonly number[]) => sumOf(Object.values(weights).map((weight, i) => weight * (terms[i] ?? 0)));
    const still = ['reconstruction', 'number', 'location', 'consistency'].map((task) => number(values, task));
    expect(number(values, 'total')).toBeCloseTo(by(still), 5);
    expect(number(values, 'trainingTotal')).toBeCloseTo(by(Array.from(values.trainingTerms!)), 5);
    expect(values.trainingTerms![4]).toBe(values.contrast![0]);
  });
});

function visit([depth, height, width]: Triple, what: (index: Triple) => void): void {
  for (let z = 0; z < depth; z++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) what([z, y, x]);
}

/** The largest absolute difference; an infinite one where the lengths differ. */
function furthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(found[i]! - expected[i]!));
  return most;
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const logSoftmax = (row: readonly number[]): number[] => {
  const total = Math.log(sumOf(row.map(Math.exp)));
  return row.map((value) => value - total);
};
const dot = (a: readonly number[], b: readonly number[]): number => sumOf(a.map((value, i) => value * b[i]!));
const cosine = (a: readonly number[], b: readonly number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
