import { join } from 'node:path';
import { z } from 'zod';
import type { NamedArrays } from '../../src/engine/index.js';
import { readSafetensors, type UNetConfig } from '../../src/network/index.js';
import { unetSettings } from '../../src/network/unet.js';
import { type BatchShape, reversedAxes, reversedShape } from './monai-order.js';

/** Made by `test/parity/network/make_network_references.py`. */
export const referenceFile = (name: string): string => join('test/parity/network', name);

const straysSchema = z.object({
  logits: z.number(),
  gradient: z.number(),
  after: z.number(),
  'logits-after': z.number(),
  losses: z.number(),
});

const factsSchema = z.object({
  shape: z.tuple([z.int(), z.int(), z.int(), z.int()]),
  channels: z.int(),
  features: z.tuple([z.int(), z.int(), z.int(), z.int(), z.int(), z.int()]),
  classes: z.int(),
  /** Files made before there was a choice have BasicUNet's own. */
  pools: unetSettings.shape.pools,
  stride: z.int(),
  salt: z.int(),
  learningRates: z.array(z.number()).length(10),
  weightDecay: z.number(),
  /** Of the first and the last batch. */
  means: z.object({ image: z.tuple([z.number(), z.number()]), label: z.tuple([z.number(), z.number()]) }),
  /** How far PyTorch's own float32, computed in three orders, is from the float64 reference. */
  float32: z.record(z.string(), straysSchema),
});

/** One input size: what BasicUNet and PyTorch made of it, and what to feed to do the same. */
export interface ParityCase {
  readonly arrays: NamedArrays;
  readonly facts: z.infer<typeof factsSchema>;
  readonly config: UNetConfig;
  /** The engine's [B, z, y, x], of the reference's `facts.shape`, [B, x, y, z]. */
  readonly engineShape: BatchShape;
  /** The ten batches that the network is trained on: images [B, z, y, x, C], labels [B, z, y, x]. */
  readonly batches: readonly { readonly images: Float32Array; readonly labels: Int32Array }[];
}

/** The file of the weights that a case begins with. */
export const weightsFile = ({ channels, pools }: ParityCase['facts']): string =>
  `weights-${channels}${pools.every((pool) => pool === 2) ? '' : `-pools-${pools.join('')}`}.safetensors`;

export async function readCase(name: string): Promise<ParityCase> {
  const { arrays, metadata } = await readSafetensors(referenceFile(`case-${name}.safetensors`));
  const facts = factsSchema.parse(JSON.parse(metadata.facts ?? ''));
  const { channels, classes, features, pools } = facts;
  const config: UNetConfig = {
    inChannels: channels,
    outChannels: classes,
    features,
    pools,
    dropout: 0.1,
  };
  const { shape } = facts;
  const batches = facts.learningRates.map((_, step) => ({
    images: reversedAxes(makeImages(facts, step), shape, channels),
    labels: reversedAxes(makeLabels(facts, step), shape),
  }));
  return { arrays, facts, config, engineShape: reversedShape(shape), batches };
}

type Facts = ParityCase['facts'];

/** [B, x, y, z, C], as MONAI is fed it. */
function makeImages(facts: Facts, step: number): Float32Array {
  const { shape, channels, salt } = facts;
  const [batch, depth, height, width] = shape;
  const values = new Float32Array(batch * depth * height * width * channels);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          for (let c = 0; c < channels; c++) {
            values[i++] =
              blockAt(facts, step, b, c, d, h, w) + hashOf(2, salt, step, b, c, d, h, w) / 2 ** 32 / 3;
          }
  return values;
}

function makeLabels(facts: Facts, step: number): Int32Array {
  const [batch, depth, height, width] = facts.shape;
  const values = new Int32Array(batch * depth * height * width);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          values[i++] = Math.floor(facts.classes * blockAt(facts, step, b, 0, d, h, w));
  return values;
}

function blockAt(
  { salt }: Facts,
  step: number,
  b: number,
  c: number,
  d: number,
  h: number,
  w: number,
): number {
  return hashOf(1, salt, step, b, c, Math.floor(d / 5), Math.floor(h / 5), Math.floor(w / 5)) / 2 ** 32;
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

/** Largest difference between two arrays, relative to the largest value of the expected one; infinite when the lengths differ. */
export function relativeError(
  found: Float32Array,
  expected: Float32Array,
  scale = largest(expected),
): number {
  if (found.length !== expected.length || found.length === 0) return Number.POSITIVE_INFINITY;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((found[i] as number) - (expected[i] as number));
    if (!(difference <= error)) error = difference; // also for NaN
  }
  return error / scale;
}

export function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
