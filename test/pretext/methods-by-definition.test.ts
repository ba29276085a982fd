// Every method but HybridMIM against the sentences of docs/methods.md and of its docstring, each as plain loops over numbers. The network
// says what it is told to: what it is given, and what is made of what it gives back, is worked out here.
import { describe, expect, it } from 'vitest';
import { type Tensor2D, type Tensor5D, tf } from '../../src/engine/index.js';
import { cellsToVoxels, voxelsToCells } from '../../src/pretext/cells-to-voxels.js';
import {
  autoEncoder,
  imageFeatures,
  mae,
  methodNames,
  modelsGenesis,
  type PretextMethod,
  simMim,
  transVw,
  unetFormer,
} from '../../src/pretext/index.js';
import { type MethodConfig, pretextMethod, voxelCorruption } from '../../src/pretext/registry.js';
import {
  averagedOverSpace,
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
import {
  evaluated,
  headsOf,
  listenedTo,
  type ScriptedSettings,
  scriptedNetwork,
} from './scripted-network.js';

const CHANNELS = 2;
const BATCH = 3;
const LATENT = 5;
const STRIDE = 4;
/** [D, H, W]: no two sides alike, so that no two axes can be taken for each other. */
const crop: Triple = [8, 4, 12];
const length = BATCH * 8 * 4 * 12 * CHANNELS;
const batch = { size: BATCH, crop, scaledTargets: false };
const images = noise(length, 1).map((value, i) => (i % 7 === 0 ? 0 : value + 0.1)); // some air
const scales = {
  targetScale: Float32Array.of(0.5, 0.2, 0.3, 0.4, 1.5, 0.6),
  targetShift: Float32Array.of(0.1, 0.6, 0.2, 0.3, -0.2, 0.5),
};
const target = scaledTarget(images, BATCH, CHANNELS, scales.targetScale, scales.targetShift);

type Made = (network: ReturnType<typeof scriptedNetwork>['network'], of: typeof batch) => PretextMethod;

/** A method on a scripted network, with what it is fed by default, its heads' noise, and ways to run it. */
function setUp(
  made: Made,
  settings: Partial<ScriptedSettings>,
  extra: Record<string, ArrayLike<number>> = {},
) {
  const script = scriptedNetwork({
    channels: CHANNELS,
    latentChannels: LATENT,
    latentStride: STRIDE,
    ...settings,
  });
  const method = made(script.network, { ...batch, scaledTargets: 'targetScale' in extra });
  const heads = headsOf(method.heads);
  const fed = method.corruption(5, 0);
  return { script, method, heads, fed, ...listenedTo(script, method, { images, ...fed, ...extra }, heads) };
}

type Run = ReturnType<typeof setUp>;
type Heard = ReturnType<Run['losses']>;
const term = ({ terms }: Pick<Heard, 'terms'>, name: string): number => Number(terms[name]?.[0]);
const absolute = (a: number, b: number): number => Math.abs(a - b);
const squared = (a: number, b: number): number => (a - b) ** 2;

/** The mean of `error` over the values that `counts`. */
function meanError(
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  error: (a: number, b: number) => number,
  counts: (i: number) => boolean,
): number {
  const errors = Array.from(wanted, (value, i) => (counts(i) ? error(found[i]!, value) : Number.NaN)).filter(
    (value) => !Number.isNaN(value),
  );
  expect(errors.length).toBeGreaterThan(0);
  return meanOf(errors);
}

/** A loss that is the reconstruction alone, called so and `total`. */
function expectOnly(heard: Heard, expected: number): void {
  expect(Object.keys(heard.terms).sort()).toEqual(['reconstruction', 'total']);
  expect(term(heard, 'reconstruction')).toBeCloseTo(expected, 5);
  expect(term(heard, 'total')).toBe(term(heard, 'reconstruction'));
}

/** One encoder pass of its own dropout, of whole crops. */
function expectOnePass({ encoded }: Heard, training: boolean, seen: ArrayLike<number>): void {
  expect(encoded).toHaveLength(1);
  expect(encoded[0]).toMatchObject({ training, dropoutKey: 0, shape: [BATCH, ...crop, CHANNELS] });
  expect(furthest(encoded[0]!.images, seen)).toBeLessThan(1e-6);
}

/** One decoder pass, of the whole crop, from what the encoder said. */
function expectOneDecode({ encoded, decoded }: Heard, training: boolean): void {
  expect(decoded).toHaveLength(1);
  expect(decoded[0]).toMatchObject({ training, dropoutKey: 0, before: [0, 0, 0], after: [0, 0, 0] });
  expect(decoded[0]!.levels).toEqual(encoded[0]!.levels);
}

/** Exactly `share` of the patches of each item, drawn anew for every item and step. */
function expectMasks(method: PretextMethod, share: number, perItem: number): void {
  const maskOf = (seed: number, step: number) => method.corruption(seed, step).patchMask as Float32Array;
  const mask = maskOf(5, 0);
  const items = Array.from({ length: BATCH }, (_, item) => mask.slice(item * perItem, (item + 1) * perItem));
  for (const item of items) expect(sumOf(Array.from(item))).toBe(Math.round(share * perItem));
  expect(new Set(items.map(String)).size).toBe(BATCH);
  expect(maskOf(5, 0)).toEqual(mask);
  for (const other of [maskOf(5, 1), maskOf(6, 0)]) expect(other).not.toEqual(mask);
}

/** For each of [false, true]: what a pass in validation and in training has to be. */
const bothWays = (what: (training: boolean) => void): void => [false, true].forEach(what);

/** Blocks of `side`^3 * CHANNELS values a cell, each [z, y, x, channel], to the values of the crops. */
function blocksToVoxels(blocks: readonly (readonly number[])[], side: number): number[] {
  const cells = divided(crop, side);
  const values: number[] = [];
  for (let item = 0; item < BATCH; item++) {
    visit(crop, ([z, y, x]) => {
      const cell =
        ((item * cells[0] + Math.floor(z / side)) * cells[1] + Math.floor(y / side)) * cells[2] +
        Math.floor(x / side);
      for (let c = 0; c < CHANNELS; c++)
        values.push(blocks[cell]![(((z % side) * side + (y % side)) * side + (x % side)) * CHANNELS + c]!);
    });
  }
  return values;
}

describe('SimMIM by definition', () => {
  const made: Made = (network, of) => simMim(network, of, { patch: 2, maskRatio: 0.6 });
  const run = setUp(made, {});
  const masked = maskedValues(run.fed.patchMask as Float32Array, BATCH, crop, CHANNELS, 2);
  const token = run.heads['pretext.mask_token']!.data;
  const seen = images.map((value, i) => (masked[i] ? token[i % CHANNELS]! : value));

  /** One linear layer on the latent of a cell gives all the voxels that the cell spans. */
  function predicted({ encoded }: Heard): number[] {
    const latent = encoded[0]!.levels.at(-1)!;
    const [weight, bias] = [
      run.heads['pretext.reconstruction.weight']!.data,
      run.heads['pretext.reconstruction.bias']!.data,
    ];
    const cells = Array.from({ length: latent.length / LATENT }, (_, cell) =>
      Array.from(latent.subarray(cell * LATENT, (cell + 1) * LATENT)),
    );
    return blocksToVoxels(
      cells.map((feature) => linearLayer(feature, weight, bias)),
      STRIDE,
    );
  }

  it('masks 0.6 of the patches of every crop, and shows the learned token in their voxels', () => {
    expectMasks(run.method, 0.6, 4 * 2 * 6);
    bothWays((training) => expectOnePass(run.losses(training), training, seen));
    const black = images.map((value, i) => (masked[i] ? 0 : value)); // pictures have no token
    expect(furthest(run.reconstruct().terms.seen!, black)).toBeLessThan(1e-6);
  });

  it('scores what its linear layer predicts of masked voxels, by the absolute difference', () => {
    const heard = run.losses(true);
    expectOnly(
      heard,
      meanError(predicted(heard), images, absolute, (i) => masked[i]!),
    );
  });

  it('needs no decoder, and leaves it to fine-tuning', () => {
    expect(run.losses(true).decoded).toEqual([]);
    expect(run.method).toMatchObject({ name: 'simmim', encoderOnly: true });
    expect(run.method.heads.map(({ name, shape }) => [name, shape])).toEqual([
      ['pretext.reconstruction.weight', [LATENT, 128]],
      ['pretext.reconstruction.bias', [128]],
      ['pretext.mask_token', [CHANNELS]],
    ]);
    expect(run.method.heads.at(-1)).toMatchObject({ layout: 'vector', init: { constant: 0 } });
  });

  it('fills masked voxels in a pass without dropout, and leaves visible ones as they are', () => {
    const heard = run.reconstruct();
    const filled = predicted(heard).map((value, i) => (masked[i] ? value : images[i]!));
    expectOnePass(heard, false, seen);
    expect(furthest(heard.terms.prediction!, filled)).toBeLessThan(1e-5);
  });

  it('scores MR on the scale that it is fed, one an item and channel', () => {
    const scaled = setUp(made, {}, scales);
    const heard = scaled.losses(false);
    for (const name of Object.keys(scales))
      expect(scaled.method.inputs[name]).toEqual({ shape: [BATCH, CHANNELS], dtype: 'float32' });
    expectOnly(
      heard,
      meanError(predicted(heard), target, absolute, (i) => masked[i]!),
    );
  });

  it('refuses a crop that does not divide into patches or into cells', () => {
    const { network } = run.script;
    expect(() => simMim(network, { ...batch, crop: [8, 6, 12] }, { patch: 2, maskRatio: 0.6 })).toThrow(
      expect.objectContaining({
        message:
          'data.cropSize has a side of 6 voxels, but one cell of the latent of unet spans 4: make it a multiple',
        facts: { field: 'data.cropSize', found: 6 },
      }),
    );
    expect(() => simMim(network, batch, { patch: 8, maskRatio: 0.6 })).toThrow(
      'data.cropSize 4 must be divisible by method.patch 8; nearest is 8',
    );
  });
});

describe('UNetFormer by definition', () => {
  const made: Made = (network, of) => unetFormer(network, of, { patch: 4, maskRatio: 0.4 });
  const run = setUp(made, { name: 'swin-unetr' });
  const masked = maskedValues(run.fed.patchMask as Float32Array, BATCH, crop, CHANNELS, 4);
  const seen = images.map((value, i) => (masked[i] ? 0 : value));

  it('masks 0.4 of the tokens of every crop: their voxels are 0, and so are the tokens of the encoder', () => {
    expectMasks(run.method, 0.4, 2 * 1 * 3);
    for (const heard of [run.losses(false), run.reconstruct()]) {
      expectOnePass(heard, false, seen);
      const ofVoxels = masked.filter((_, i) => i % CHANNELS === 0).map(Number);
      expect(furthest(heard.encoded[0]!.masked!, ofVoxels)).toBe(0);
    }
    expect(furthest(run.reconstruct().terms.seen!, seen)).toBe(0);
  });

  it('scores the masked voxels of the whole crop by the absolute difference', () => {
    bothWays((training) => {
      const heard = run.losses(training);
      expectOneDecode(heard, training);
      expectOnly(
        heard,
        meanError(heard.decoded[0]!.logits, images, absolute, (i) => masked[i]!),
      );
    });
  });

  it('fills masked voxels, and leaves visible ones as they are', () => {
    const heard = run.reconstruct();
    expectOneDecode(heard, false);
    expect(
      furthest(
        heard.terms.prediction!,
        seen.map((value, i) => (masked[i] ? heard.decoded[0]!.logits[i]! : value)),
      ),
    ).toBeLessThan(1e-6);
  });

  it('scores MR on the scale that it is fed', () => {
    const heard = setUp(made, { name: 'swin-unetr' }, scales).losses(false);
    expectOnly(
      heard,
      meanError(heard.decoded[0]!.logits, target, absolute, (i) => masked[i]!),
    );
  });

  it('has no head, keeps the decoder, and goes with swin-unetr alone', () => {
    expect([run.method.name, run.method.heads, run.method.encoderOnly]).toEqual([
      'unetformer',
      [],
      undefined,
    ]);
    expect(() => setUp(made, { name: 'unetr' })).toThrow(
      expect.objectContaining({
        message:
          'method.name unetformer goes with network.name swin-unetr alone, because it masks the tokens of a Swin encoder, but network.name is unetr',
        facts: { field: 'network.name', found: 'unetr', expected: 'swin-unetr' },
      }),
    );
  });
});

describe('MAE by definition', () => {
  const [SIDE, WIDTH] = [2, 4];
  const tokens = 4 * 2 * 6;
  const visible = 12;
  const decoder = { width: WIDTH, depth: 0, heads: 2 };
  const of =
    (changes: object, ratio = 0.75): Made =>
    (network, size) =>
      mae(network, size, { maskRatio: ratio, decoder: { ...decoder, ...changes } });
  const unetr = { name: 'unetr', tokenSide: SIDE };
  const run = setUp(of({}), unetr);
  const { patchMask, order, places } = run.fed as {
    patchMask: Float32Array;
    order: Int32Array;
    places: Int32Array;
  };
  const masked = maskedValues(patchMask, BATCH, crop, CHANNELS, SIDE);

  /** Of every token: the embedding of its latent, or the learned one where it is masked; its position; what blocks add; a norm; its voxels. */
  function predicted(
    { kept }: Heard,
    heads: Run['heads'] = run.heads,
    added: readonly number[] = [0, 0, 0, 0],
  ): number[] {
    const head = (name: string) => heads[`pretext.${name}`]!.data;
    let next = 0; // the visible tokens of all items come in order
    const blocks = Array.from(patchMask, (isMasked, row) => {
      const latent = () => Array.from(kept[0]!.latent.subarray(next * LATENT, ++next * LATENT));
      const token = isMasked
        ? Array.from(head('mask_token'))
        : linearLayer(latent(), head('decoder_embedding.weight'), head('decoder_embedding.bias'));
      const placed = token.map(
        (value, i) => value + head('decoder_positions')[(row % tokens) * WIDTH + i]! + added[i]!,
      );
      const mean = meanOf(placed);
      const deviation = Math.sqrt(meanOf(placed.map((value) => (value - mean) ** 2)) + 1e-5);
      const normed = placed.map(
        (value, i) =>
          ((value - mean) / deviation) * head('decoder_norm.weight')[i]! + head('decoder_norm.bias')[i]!,
      );
      return linearLayer(normed, head('reconstruction.weight'), head('reconstruction.bias'));
    });
    return blocksToVoxels(blocks, SIDE);
  }

  it('masks 0.75 of the tokens of every crop, and encodes the others alone', () => {
    expectMasks(run.method, 0.75, tokens);
    const rows = Array.from(patchMask.keys());
    const visibleFirst = [
      ...rows.filter((row) => patchMask[row] === 0),
      ...rows.filter((row) => patchMask[row] === 1),
    ];
    bothWays((training) => {
      const { kept, encoded, decoded } = run.losses(training);
      expect([kept.length, encoded.length, decoded.length]).toEqual([1, 0, 0]);
      expect(kept[0]).toMatchObject({ training, dropoutKey: 0, perItem: visible, order: visibleFirst });
      expect(kept[0]!.places).toEqual(rows.map((row) => visibleFirst.indexOf(row)));
      expect(furthest(kept[0]!.images, images)).toBe(0);
    });
    expect([Array.from(order), Array.from(places)]).toEqual([
      visibleFirst,
      rows.map((row) => visibleFirst.indexOf(row)),
    ]);
  });

  it('predicts every token from embedded, masked and placed ones, and scores the masked by the squared difference', () => {
    const heard = run.losses(true);
    expectOnly(
      heard,
      meanError(predicted(heard), images, squared, (i) => masked[i]!),
    );
  });

  it('fills masked voxels without dropout, saw 0 in them, and leaves visible ones as they are', () => {
    const heard = run.reconstruct();
    const filled = predicted(heard);
    expect(heard.kept[0]!.training).toBe(false);
    expect(
      furthest(
        heard.terms.seen!,
        images.map((value, i) => (masked[i] ? 0 : value)),
      ),
    ).toBe(0);
    expect(
      furthest(
        heard.terms.prediction!,
        Array.from(images, (value, i) => (masked[i] ? filled[i]! : value)),
      ),
    ).toBeLessThan(1e-5);
  });

  it('scores MR on the scale that it is fed', () => {
    const heard = setUp(of({}), unetr, scales).losses(false);
    expectOnly(
      heard,
      meanError(predicted(heard), target, squared, (i) => masked[i]!),
    );
  });

  it('has the parameters of a transformer of its own, and leaves the decoder of the network out', () => {
    const method = setUp(of({ depth: 2 }), unetr).method;
    const shapes = Object.fromEntries(method.heads.map(({ name, shape }) => [name, shape]));
    const block = (i: number) => ({
      [`pretext.decoder_blocks.${i}.mlp.linear1.weight`]: [WIDTH, 4 * WIDTH],
      [`pretext.decoder_blocks.${i}.attn.qkv.weight`]: [WIDTH, 3 * WIDTH],
    });
    expect(shapes).toMatchObject({
      'pretext.decoder_embedding.weight': [LATENT, WIDTH],
      'pretext.mask_token': [WIDTH],
      'pretext.decoder_positions': [1, tokens, WIDTH],
      ...block(0),
      ...block(1),
      'pretext.decoder_norm.weight': [WIDTH],
      'pretext.reconstruction.weight': [WIDTH, SIDE ** 3 * CHANNELS],
    });
    expect(method.heads.find(({ name }) => name === 'pretext.decoder_positions')).toMatchObject({
      layout: { positions: [4, 2, 6] },
      init: { normal: 0.02 },
    });
    expect(method.heads.find(({ name }) => name === 'pretext.mask_token')).toMatchObject({
      layout: 'vector',
      init: { normal: 0.02 },
    });
    expect(method).toMatchObject({ name: 'mae', encoderOnly: true, encodedShare: 0.25 });
    const parts = method.heads.map(({ name }) =>
      name.replace(/\.(weight|bias)$/, '').replace(/(blocks\.\d).*$/, '$1'),
    );
    const order = [
      'decoder_embedding',
      'mask_token',
      'decoder_positions',
      'decoder_blocks.0',
      'decoder_blocks.1',
      'decoder_norm',
      'reconstruction',
    ];
    expect([...new Set(parts)]).toEqual(order.map((part) => `pretext.${part}`)); // as the weights file has them
  });

  it('goes through all blocks of its transformer, without dropout of their own', () => {
    // Blocks whose two branches end in zeros add nothing but the bias of their perceptron.
    const deep = setUp(of({ depth: 2 }), unetr);
    for (const [name, { data }] of Object.entries(deep.heads))
      if (/attn.out_proj|mlp.linear2/.test(name)) data.fill(0);
    const added = [0, 1].map((i) => deep.heads[`pretext.decoder_blocks.${i}.mlp.linear2.bias`]!.data);
    added[0]!.set([0.3, -0.1, 0, 0.2]);
    added[1]!.set([0, 0.5, -0.4, 0.1]);
    bothWays((training) => {
      const heard = deep.losses(training);
      expectOnly(
        heard,
        meanError(predicted(heard, deep.heads, [0.3, 0.4, -0.4, 0.3]), images, squared, (i) => masked[i]!),
      );
    });
  });

  it('refuses another network, ratios that leave nothing, and heads that do not divide its width', () => {
    expect(() => setUp(of({}), { ...unetr, name: 'unet' })).toThrow(
      'method.name mae goes with network.name unetr alone, because it encodes visible tokens without the masked ones, but network.name is unet',
    );
    const why = 'but some must be masked and some visible: change it or enlarge data.cropSize';
    for (const [ratio, masks] of [
      [0.001, 0],
      [0.999, tokens],
    ] as const) {
      expect(() => setUp(of({}, ratio), unetr)).toThrow(
        expect.objectContaining({
          message: `method.maskRatio ${ratio} masks ${masks} of the ${tokens} tokens of a crop, ${why}`,
          facts: { field: 'method.maskRatio', found: ratio },
        }),
      );
    }
    for (const ratio of [1 / tokens, 1 - 1 / tokens]) expect(() => setUp(of({}, ratio), unetr)).not.toThrow();
    expect(() => setUp(of({ heads: 3 }), unetr)).toThrow(
      expect.objectContaining({
        message: 'method.decoder.width is 4, but must be a multiple of method.decoder.heads 3',
        facts: { field: 'method.decoder.width', found: 4 },
      }),
    );
  });
});

/** Crops with room for the windows of in- and out-painting. */
const roomy: Triple = [16, 28, 20];
const roomyLength = 2 * 16 * 28 * 20 * CHANNELS;
const [roomyImages, roomyCorrupted] = [noise(roomyLength, 3), noise(roomyLength, 4)];
const roomyBatch = { size: 2, crop: roomy, scaledTargets: false };

function restoring(
  made: (network: Run['script']['network']) => PretextMethod,
  extra: Record<string, ArrayLike<number>> = {},
) {
  const script = scriptedNetwork({ channels: CHANNELS, latentChannels: LATENT, latentStride: STRIDE });
  const method = made(script.network);
  const heads = headsOf(method.heads);
  const restored = ({ decoded }: Heard) => Array.from(decoded[0]!.logits, sigmoid);
  const checks = (heard: Heard, training: boolean) => {
    expect(heard.encoded).toHaveLength(1);
    expect(heard.encoded[0]).toMatchObject({ training, dropoutKey: 0, shape: [2, ...roomy, CHANNELS] });
    expect(furthest(heard.encoded[0]!.images, roomyCorrupted)).toBe(0);
    expectOneDecode(heard, training);
  };
  return {
    method,
    heads,
    restored,
    checks,
    ...listenedTo(script, method, { images: roomyImages, corrupted: roomyCorrupted, ...extra }, heads),
  };
}

const needsRoom = (made: (side: number) => PretextMethod): void => {
  expect(() => made(13)).toThrow(
    expect.objectContaining({
      message: 'data.cropSize has a side of 13 voxels, but the corruptions of this method need at least 14',
      facts: { field: 'data.cropSize', found: 13, expected: 14 },
    }),
  );
  expect(() => made(14)).not.toThrow();
};

describe('Models Genesis by definition', () => {
  const { method, restored, checks, losses, reconstruct } = restoring((network) =>
    modelsGenesis(network, roomyBatch),
  );

  it('restores the whole crop from the corrupted one, by the squared difference behind a sigmoid', () => {
    bothWays((training) => {
      const heard = losses(training);
      checks(heard, training);
      expectOnly(
        heard,
        meanError(restored(heard), roomyImages, squared, () => true),
      );
    });
    const picture = reconstruct();
    checks(picture, false);
    expect(furthest(picture.terms.seen!, roomyCorrupted)).toBe(0);
    expect(furthest(picture.terms.prediction!, restored(picture))).toBeLessThan(1e-6);
  });

  it('has no head, keeps the decoder, draws nothing in the step, and needs room for its windows', () => {
    expect([method.name, method.heads, method.encoderOnly, method.corruption(5, 0)]).toEqual([
      'models-genesis',
      [],
      undefined,
      {},
    ]);
    const { network } = scriptedNetwork({ channels: 1, latentChannels: LATENT, latentStride: 2 });
    needsRoom((side) => modelsGenesis(network, { ...roomyBatch, crop: [16, side, 16] }));
  });
});

describe('TransVW by definition', () => {
  const config = {
    words: 4,
    instances: 3,
    wordWeight: 0.3,
    autoEncoder: { side: 16, steps: 1, batchSize: 1, learningRate: 1 },
  };
  const words = [2, 1];
  const { method, heads, restored, checks, losses, reconstruct } = restoring(
    (network) => transVw(network, roomyBatch, config),
    { words },
  );

  it('restores the crop like Models Genesis, and tells its word from the latent averaged over space', () => {
    bothWays((training) => {
      const heard = losses(training);
      checks(heard, training);
      const features = averagedOverSpace(heard.encoded[0]!.levels.at(-1)!, 2, LATENT);
      const word = meanOf(
        features.map(
          (feature, item) =>
            -logSoftmax(
              linearLayer(feature, heads['pretext.word.weight']!.data, heads['pretext.word.bias']!.data),
            )[words[item]!]!,
        ),
      );
      const restoration = meanError(restored(heard), roomyImages, squared, () => true);
      expect(Object.keys(heard.terms).sort()).toEqual(['reconstruction', 'total', 'word']);
      expect(term(heard, 'word')).toBeCloseTo(word, 5);
      expect(term(heard, 'reconstruction')).toBeCloseTo(restoration, 5);
      expect(term(heard, 'total')).toBeCloseTo(restoration + 0.3 * word, 5);
    });
  });

  it('shows the corrupted crop and what it makes of it', () => {
    const picture = reconstruct();
    checks(picture, false);
    expect(furthest(picture.terms.seen!, roomyCorrupted)).toBe(0);
    expect(furthest(picture.terms.prediction!, restored(picture))).toBeLessThan(1e-6);
  });

  it('has one head, of a class a word, keeps the decoder, and needs room for its windows', () => {
    expect([method.name, method.encoderOnly, method.corruption(5, 0)]).toEqual(['transvw', undefined, {}]);
    expect(method.heads.map(({ name, shape }) => [name, shape])).toEqual([
      ['pretext.word.weight', [LATENT, 4]],
      ['pretext.word.bias', [4]],
    ]);
    const { network } = scriptedNetwork({ channels: 1, latentChannels: LATENT, latentStride: 2 });
    needsRoom((side) => transVw(network, { ...roomyBatch, crop: [side, 16, 16] }, config));
  });
});

describe('the auto-encoder of visual words by definition', () => {
  const { method, script, losses, reconstruct } = setUp(autoEncoder, {});

  /** The skip connections carry zeros. */
  function expectLatentAlone({ encoded, decoded }: Heard, training: boolean): void {
    expect(decoded).toHaveLength(1);
    expect(decoded[0]).toMatchObject({ training, dropoutKey: 0, before: [0, 0, 0], after: [0, 0, 0] });
    const [fine, middle, latent] = encoded[0]!.levels;
    expect(decoded[0]!.levels).toEqual([
      new Float32Array(fine!.length),
      new Float32Array(middle!.length),
      latent,
    ]);
  }

  it('restores the whole image from its latent alone, by the squared difference behind a sigmoid', () => {
    bothWays((training) => {
      const heard = losses(training);
      expectOnePass(heard, training, images);
      expectLatentAlone(heard, training);
      expectOnly(
        heard,
        meanError(Array.from(heard.decoded[0]!.logits, sigmoid), images, squared, () => true),
      );
    });
    const picture = reconstruct();
    expectOnePass(picture, false, images);
    expectLatentAlone(picture, false);
    expect(furthest(picture.terms.seen!, images)).toBe(0);
    expect(furthest(picture.terms.prediction!, Array.from(picture.decoded[0]!.logits, sigmoid))).toBeLessThan(
      1e-6,
    );
    expect([method.name, method.heads, method.corruption(5, 0)]).toEqual(['auto-encoder', [], {}]);
  });

  it("a patient's feature is the latent, without dropout, averaged over space", () => {
    script.encoded.length = 0;
    const { feature } = evaluated(method.inputs, { images }, {}, (fed, parameters) => ({
      feature: imageFeatures(script.network, fed, parameters),
    }));
    expect(script.encoded).toMatchObject([{ training: false, dropoutKey: 0 }]);
    expect(
      furthest(feature, averagedOverSpace(script.encoded[0]!.levels.at(-1)!, BATCH, LATENT).flat()),
    ).toBeLessThan(1e-6);
  });
});

describe('the methods by their names', () => {
  const weights = { reconstruction: 1, number: 1, location: 1, consistency: 1, contrast: 0 };
  const genesis = { flip: 0.4, shuffle: 0.5, nonlinear: 0.9, paint: 0.9, inPaint: 0.2 };
  const hybridMim = {
    subVolume: 4,
    patch: 2,
    region: 4,
    maskRatio: 0.4,
    weights,
    temperature: 1,
    subVolumeFeatures: 'cells',
    mask: 'zero',
    output: 'linear',
    contrastFeatures: 'mean',
    contrastDim: 1,
  } as const;
  const configs: readonly MethodConfig[] = [
    { name: 'hybridmim', ...hybridMim, reconstruction: 'l2', consistency: 'soft' },
    { name: 'models-genesis', ...genesis },
    {
      name: 'transvw',
      words: 2,
      instances: 2,
      wordWeight: 0.1,
      autoEncoder: { side: 16, steps: 1, batchSize: 1, learningRate: 1 },
    },
    { name: 'simmim', patch: 2, maskRatio: 0.6 },
    { name: 'unetformer', patch: 2, maskRatio: 0.4 },
    { name: 'mae', maskRatio: 0.5, decoder: { width: 4, depth: 1, heads: 2 } },
  ];
  const networks: Readonly<Record<string, string>> = { unetformer: 'swin-unetr', mae: 'unetr' };

  it.each(configs)('$name is made by its configuration', (config) => {
    const name = networks[config.name] ?? 'unet';
    const { network } = scriptedNetwork({
      name,
      channels: 1,
      latentChannels: LATENT,
      latentStride: STRIDE,
      tokenSide: 2,
    });
    expect(pretextMethod(network, { size: 2, crop: [16, 16, 16], scaledTargets: false }, config).name).toBe(
      config.name,
    );
  });

  it('are all listed, in the order of the documentation', () => {
    expect(methodNames).toEqual(configs.map(({ name }) => name));
  });

  it('have the loader corrupt crops for Models Genesis, by its probabilities, and for TransVW', () => {
    const recipes = Object.fromEntries(configs.map((config) => [config.name, voxelCorruption(config)]));
    expect(recipes).toEqual({
      'models-genesis': { name: 'models-genesis', ...genesis },
      transvw: { name: 'transvw' },
    });
  });
});

it('cells are put into their places and taken from there, within one as [z, y, x, channel]', () => {
  const grid = [2, 2, 3, 4] as const; // [B, d, h, w]
  const block = 2 ** 3 * 3;
  const cells = Array.from({ length: 48 }, (_, cell) =>
    Array.from({ length: block }, (_, i) => cell * block + i),
  );
  tf.engine().startScope();
  const found = cellsToVoxels(tf.tensor(cells.flat(), [48, block]) as Tensor2D, grid, 2, 3) as Tensor5D;
  expect(found.shape).toEqual([2, 4, 6, 8, 3]);
  expect(Array.from(voxelsToCells(found, 2).dataSync())).toEqual(cells.flat());
  const values = found.dataSync();
  let at = 0;
  for (let b = 0; b < 2; b++) {
    visit([4, 6, 8], ([z, y, x]) => {
      const cell = ((b * 2 + Math.floor(z / 2)) * 3 + Math.floor(y / 2)) * 4 + Math.floor(x / 2);
      for (let c = 0; c < 3; c++)
        expect(values[at++]).toBe(cells[cell]![(((z % 2) * 2 + (y % 2)) * 2 + (x % 2)) * 3 + c]);
    });
  }
  tf.engine().endScope();
});
