// HybridMIM against the sentences of the paper's section 3, each as plain loops over numbers. The network says what it is told to: what
// it is given, and what is made of what it gives back, is worked out here.
import { beforeAll, describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { type HybridMimConfig, hybridMim } from '../../src/pretext/index.js';
import {
  averagedOverSpace,
  cosine,
  divided,
  furthest,
  linearLayer,
  logSoftmax,
  maskedValues,
  meanOf,
  noise,
  scaledTarget,
  sigmoid,
  sumOf,
  type Triple,
  visit,
} from './plain-loops.js';
import { headsOf, listenedTo, scriptedNetwork } from './scripted-network.js';

const CHANNELS = 2;
const BATCH = 3;
const LATENT = 5;
const STRIDE = 4;
const weights = { reconstruction: 0.7, number: 0.1, location: 0.2, consistency: 0.01, contrast: 0.3 };
const base = {
  maskRatio: 0.4,
  weights,
  temperature: 0.5,
  subVolumeFeatures: 'cells',
  mask: 'zero',
  output: 'linear',
  contrastFeatures: 'mean',
  contrastDim: 6,
} as const;
const settings = { channels: CHANNELS, latentChannels: LATENT, latentStride: STRIDE };

interface Case {
  readonly title: string;
  /** [D, H, W]: no two sides alike, so that no two axes can be taken for each other. */
  readonly crop: Triple;
  /** Where the target region begins, along each axis, by hand: half of the spare voxels, rounded down to whole cells of 4. */
  readonly before: Triple;
  readonly config: HybridMimConfig;
}

const cases: readonly Case[] = [
  {
    title: 'a cell of the latent to a sub-volume',
    crop: [8, 12, 16],
    before: [0, 4, 4],
    config: { ...base, subVolume: 4, patch: 2, region: 4, reconstruction: 'l2', consistency: 'soft' },
  },
  {
    title: 'eight cells to a sub-volume, of 64 patches',
    crop: [8, 16, 24],
    before: [0, 4, 8],
    config: { ...base, subVolume: 8, patch: 2, region: 8, reconstruction: 'l1', consistency: 'hard' },
  },
  {
    title: 'eight cells to a sub-volume as the authors take them: averaged, and decoded through a sigmoid',
    crop: [8, 16, 24],
    before: [0, 4, 8],
    config: {
      ...base,
      subVolume: 8,
      patch: 4,
      region: 8,
      reconstruction: 'l2',
      consistency: 'soft',
      subVolumeFeatures: 'mean',
      output: 'sigmoid',
    },
  },
  {
    title: 'masked voxels of a learned value, and crops contrasted by the means of their octants',
    crop: [8, 12, 16],
    before: [0, 4, 4],
    config: {
      ...base,
      subVolume: 4,
      patch: 2,
      region: 4,
      reconstruction: 'l2',
      consistency: 'soft',
      mask: 'token',
      contrastFeatures: 'octants',
    },
  },
];

/** A method on fixed inputs: its losses and its reconstruction, each with what its network heard and said meanwhile. */
function setUp({ crop, config }: Pick<Case, 'crop' | 'config'>, scales: Record<string, Float32Array> = {}) {
  const script = scriptedNetwork(settings);
  const method = hybridMim(
    script.network,
    { size: BATCH, crop, scaledTargets: Object.keys(scales).length > 0 },
    config,
  );
  const images = noise(BATCH * crop[0] * crop[1] * crop[2] * CHANNELS, 1).map((value, i) =>
    i % 7 === 0 ? 0 : value + 0.1,
  ); // some air
  const corruption = method.corruption(5, 0);
  const heads = headsOf(method.heads);
  const token = heads['pretext.mask_token'];
  const values = { images, ...corruption, ...scales };
  const patchMask = corruption.patchMask as Float32Array;
  const masked = maskedValues(patchMask, BATCH, crop, CHANNELS, config.patch);
  return {
    images,
    patchMask,
    masked,
    heads,
    seen: images.map((value, i) => (masked[i] ? (token?.data[i % CHANNELS] ?? 0) : value)),
    ...listenedTo(script, method, values, heads),
  };
}

/** All three of them. */
function wholeRun(the: Case) {
  const run = setUp(the);
  return { ...run, training: run.losses(true), validation: run.losses(false), picture: run.reconstruct() };
}

type Run = ReturnType<typeof wholeRun>;

/** The images with masked voxels black, as pictures show them. */
const visibleOf = ({ images, masked }: Run): Float32Array =>
  images.map((value, i) => (masked[i] ? 0 : value));

const term = ({ terms }: Run['training'], name: string): number => Number(terms[name]?.[0]);

/** Values of the target region, [B, r, r, r, C], by their places in the crop. */
function inRegion(
  { crop, before, config: { region } }: Case,
  what: (inCrop: number, inRegion: number) => void,
): void {
  for (let item = 0; item < BATCH; item++) {
    visit([region, region, region], ([z, y, x]) => {
      for (let c = 0; c < CHANNELS; c++) {
        const there =
          (((item * crop[0] + z + before[0]) * crop[1] + y + before[1]) * crop[2] + x + before[2]) *
            CHANNELS +
          c;
        what(there, (((item * region + z) * region + y) * region + x) * CHANNELS + c);
      }
    });
  }
}

/** What the decoder's value stands for. */
const said = ({ config: { output } }: Case, logit: number): number =>
  output === 'sigmoid' ? sigmoid(logit) : logit;

/** Mean distance over masked values of the target region between what the decoder said and `target` (eq. 1). */
function reconstructionBy(
  the: Case,
  { masked }: Pick<Run, 'masked'>,
  training: Run['training'],
  target: ArrayLike<number>,
): number {
  const errors: number[] = [];
  inRegion(the, (at, inside) => {
    const difference = said(the, training.decoded[0]!.logits[inside]!) - target[at]!;
    if (masked[at]) errors.push(the.config.reconstruction === 'l2' ? difference ** 2 : Math.abs(difference));
  });
  expect(errors.length).toBeGreaterThan(0);
  return meanOf(errors);
}

describe.each(cases)('HybridMIM by definition: $title', (the) => {
  const { crop, before, config } = the;
  const { subVolume, patch, region } = config;
  const subVolumes = divided(crop, subVolume);
  const side = subVolume / patch;
  const n = side ** 3;
  let run: Run;
  beforeAll(() => {
    run = wholeRun(the);
  });

  /** For each item and sub-volume, in raster order: which of its patches, in raster order, are masked. */
  function maskedBySubVolume(): number[][] {
    const patches = divided(crop, patch);
    const rows: number[][] = [];
    for (let item = 0; item < BATCH; item++) {
      visit(subVolumes, ([sz, sy, sx]) => {
        const row: number[] = [];
        visit([side, side, side], ([z, y, x]) => {
          const at =
            ((item * patches[0] + sz * side + z) * patches[1] + sy * side + y) * patches[2] + sx * side + x;
          row.push(run.patchMask[at]!);
        });
        rows.push(row);
      });
    }
    return rows;
  }

  /** For each item and sub-volume: the latent's cells that lie in it, side by side in raster order or averaged, through a linear layer. */
  function projected(head: string): number[][] {
    const latent = run.training.encoded[0]!.levels.at(-1)!;
    const cells = divided(crop, STRIDE);
    const side = subVolume / STRIDE;
    const rows: number[][] = [];
    for (let item = 0; item < BATCH; item++) {
      visit(subVolumes, (index) => {
        const features: number[][] = [];
        visit([side, side, side], (offset) => {
          const cell = index.map((at, axis) => at * side + offset[axis]!);
          const start = (((item * cells[0] + cell[0]!) * cells[1] + cell[1]!) * cells[2] + cell[2]!) * LATENT;
          features.push(Array.from(latent.subarray(start, start + LATENT)));
        });
        const mean = Array.from({ length: LATENT }, (_, c) => meanOf(features.map((feature) => feature[c]!)));
        rows.push(layer(head, config.subVolumeFeatures === 'mean' ? mean : features.flat()));
      });
    }
    return rows;
  }

  /** What the contrast takes of each item's latent. */
  function contrasted(latent: Float32Array): number[][] {
    if (config.contrastFeatures === 'mean') return averagedOverSpace(latent, BATCH, LATENT);
    const cells = divided(crop, STRIDE);
    const [depth, height, width] = cells;
    return Array.from({ length: BATCH }, (_, item) => {
      const octants = new Map<string, number[][]>();
      visit(cells, (cell) => {
        // The first half of an odd number of cells has one less; one cell is a half by itself.
        const octant = cell.map((at, axis) => Number(at >= Math.floor(cells[axis]! / 2))).join('');
        const start = (((item * depth + cell[0]) * height + cell[1]) * width + cell[2]) * LATENT;
        octants.set(octant, [
          ...(octants.get(octant) ?? []),
          Array.from(latent.subarray(start, start + LATENT)),
        ]);
      });
      return [...octants.keys()]
        .toSorted()
        .flatMap((octant) =>
          Array.from({ length: LATENT }, (_, c) =>
            meanOf(octants.get(octant)!.map((feature) => feature[c]!)),
          ),
        );
    });
  }

  const layer = (head: string, feature: readonly number[]) =>
    linearLayer(feature, run.heads[`pretext.${head}.weight`]!.data, run.heads[`pretext.${head}.bias`]!.data);

  it('masks the stated share of the patches, and never lets the network see them (3.1)', () => {
    const perItem = run.patchMask.length / BATCH;
    for (let item = 0; item < BATCH; item++) {
      expect(sumOf(Array.from(run.patchMask.subarray(item * perItem, (item + 1) * perItem)))).toBe(
        Math.round(0.4 * perItem),
      );
    }
    const calls = [...run.training.encoded, ...run.validation.encoded, ...run.picture.encoded];
    expect(calls).toHaveLength(4);
    for (const { shape, images, masked } of calls) {
      expect(shape).toEqual([BATCH, ...crop, CHANNELS]);
      expect(furthest(images, run.seen)).toBe(0);
      const ofVoxels = run.masked.filter((_, i) => i % CHANNELS === 0).map(Number); // for networks of tokens, which mask those too
      if (config.mask === 'token') expect(masked).toBeUndefined();
      else expect(furthest(masked!, ofVoxels)).toBe(0);
    }
    expect(furthest(run.picture.terms.seen!, visibleOf(run))).toBe(0);
    expect(furthest(run.picture.terms.target!, run.images)).toBe(0);
  });

  it('decodes the target region alone, from all levels of its first pass (3.2)', () => {
    const calls = [
      [run.training, true],
      [run.validation, false],
      [run.picture, false],
    ] as const;
    for (const [{ encoded, decoded }, training] of calls) {
      expect(decoded).toHaveLength(1);
      expect(decoded[0]).toMatchObject({
        training,
        before,
        after: crop.map((voxels, axis) => voxels - before[axis]! - region),
      });
      expect(decoded[0]!.dropoutKey).toBe(encoded[0]!.dropoutKey);
      expect(decoded[0]!.levels).toEqual(encoded[0]!.levels);
    }
  });

  it('reconstructs the masked voxels of the target region and no others (eq. 1)', () => {
    expect(term(run.training, 'reconstruction')).toBeCloseTo(
      reconstructionBy(the, run, run.training, run.images),
      5,
    );
    const filled = visibleOf(run);
    inRegion(the, (at, inside) => {
      if (run.masked[at]) filled[at] = said(the, run.picture.decoded[0]!.logits[inside]!);
    });
    expect(furthest(run.picture.terms.prediction!, filled)).toBeLessThan(1e-6);
  });

  it('predicts how many patches of each sub-volume are masked (eq. 2)', () => {
    const counts = maskedBySubVolume().map(sumOf);
    const losses = projected('number').map((row, s) => -logSoftmax(row)[counts[s]!]!);
    expect(run.heads['pretext.number.bias']!.shape).toEqual([n + 1]);
    expect(term(run.training, 'number')).toBeCloseTo(meanOf(losses), 5);
  });

  it('predicts which patches of each sub-volume are masked (eq. 4)', () => {
    const logits = projected('location');
    const losses = maskedBySubVolume().flatMap((row, s) =>
      row.map((masked, i) => -Math.log(masked ? sigmoid(logits[s]![i]!) : 1 - sigmoid(logits[s]![i]!))),
    );
    expect(run.heads['pretext.location.bias']!.shape).toEqual([n]);
    expect(term(run.training, 'location')).toBeCloseTo(meanOf(losses), 5);
  });

  it('holds the predicted number to the predicted locations (eq. 5)', () => {
    const numbers = projected('number');
    const soft = config.consistency === 'soft';
    const counts = projected('location').map((row) =>
      sumOf(row.map((logit) => (soft ? sigmoid(logit) : Number(sigmoid(logit) > 0.5)))),
    );
    const expected = numbers.map((row) => {
      const probabilities = logSoftmax(row).map(Math.exp);
      return soft
        ? sumOf(probabilities.map((p, count) => p * count))
        : probabilities.indexOf(Math.max(...probabilities));
    });
    const crossEntropy = meanOf(numbers.map((row, s) => -logSoftmax(row)[Math.round(counts[s]!)]!));
    const squared = meanOf(counts.map((count, s) => (count - expected[s]!) ** 2));
    expect(Math.abs(term(run.training, 'consistency') / (crossEntropy + squared) - 1)).toBeLessThan(1e-5);
  });

  it('contrasts two dropout views of each masked crop with those of the other crops (eq. 6)', () => {
    const [first, second] = run.training.encoded;
    expect(second!.dropoutKey).not.toBe(first!.dropoutKey);
    expect([first!.training, second!.training]).toEqual([true, true]);
    const views = [first, second].flatMap((pass) =>
      contrasted(pass!.levels.at(-1)!).map((feature) => layer('contrast', feature)),
    );
    const losses = views.map((view, i) => {
      const partner = (i + BATCH) % views.length;
      const others = views.map((_, j) => j).filter((j) => j !== i);
      const scores = others.map((j) => cosine(view, views[j]!) / config.temperature);
      return -logSoftmax(scores)[others.indexOf(partner)]!;
    });
    expect(run.heads['pretext.contrast.bias']!.shape).toEqual([config.contrastDim]);
    expect(term(run.training, 'contrast')).toBeCloseTo(meanOf(losses), 5);
  });

  it('adds the tasks by their weights, and validates without dropout and contrast (eq. 7)', () => {
    const by = (tasks: readonly (keyof typeof weights)[], of: Run['training']) =>
      sumOf(tasks.map((task) => weights[task] * term(of, task)));
    const still = ['reconstruction', 'number', 'location', 'consistency'] as const;
    expect(term(run.training, 'total')).toBeCloseTo(by([...still, 'contrast'], run.training), 4);
    expect(term(run.validation, 'total')).toBeCloseTo(by(still, run.validation), 4);
    expect(Object.keys(run.validation.terms).sort()).toEqual([...still, 'total'].sort());
    expect(run.validation.encoded.map(({ training }) => training)).toEqual([false]);
    expect(run.picture.encoded.map(({ training }) => training)).toEqual([false]);
  });

  it('has its name, and a head for each task of the latent', () => {
    const { network } = scriptedNetwork(settings);
    const { name, heads } = hybridMim(network, { size: BATCH, crop, scaledTargets: false }, config);
    expect(name).toBe('hybridmim');
    const ofSubVolume = LATENT * (config.subVolumeFeatures === 'mean' ? 1 : (subVolume / STRIDE) ** 3);
    const octants = divided(crop, STRIDE).reduce((product, cells) => product * Math.min(2, cells), 1);
    const shapes = {
      number: [ofSubVolume, n + 1],
      location: [ofSubVolume, n],
      contrast: [LATENT * (config.contrastFeatures === 'octants' ? octants : 1), config.contrastDim],
    };
    const expected: [string, number[]][] = Object.entries(shapes).flatMap(([head, [from, to]]) => [
      [`pretext.${head}.weight`, [from!, to!]],
      [`pretext.${head}.bias`, [to!]],
    ]);
    if (config.mask === 'token') expected.push(['pretext.mask_token', [CHANNELS]]);
    expect(heads.map(({ name, shape }) => [name, shape])).toEqual(expected);
  });
});

describe('HybridMIM with tasks switched off', () => {
  const the = cases[0]!;
  const none = { reconstruction: 0, number: 0, location: 0, consistency: 0, contrast: 0 };

  it.each([
    ['reconstruction', [], 1, 1],
    ['number', ['number'], 1, 0],
    ['location', ['location'], 1, 0],
    ['consistency', ['number', 'location'], 1, 0],
    ['contrast', ['contrast'], 2, 0],
  ] as const)(
    'computes for %s alone what that needs: heads %j, encoder %i times, decoder %i times',
    (task, heads, encodes, decodes) => {
      const run = setUp({ ...the, config: { ...the.config, weights: { ...none, [task]: 0.5 } } });
      const training = run.losses(true);
      expect(Object.keys(run.heads)).toEqual(
        heads.flatMap((head) => [`pretext.${head}.weight`, `pretext.${head}.bias`]),
      );
      expect(Object.keys(training.terms)).toEqual(['total', task]);
      expect([training.encoded.length, training.decoded.length]).toEqual([encodes, decodes]);
      expect(term(training, 'total')).toBeCloseTo(0.5 * term(training, task), 5);
    },
  );

  it('refuses to validate where contrast alone is left, which validation leaves out', () => {
    const { losses } = setUp({ ...the, config: { ...the.config, weights: { ...none, contrast: 1 } } });
    expect(() => losses(false)).toThrow(
      'every weight in method.weights but contrast is 0, and held-out losses leave contrast out: set another one above 0, or train.validateEvery to 0',
    );
  });
});

it('reconstructs MR on the scale that it is fed, background left at 0', () => {
  const the = cases[0]!;
  const scales = {
    targetScale: Float32Array.of(0.5, 0.2, 0.3, 0.4, 1.5, 0.6),
    targetShift: Float32Array.of(0.1, 0.6, 0.2, 0.3, -0.2, 0.5),
  };
  const run = setUp(the, scales);
  const training = run.losses(true);
  const target = scaledTarget(run.images, BATCH, CHANNELS, scales.targetScale, scales.targetShift);
  expect(term(training, 'reconstruction')).toBeCloseTo(reconstructionBy(the, run, training, target), 5);
});

describe('HybridMIM refuses', () => {
  const { crop, config } = cases[0]!;
  const made = (batch: object, settingsOf: object, configOf: object) => () =>
    hybridMim(
      scriptedNetwork({ ...settings, ...settingsOf }).network,
      { size: 2, crop, scaledTargets: false, ...batch },
      { ...config, ...configOf },
    );
  const without = { ...weights, contrast: 0 };

  it('a batch that has no negatives, unless nothing is contrasted', () => {
    const message =
      'train.batchSize is 1, but the contrastive loss needs at least 2: a batch of 1 has no negatives; raise it or set method.weights.contrast to 0';
    expect(made({ size: 1 }, {}, {})).toThrow(
      expect.objectContaining({ message, facts: { field: 'train.batchSize', found: 1, expected: 2 } }),
    );
    expect(made({ size: 1 }, {}, { weights: without })).not.toThrow();
    expect(made({ size: 2 }, {}, {})).not.toThrow();
  });

  it('a network without dropout, unless nothing is contrasted', () => {
    const message =
      'network.dropout is 0, but the contrastive loss compares two dropout views of one crop: raise it or set method.weights.contrast to 0';
    expect(made({}, { dropout: 0 }, {})).toThrow(
      expect.objectContaining({ message, facts: { field: 'network.dropout', found: 0 } }),
    );
    expect(made({}, { dropout: 0 }, { weights: without })).not.toThrow();
  });

  it('a run with nothing to learn', () => {
    const weights = { reconstruction: 0, number: 0, location: 0, consistency: 0, contrast: 0 };
    expect(made({}, {}, { weights })).toThrow(
      expect.objectContaining({ facts: { field: 'method.weights' } }),
    );
    expect(made({}, {}, { weights: { ...weights, number: 0.1 } })).not.toThrow();
  });

  it('sub-volumes that share a cell, or that cells do not fill, where a task counts or locates in them', () => {
    const crop = [12, 12, 12] as const;
    for (const [subVolume, nearest] of [
      [2, 4],
      [6, 8],
    ] as const) {
      const wrong = { subVolume, patch: 1, region: 12 };
      expect(made({ crop }, {}, wrong)).toThrow(
        `method.subVolume is ${subVolume} voxels, but one cell of the latent of unet spans 4: sub-volumes that share a cell ` +
          `cannot be told from each other by the number and location tasks; use ${nearest}, or set method.weights.number, location and consistency to 0`,
      );
      expect(made({ crop }, {}, wrong)).toThrow(
        expect.objectContaining({
          facts: { field: 'method.subVolume', found: subVolume, expected: nearest },
        }),
      );
      const none = { number: 0, location: 0, consistency: 0 };
      for (const task of Object.keys(none))
        expect(made({ crop }, {}, { ...wrong, weights: { ...weights, ...none, [task]: 0.1 } })).toThrow();
      expect(made({ crop }, {}, { ...wrong, weights: { ...weights, ...none } })).not.toThrow();
    }
    for (const subVolume of [4, 12])
      expect(made({ crop }, {}, { subVolume, patch: 1, region: 12 })).not.toThrow();
  });
});

it('leaves no tensor behind', () => {
  const before = tf.memory().numTensors;
  wholeRun(cases[2]!);
  expect(tf.memory().numTensors).toBe(before);
});
