import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareDatasets, readPreparedIndex } from '../../src/dataset/index.js';
import { predictScans } from '../../src/prediction/index.js';
import { randomStream } from '../../src/random/streams.js';
import { finetune } from '../../src/training/index.js';
import { readVolume, type Triple, type Volume, writeNifti } from '../../src/volume/index.js';
import { openRunWeights } from '../../src/weights/index.js';
import { asLabel, labelledCase, volumeOf, writeJson } from '../dataset/generated-data.js';
import { smokeFinetuneConfig } from './segmentation-data.js';

const folder = mkdtempSync(join(tmpdir(), 'constant-windows-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const noise = randomStream(4, 'phantom');
const air = -0.6;
const middle = 18;
const brainRadius = 15;
/** The brain ends at x 33, and windows of 32 voxels that overlap by half begin at 32, 48, 64 and 80. */
const wide: Triple = [112, 37, 37];
const firstInAir = 64;

const fromMiddle = (x: number, y: number, z: number) => Math.hypot(x - middle, y - middle, z - middle);

const lesionIn = (size: Triple) => asLabel(volumeOf(size, (x, y, z) => (fromMiddle(x, y, z) < 9 ? 1 : 0)));

/**
 * Z-scored with its air: tissue is below 0, a lesion above. Air is one value, but for the last bit of it, as
 * resampling leaves it.
 */
function scanOf(lesion: Volume): Volume {
  const isLesion = lesion.data;
  let i = 0;
  return volumeOf(lesion.size, (x, y, z) => {
    const inLesion = isLesion[i++] === 1;
    if (fromMiddle(x, y, z) > brainRadius) return air * ((7 * x + 3 * y + z) % 3 === 0 ? 1 + 1.2e-7 : 1);
    return (inLesion ? 1.5 : -0.2) + 0.3 * noise.normal();
  });
}

let run: string;
let boxes: Triple[];

beforeAll(async () => {
  const names = ['a', 'b', 'c'];
  for (const name of names) {
    const lesion = lesionIn([56, 37, 37]);
    await writeNifti(join(folder, `${name}_label.nii.gz`), lesion);
    await writeNifti(join(folder, `${name}.nii.gz`), scanOf(lesion));
  }
  await writeNifti(join(folder, 'wide.nii.gz'), scanOf(lesionIn(wide)));
  const dataset = { layout: 'files', modality: 'mr', spacing: null, classes: { 1: 'lesion' } };
  const cases = names.map((name) => labelledCase(name, { split: name === 'c' ? 'validation' : 'training' }));
  const prepared = join(folder, 'prepared');
  await prepareDatasets({
    datasetsFile: writeJson(join(folder, 'datasets.json'), {
      schema: 1,
      datasets: { boxed: { ...dataset, cases }, whole: { ...dataset, cases, foregroundThreshold: null } },
    }),
    out: prepared,
    workers: 1,
  });
  boxes = (await readPreparedIndex(prepared)).cases
    .filter(({ dataset }) => dataset === 'boxed')
    .map(({ size }) => size);
  const settings = await smokeFinetuneConfig(
    prepared,
    'data.datasets=[whole]',
    'train.steps=48',
    'train.warmupSteps=4',
    'train.learningRate=1.0e-2',
    'train.checkpointEvery=48',
    'train.validateEvery=0',
  );
  run = join(folder, 'run');
  await finetune({ settings, out: run });
});

async function predictedBy(...set: string[]): Promise<Volume> {
  const opened = await openRunWeights({ runs: [run], set });
  try {
    const out = join(folder, `predicted-${set.length}.nii.gz`);
    await predictScans({ opened, input: [join(folder, 'wide.nii.gz')], out, withLogits: false });
    return await readVolume(out);
  } finally {
    opened.close();
  }
}

const countFrom = (x: number, { data, size }: Volume) =>
  data.filter((value, i) => value !== 0 && i % size[0] >= x).length;

it('prepares the box of the brain by default, though its tissue is below 0', () => {
  const side = 2 * brainRadius + 1;
  expect(boxes).toEqual(Array(3).fill([side, side, side]));
});

it('labels the lesion, and nothing in windows of air, which the network would label', async () => {
  const label = await predictedBy();
  const lesion = lesionIn(wide).data;
  const both = label.data.filter((value, i) => value === 1 && lesion[i] === 1).length;
  expect((2 * both) / (countFrom(0, label) + lesion.filter((value) => value === 1).length)).toBeGreaterThan(
    0.6,
  );
  expect(countFrom(firstInAir, label)).toBe(0);
  expect(countFrom(firstInAir, await predictedBy('inference.constantWindows=run'))).toBeGreaterThan(1000);
});
