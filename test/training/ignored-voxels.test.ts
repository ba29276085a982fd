import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets } from '../../src/dataset/index.js';
import { evaluateRun, predictScans } from '../../src/prediction/index.js';
import { finetune, readMetrics } from '../../src/training/index.js';
import { segmentationTargets } from '../../src/training/segmentation-targets.js';
import { readVolume, type Triple, writeNifti } from '../../src/volume/index.js';
import { openRunWeights } from '../../src/weights/index.js';
import { asLabel, labelledCase, volumeOf, writeJson } from '../dataset/generated-data.js';
import { smokeFinetuneConfig } from './segmentation-data.js';

const folder = mkdtempSync(join(tmpdir(), 'ignored-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const size: Triple = [36, 34, 32];
const ignore = 3;
const labelAt = (x: number, y: number, z: number) => {
  if (z >= 16) return ignore;
  return x > 8 && x < 24 && y > 8 && y < 24 ? (x > 14 ? 2 : 1) : 0;
};
const regions = { whole: [1, 2], core: [2] };
let prepared: string;

beforeAll(async () => {
  mkdirSync(join(folder, 'imagesTr'), { recursive: true });
  mkdirSync(join(folder, 'labelsTr'));
  for (const name of ['a', 'b', 'c']) {
    const label = asLabel(volumeOf(size, labelAt));
    const data = Float32Array.from(label.data, (value, i) => 300 * (value % ignore) - 500 + (i % 7));
    await writeNifti(join(folder, 'imagesTr', `${name}_0000.nii.gz`), { ...label, data });
    await writeNifti(join(folder, 'labelsTr', `${name}.nii.gz`), label);
  }
  const labels = { background: 0, whole: [1, 2], core: 2, ignore };
  writeJson(join(folder, 'dataset.json'), {
    channel_names: { 0: 'CT' },
    labels,
    regions_class_order: [1, 2],
    file_ending: '.nii.gz',
  });
  const entry = {
    layout: 'nnunet',
    path: folder,
    spacing: null,
    foregroundThreshold: null,
    splits: { validation: ['c'] },
  };
  const classes = { ...entry, layout: 'files', modality: 'ct', classes: { 1: 'x', 2: 'y' }, ignore };
  const cases = ['a', 'b', 'c'].map((name) => ({
    ...labelledCase(name),
    image: `imagesTr/${name}_0000.nii.gz`,
    label: `labelsTr/${name}.nii.gz`,
  }));
  const datasetsFile = writeJson(join(folder, 'datasets.json'), {
    schema: 1,
    datasets: { regions: entry, classes: { ...classes, cases } },
  });
  prepared = join(folder, 'prepared');
  await prepareDatasets({ datasetsFile, out: prepared, workers: 1 });
});

describe.each(['regions', 'classes'])('fine-tuning on %s of a dataset with a value to ignore', (dataset) => {
  it('learns, validates and is evaluated without the voxels that have it', async () => {
    const settings = await smokeFinetuneConfig(
      prepared,
      `data.datasets=[${dataset}]`,
      'train.steps=2',
      'train.warmupSteps=0',
      'train.validateEvery=2',
    );
    const out = join(folder, `run-${dataset}`);
    await finetune({ settings, out });
    const lines = readMetrics(out);
    expect(lines.every((line) => !('loss' in line) || Number.isFinite(line.loss))).toBe(true);
    const evaluation = await evaluateRun({ run: out, split: 'validation', task: 't' });
    const names = dataset === 'regions' ? ['whole', 'core'] : ['x', 'y'];
    expect([evaluation.classes, evaluation.settings?.ignore]).toEqual([names, ignore]);
    const [found] = evaluation.cases;
    const [prediction, reference] = [
      await readVolume(found!.files!.prediction),
      await readVolume(found!.files!.reference),
    ];
    expect(prediction.data.includes(ignore as never)).toBe(false);
    for (const [name, values] of Object.entries(dataset === 'regions' ? regions : { x: [1], y: [2] })) {
      let [predicted, present, both] = [0, 0, 0];
      reference.data.forEach((value, i) => {
        if (value === ignore) return;
        const [there, said] = [values.includes(value), values.includes(prediction.data[i]!)];
        present += Number(there);
        predicted += Number(said);
        both += Number(there && said);
      });
      const { voxels, dice } = found!.classes[name]!;
      expect(voxels).toEqual({ predicted, present, both, all: 36 * 34 * 16 });
      expect(dice).toBeCloseTo((2 * both) / (predicted + present), 10);
      // The grid of the prepared scan is its own here, so that validation saw the same.
      const validated = lines.find((line) => 'validation' in line) as unknown as {
        validation: Record<string, number>;
      };
      expect(validated.validation[`dice ${name}`]).toBeCloseTo(dice!, 10);
    }
    const opened = await openRunWeights({ runs: [out] });
    try {
      const [first, ...others] = await predictScans({
        opened,
        input: [join(folder, 'imagesTr')],
        out: join(folder, `masks-${dataset}`),
        withLogits: false,
        withMasks: true,
      });
      expect([first!.name, others.map(({ name }) => name)]).toEqual(['a', ['b', 'c']]);
      const label = await readVolume(first!.label);
      for (const [i, name] of names.entries()) {
        const mask = await readVolume(join(folder, `masks-${dataset}`, 'a', `${name}.nii.gz`));
        const values = opened.scheme.values[i]!;
        expect([...mask.data]).toEqual([...label.data].map((value) => Number(values.includes(value))));
      }
    } finally {
      opened.close();
    }
    const metadata = readFileSync(join(out, 'checkpoints', 'last.safetensors'))
      .subarray(8, 4096)
      .toString();
    expect(metadata).toContain('\\"ignore\\":3');
  });
});

describe('the targets of voxels to ignore', () => {
  it('are -1, in every channel of regions', () => {
    const labels = Int32Array.of(0, 2, 3, 1);
    const classes = { kind: 'classes', names: ['x', 'y'], values: [[1], [2]], ignore } as const;
    expect(segmentationTargets(classes, 1, [1, 1, 4]).of(labels)).toEqual(Int32Array.of(0, 2, -1, 1));
    const both = { kind: 'regions', names: ['whole', 'core'], values: [[1, 2], [2]], ignore } as const;
    expect(segmentationTargets(both, 1, [1, 1, 4]).of(labels)).toEqual(
      Float32Array.of(...[0, 0], ...[1, 1], ...[-1, -1], ...[1, 0]),
    );
  });
});
