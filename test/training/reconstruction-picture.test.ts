import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createState, type Tensor5D, tf } from '../../src/engine/index.js';
import { pretrain } from '../../src/training/index.js';
import { openMetricsLog } from '../../src/training/metrics-log.js';
import {
  dropLaterPictures,
  keepPicture,
  openReconstructionPicture,
} from '../../src/training/reconstruction-picture.js';
import { prepareSmokeData, smokePretrainConfig } from './smoke-data.js';

const folder = mkdtempSync(join(tmpdir(), 'pictures-'));

/** Grey values of a PNG file, [height][width]. */
function pixelsOf(png: Uint8Array): number[][] {
  const pixels = tf.node.decodePng(png, 1);
  const values = pixels.arraySync().map((row) => row.map(([value]) => value!));
  pixels.dispose();
  return values;
}

/** Two crops of [3, 4, 6] voxels and two channels; a value tells item, z, y, x and channel apart, in [0, 1). */
const shape = [2, 3, 4, 6, 2] as const;
const valueAt = (item: number, z: number, y: number, x: number, c: number) =>
  (((item * 3 + z) * 4 + y) * 6 + x + 0.5 * c) / 144;

async function picture() {
  const images = Float32Array.from({ length: 2 * 3 * 4 * 6 * 2 }, (_, i) => {
    const [c, voxel] = [i % 2, Math.floor(i / 2)];
    return valueAt(
      Math.floor(voxel / 72),
      Math.floor(voxel / 24) % 3,
      Math.floor(voxel / 6) % 4,
      voxel % 6,
      c,
    );
  });
  const state = createState({ scale: { shape: [1], data: Float32Array.of(0.5) } }, { engine: 'graph' });
  const reconstruct = (inputs: Record<string, unknown>, parameters: Record<string, unknown>) => {
    const target = inputs.images as Tensor5D;
    return {
      target,
      seen: target.mul<Tensor5D>(parameters.scale as never),
      prediction: target.mul<Tensor5D>(20).sub<Tensor5D>(8), // much of it outside [0, 1]
    };
  };
  const inputs = { images: { shape, dtype: 'float32' } } as const;
  const drawn = await openReconstructionPicture(
    { inputs, reconstruct: reconstruct as never },
    { images },
    state,
    'float32',
  )();
  state.dispose();
  return drawn;
}

describe('a picture of a reconstruction', () => {
  it('shows the middle axial slice of each crop: as it is, as it was seen, as it was filled; anterior above, right on the left', async () => {
    const { png, width, height } = await picture();
    const pixels = pixelsOf(png);
    const times = 24; // 96 pixels over 4 voxels
    expect([pixels.length, pixels[0]!.length]).toEqual([height, width]);
    expect([height, width]).toEqual([2 * 4 * times + 4, 3 * 6 * times + 2 * 4]);
    const grey = (value: number) => Math.round(255 * Math.min(1, Math.max(0, value)));
    for (const item of [0, 1]) {
      for (let row = 0; row < 4; row++) {
        for (let column = 0; column < 6; column++) {
          const value = Math.fround(valueAt(item, 1, 3 - row, 5 - column, 0));
          const at = (panel: number) =>
            pixels[item * (4 * times + 4) + row * times + 5]![panel * (6 * times + 4) + column * times + 7]!;
          expect(Math.abs(at(0) - grey(value))).toBeLessThanOrEqual(1);
          expect(Math.abs(at(1) - grey(value / 2))).toBeLessThanOrEqual(1);
          expect(Math.abs(at(2) - grey(20 * value - 8))).toBeLessThanOrEqual(1);
        }
      }
    }
    expect(new Set(pixels[4 * times]!)).toEqual(new Set([255])); // the line between the crops
  });

  it('is kept by its step, and taken away where a run goes on from before it', async () => {
    const drawn = await picture();
    for (const step of [2, 10, 200]) await keepPicture(folder, drawn, step);
    const files = () => readdirSync(join(folder, 'reconstructions')).toSorted();
    expect(files()).toEqual(['step-000002.png', 'step-000010.png', 'step-000200.png']);
    expect(readFileSync(join(folder, 'reconstructions', 'step-000010.png'))).toEqual(Buffer.from(drawn.png));
    await dropLaterPictures(folder, 10);
    expect(files()).toEqual(['step-000002.png', 'step-000010.png']);
    await dropLaterPictures(mkdtempSync(join(tmpdir(), 'pictures-')), 0); // none yet
  });

  it('goes into the TensorBoard events as a PNG, with its size, name and step', async () => {
    const run = mkdtempSync(join(tmpdir(), 'pictures-'));
    const drawn = await picture();
    const log = await openMetricsLog(run, 0);
    log.picture('reconstruction', drawn, 7);
    log.flush();
    const [events = ''] = readdirSync(run).filter((name) => name.includes('tfevents'));
    writeFileSync(join(run, 'picture.png'), drawn.png);
    const bytes = readFileSync(join(run, events));
    const at = bytes.indexOf(Buffer.from(drawn.png));
    expect(at).toBeGreaterThan(0);
    const head = bytes.subarray(0, at);
    const event = head.subarray(head.lastIndexOf('reconstruction') - 12);
    expect(event.includes('reconstruction')).toBe(true);
    // Event: field 2 is the step; tensorflow.Summary.Image: 1 height, 2 width, 3 colorspace (1: grey), 4 the PNG.
    expect(head.includes(Buffer.from([0x10, 7]))).toBe(true);
    const varint = (value: number) => (value < 128 ? [value] : [(value % 128) + 128, value >> 7]);
    const size = [0x08, ...varint(drawn.height), 0x10, ...varint(drawn.width), 0x18, 1];
    expect(head.includes(Buffer.from(size))).toBe(true);
  });
});

it('a pre-training run draws held-out crops with every checkpoint, and the same crops each time', async () => {
  const prepared = await prepareSmokeData(folder);
  const out = join(folder, 'run');
  await pretrain({
    settings: await smokePretrainConfig(
      prepared,
      'train.steps=4',
      'train.checkpointEvery=2',
      'train.validateEvery=0',
    ),
    out,
  });
  const files = readdirSync(join(out, 'reconstructions')).toSorted();
  expect(files).toEqual(['step-000002.png', 'step-000004.png']);
  const [early, late] = files.map((file) => pixelsOf(readFileSync(join(out, 'reconstructions', file))));
  const side = (early![0]!.length - 8) / 3;
  const panel = (rows: number[][], i: number) =>
    rows.map((row) => row.slice(i * (side + 4), i * (side + 4) + side));
  expect(panel(late!, 0)).toEqual(panel(early!, 0));
  expect(panel(late!, 1)).toEqual(panel(early!, 1));
  expect(panel(late!, 2)).not.toEqual(panel(early!, 2));
  const masked = panel(late!, 1)
    .flat()
    .map((value, i) => value === 0 && panel(late!, 0).flat()[i] !== 0);
  expect(masked.filter(Boolean).length / masked.length).toBeGreaterThan(0.1);
});
