// A network that says what it is told to and remembers what it was given: what a method makes of it can then be worked out by hand.
import { type InputSpecs, type Tensor, type Tensor2D, type Tensor5D, tf } from '../../src/engine/index.js';
import { initialiseParameters, type Network, type ParameterSpec } from '../../src/network/index.js';
import type { PretextMethod } from '../../src/pretext/index.js';
import { noise } from './plain-loops.js';

interface Heard {
  readonly training: boolean;
  readonly dropoutKey: number;
}

/** One call of `encode`: what it was given and what it gave. */
export interface Encoded extends Heard {
  readonly shape: readonly number[];
  readonly images: Float32Array;
  /** [B, D, H, W, 1] where the pass had a mask. */
  readonly masked: Float32Array | undefined;
  /** A fine level and one below, [B, D, H, W, 2] and [B, D / 2, H / 2, W / 2, 2], and the latent, [B, d, h, w, latentChannels]. */
  readonly levels: readonly Float32Array[];
}

/** One call of `decode`. */
export interface Decoded extends Heard {
  readonly levels: readonly Float32Array[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** [B, D', H', W', C] */
  readonly logits: Float32Array;
}

/** One call of `encodeKept`. */
export interface Kept extends Heard {
  readonly images: Float32Array;
  readonly perItem: number;
  readonly order: readonly number[];
  readonly places: readonly number[];
  /** [B * perItem, latentChannels] */
  readonly latent: Float32Array;
}

export interface ScriptedSettings {
  readonly name?: string;
  readonly channels: number;
  readonly latentChannels: number;
  readonly latentStride: number;
  readonly dropout?: number;
  readonly tokenSide?: number;
}

/** The network and its memory. What it gives is noise around 0 that depends on `training`, the dropout's key and the shape alone. */
export function scriptedNetwork({
  name = 'unet',
  channels,
  latentChannels,
  latentStride,
  dropout = 0.1,
  tokenSide,
}: ScriptedSettings) {
  const [encoded, decoded, kept]: [Encoded[], Decoded[], Kept[]] = [[], [], []];
  const said = (
    shape: readonly number[],
    { training, dropoutKey }: Heard,
    which: number,
  ): [Float32Array, Tensor] => {
    const length = shape.reduce((a, b) => a * b, 1);
    const values = noise(length, 100 + 8 * dropoutKey + 4 * Number(training) + which).map(
      (value) => 4 * value - 2,
    );
    return [values, tf.tensor(values, [...shape])];
  };
  const network: Network = {
    name,
    inChannels: channels,
    outChannels: channels,
    dropout,
    specs: [],
    constants: [],
    latentChannels,
    latentStride,
    marginStride: latentStride,
    lastLayer: 'last',
    encoder: [],
    firstLayers: [],
    encoderBytes: () => 0,
    encode: (images, _, { training, dropoutKey, masked }) => {
      const heard = { training, dropoutKey };
      const [batch, ...size] = images.shape.slice(0, 4) as [number, number, number, number];
      const [fine, fineLevel] = said([batch, ...size, 2], heard, 0);
      const [middle, middleLevel] = said([batch, ...size.map((voxels) => voxels / 2), 2], heard, 1);
      const [latent, latentLevel] = said(
        [batch, ...size.map((voxels) => voxels / latentStride), latentChannels],
        heard,
        2,
      );
      encoded.push({
        ...heard,
        shape: images.shape,
        images: valuesOf(images),
        masked: masked && valuesOf(masked),
        levels: [fine, middle, latent],
      });
      return [fineLevel, middleLevel, latentLevel] as Tensor5D[];
    },
    decode: (levels, _, { training, dropoutKey }, margins) => {
      const heard = { training, dropoutKey };
      const { before, after } = margins ?? { before: [0, 0, 0], after: [0, 0, 0] };
      const [batch, ...size] = levels[0]!.shape.slice(0, 4) as [number, number, number, number];
      const region = size.map((voxels, axis) => voxels - before[axis]! - after[axis]!);
      const [logits, result] = said([batch, ...region, channels], heard, 3);
      decoded.push({ ...heard, levels: levels.map(valuesOf), before, after, logits });
      return result as Tensor5D;
    },
    ...(tokenSide !== undefined && {
      tokens: {
        side: tokenSide,
        encodeKept: (images, { perItem, order, places }, _, { training, dropoutKey }) => {
          const heard = { training, dropoutKey };
          const [latent, result] = said([images.shape[0] * perItem, latentChannels], heard, 2);
          const [rows, inverse] = [Array.from(order.dataSync()), Array.from(places.dataSync())];
          kept.push({ ...heard, images: valuesOf(images), perItem, order: rows, places: inverse, latent });
          return result as Tensor2D;
        },
      },
    }),
  };
  return { network, encoded, decoded, kept };
}

const valuesOf = (x: Tensor): Float32Array => Float32Array.from(x.dataSync());

/** Parameters of a method's heads, noise around 0 even where they start as a constant. */
export function headsOf(
  specs: readonly ParameterSpec[],
): Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }> {
  const initial = Object.entries(initialiseParameters(specs, 3));
  return Object.fromEntries(
    initial.map(([name, { shape, data }], i) => [
      name,
      { shape, data: noise(data.length, i).map((value) => value - 0.5) },
    ]),
  );
}

/**
 * What `body` makes of inputs and parameters, each as numbers; tensors live no longer.
 * @throws when `values` has another name or length than `inputs` says
 */
export function evaluated<K extends string>(
  inputs: InputSpecs,
  values: Readonly<Record<string, ArrayLike<number>>>,
  heads: ReturnType<typeof headsOf>,
  body: (fed: Record<string, Tensor>, parameters: Record<string, Tensor>) => Readonly<Record<K, Tensor>>,
): Record<K, Float32Array> {
  const names = Object.keys(inputs);
  if (names.sort().join() !== Object.keys(values).sort().join())
    throw new Error(`inputs ${names} are fed ${Object.keys(values)}`);
  tf.engine().startScope();
  try {
    const fed = names.map((name) => {
      const { shape, dtype } = inputs[name]!;
      return [name, tf.tensor(Array.from(values[name]!), [...shape], dtype)] as const;
    });
    const parameters = Object.entries(heads).map(
      ([name, { shape, data }]) => [name, tf.tensor(data, [...shape])] as const,
    );
    const results = Object.entries<Tensor>(body(Object.fromEntries(fed), Object.fromEntries(parameters)));
    return Object.fromEntries(results.map(([name, tensor]) => [name, valuesOf(tensor)])) as Record<
      K,
      Float32Array
    >;
  } finally {
    tf.engine().endScope();
  }
}

/** A method's losses and its reconstruction for fixed inputs and heads, each with what its network heard and said meanwhile. */
export function listenedTo(
  { encoded, decoded, kept }: Omit<ReturnType<typeof scriptedNetwork>, 'network'>,
  method: PretextMethod,
  values: Readonly<Record<string, ArrayLike<number>>>,
  heads: ReturnType<typeof headsOf>,
) {
  const listen = <K extends string>(body: Parameters<typeof evaluated<K>>[3]) => {
    for (const memory of [encoded, decoded, kept]) memory.length = 0;
    return {
      terms: evaluated(method.inputs, values, heads, body),
      encoded: [...encoded],
      decoded: [...decoded],
      kept: [...kept],
    };
  };
  return {
    losses: (training: boolean) =>
      listen<string>((fed, parameters) => method.losses(fed, parameters, training)),
    reconstruct: () =>
      listen((fed, parameters) => {
        const { target, seen, prediction } = method.reconstruct(fed, parameters);
        return { target, seen, prediction };
      }),
  };
}
