import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FinetuneConfig, finetuneConfig, loadConfig } from '../../src/config/index.js';
import { prepareDatasets } from '../../src/dataset/index.js';
import { randomStream } from '../../src/random/streams.js';
import { type Triple, type Volume, writeNifti } from '../../src/volume/index.js';
import { asLabel, labelledCase, volumeOf, writeJson } from '../dataset/generated-data.js';

const size: Triple = [36, 34, 32];
const noise = randomStream(1, 'phantom');
const noisy = (mean: number) => mean + 60 * noise.normal();

/** Nested boxes, each case's elsewhere: 1 around 2 around 4 (which only tumours have). */
function boxes(salt: number, innermost: boolean): Volume {
  const corner = [4 + (salt % 3), 3 + ((2 * salt) % 5), 4 + (salt % 2)];
  const inside = (p: readonly number[], margin: number, side: number) =>
    p.every((n, axis) => n >= corner[axis]! + margin && n < corner[axis]! + margin + side);
  return asLabel(
    volumeOf(size, (x, y, z) => {
      const p = [x, y, z];
      if (innermost && inside(p, 8, 8)) return 4;
      return inside(p, 4, 15) ? 2 : inside(p, 0, 23) ? 1 : 0;
    }),
  );
}

/** Intensities that the label decides, and noise. */
const imageOf = (label: Volume, means: Readonly<Record<number, number>>): Volume => ({
  ...label,
  data: Float32Array.from(label.data, (value) => noisy(means[value]!)),
});

/**
 * Prepares four training and two validation CTs whose organs can be told by their intensity.
 * @param holds whether the label of a case, by its number, keeps a value
 */
export async function prepareOrgans(
  folder: string,
  holds: (i: number, value: number) => boolean = () => true,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const [i, name] of names.entries()) {
    const label = boxes(i, false);
    const kept = { ...label, data: Uint8Array.from(label.data, (value) => (holds(i, value) ? value : 0)) };
    await writeNifti(join(folder, `${name}_label.nii.gz`), kept);
    await writeNifti(join(folder, `${name}.nii.gz`), imageOf(label, { 0: -600, 1: 0, 2: 500 }));
  }
  const cases = names.map((name, i) => labelledCase(name, { split: i < 4 ? 'training' : 'validation' }));
  return prepared(folder, 'organs', { modality: 'ct', classes: { 1: 'liver', 2: 'tumour' }, cases });
}

/** Prepares two training and one validation MR with two channels, z-scored, and three overlapping regions as BraTS has them. */
export async function prepareTumours(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const names = ['a', 'b', 'c'];
  for (const [i, name] of names.entries()) {
    const label = boxes(i, true);
    await writeNifti(join(folder, `${name}_seg.nii.gz`), label);
    await writeNifti(
      join(folder, `${name}_flair.nii.gz`),
      imageOf(label, { 0: 400, 1: 700, 2: 1000, 4: 1000 }),
    );
    await writeNifti(
      join(folder, `${name}_t1ce.nii.gz`),
      imageOf(label, { 0: 400, 1: 400, 2: 700, 4: 1300 }),
    );
  }
  const cases = names.map((name, i) => ({
    id: name,
    images: [`${name}_flair.nii.gz`, `${name}_t1ce.nii.gz`],
    label: `${name}_seg.nii.gz`,
    split: i < 2 ? 'training' : 'validation',
  }));
  return prepared(folder, 'tumours', {
    modality: 'mr',
    classes: { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' },
    cases,
  });
}

/** The smoke configuration of fine-tuning over `prepared`. */
export async function smokeFinetuneConfig(prepared: string, ...overrides: string[]): Promise<FinetuneConfig> {
  return loadConfig(finetuneConfig, 'configs/smoke/finetune.yaml', [
    `data.prepared=${JSON.stringify(prepared)}`,
    'train.threads=1', // two test files run side by side
    ...overrides,
  ]);
}

async function prepared(folder: string, name: string, entry: object): Promise<string> {
  const dataset = { layout: 'files', spacing: null, foregroundThreshold: null, ...entry };
  const datasetsFile = writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: { [name]: dataset } });
  const out = join(folder, 'prepared');
  await prepareDatasets({ datasetsFile, out, workers: 1 });
  return out;
}
