import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { NamedArray, NamedArrays } from '../../src/engine/index.js';
import { makeNetwork, type Network, networkSection } from '../../src/network/index.js';
import { type BatchShape, reversedAxes, reversedShape } from './monai-order.js';
import { referenceFile } from './unet-parity.js';

const shape = z.array(z.int());
const schema = z.object({
  network: z.string(),
  settings: z.record(z.string(), z.unknown()),
  shape: z.tuple([z.int(), z.int(), z.int(), z.int()]),
  channels: z.int(),
  classes: z.int(),
  salt: z.int(),
  stride: z.int(),
  samples: z.int(),
  state: z.record(z.string(), shape),
  means: z.tuple([z.number(), z.number()]),
  largestLogit: z.number(),
  logits: z.array(z.number()),
  gradients: z.record(
    z.string(),
    z.object({ largest: z.number(), norm: z.number(), samples: z.array(z.number()), stray: z.number() }),
  ),
  float32: z.object({ logits: z.number(), gradient: z.number() }),
});

/** A network as MONAI computes it, made by `test/parity/network/make_interchange_references.py`, and what to feed to do the same. */
export interface InterchangeCase {
  readonly facts: z.infer<typeof schema>;
  readonly network: Network;
  /** MONAI's state dict, under its names and in its axis order, with the reference's weights. */
  readonly state: NamedArrays;
  /** The engine's [B, z, y, x], of the reference's `facts.shape`, [B, x, y, z]. */
  readonly engineShape: BatchShape;
  /** In the engine's order, with channels and without. */
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

const cases = new Map<string, InterchangeCase>();

/** A case by its name, made once. */
export function readInterchangeCase(name: string): InterchangeCase {
  const known = cases.get(name) ?? makeCase(name);
  cases.set(name, known);
  return known;
}

function makeCase(name: string): InterchangeCase {
  const facts = schema.parse(JSON.parse(readFileSync(referenceFile(`interchange-${name}.json`), 'utf8')));
  const settings = networkSection.parse({ name: facts.network, ...facts.settings });
  const network = makeNetwork(settings, { inChannels: facts.channels, outChannels: facts.classes });
  const images = reversedAxes(makeImages(facts), facts.shape, facts.channels);
  const labels = reversedAxes(makeLabels(facts), facts.shape);
  return {
    facts,
    network,
    state: monaiState(facts.state, network),
    engineShape: reversedShape(facts.shape),
    images,
    labels,
  };
}

/** A state dict of these shapes: hashed weights, and the values of what is no parameter. */
export function monaiState(
  shapes: Readonly<Record<string, readonly number[]>>,
  { constants }: Network,
): NamedArrays {
  const values = new Map(constants.map((constant) => [constant.name, constant.values]));
  return Object.fromEntries(
    Object.entries(shapes).map(([name, of]) => [
      name,
      { shape: of, data: values.get(name)?.() ?? weight(name, of).data },
    ]),
  );
}

function weight(name: string, of: readonly number[]): NamedArray {
  const salt = crc32(name);
  const fanIn = of.slice(1).reduce((a, b) => a * b, 1);
  const isTable = /(position_embeddings|bias_table)$/.test(name);
  const scaled = (uniform: number) => {
    if (of.length === 1) return name.endsWith('.weight') ? 1 + 0.3 * uniform : 0.3 * uniform;
    return isTable ? 0.5 * uniform : uniform * Math.sqrt(3 / fanIn);
  };
  const data = new Float32Array(of.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++)
    data[i] = scaled(hash32(Math.imul(i, 2654435761) + salt) / 2 ** 31 - 1);
  return { shape: of, data };
}

type Facts = InterchangeCase['facts'];

/** [B, x, y, z, C], as MONAI is fed it. */
function makeImages({ shape: [batch, depth, height, width], channels, salt }: Facts): Float32Array {
  const values = new Float32Array(batch * depth * height * width * channels);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          for (let c = 0; c < channels; c++) {
            const block =
              hashOf(1, salt, 0, b, c, Math.floor(d / 5), Math.floor(h / 5), Math.floor(w / 5)) / 2 ** 32;
            values[i++] = block + hashOf(2, salt, 0, b, c, d, h, w) / 2 ** 32 / 3;
          }
  return values;
}

function makeLabels({ shape: [batch, depth, height, width], classes, salt }: Facts): Int32Array {
  const values = new Int32Array(batch * depth * height * width);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          values[i++] = hashOf(3, salt, b, Math.floor(d / 5), Math.floor(h / 5), Math.floor(w / 5)) % classes;
  return values;
}

/** Whether two sets of arrays have the same names, shapes and bits. */
export function sameArrays(found: NamedArrays, expected: NamedArrays): boolean {
  const names = Object.keys(expected);
  return (
    names.length === Object.keys(found).length &&
    names.every((name) => sameArray(found[name], expected[name] as NamedArray))
  );
}

function sameArray(found: NamedArray | undefined, expected: NamedArray): boolean {
  return (
    found !== undefined &&
    found.shape.join() === expected.shape.join() &&
    Buffer.from(found.data.buffer).equals(Buffer.from(expected.data.buffer))
  );
}

/** The integer hash of the script, 32 bits without sign. */
function hashOf(salt: number, ...coordinates: readonly number[]): number {
  return coordinates.reduce((code, coordinate) => hash32(Math.imul(code, 31) + coordinate + 1), salt);
}

function hash32(x: number): number {
  let hash = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
