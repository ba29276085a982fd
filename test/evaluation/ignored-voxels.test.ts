import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { evaluateCase, evaluateFolders, nnunetSummary, summarise } from '../../src/evaluation/index.js';
import { randomStream } from '../../src/random/streams.js';
import { writeNifti } from '../../src/volume/index.js';
import { labelVolume } from './references.js';

const root = mkdtempSync(join(tmpdir(), 'ignored-voxels-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const classes = [
  { name: 'a', values: [1] },
  { name: 'both', values: [1, 2] },
];
const size = [9, 8, 7] as const;
const stream = randomStream(5, 'phantom');
const random = (values: readonly number[]) =>
  Uint8Array.from({ length: 504 }, () => values[stream.integer(values.length)]!);
const files = { prediction: 'p', reference: 'r' };
const further = { nsdToleranceMm: [1] };

describe('voxels that the label ignores', () => {
  const reference = random([0, 0, 1, 2, 255]);
  const prediction = random([0, 0, 1, 2]);

  it('count on neither side: the metrics are those of background there', () => {
    const cleared = (data: Uint8Array) => data.map((value, i) => (reference[i] === 255 ? 0 : value));
    const found = evaluateCase(
      'c',
      labelVolume(size, prediction),
      labelVolume(size, reference),
      classes,
      files,
      further,
      255,
    );
    const expected = evaluateCase(
      'c',
      labelVolume(size, cleared(prediction)),
      labelVolume(size, cleared(reference)),
      classes,
      files,
      further,
    );
    const counted = reference.filter((value) => value !== 255).length;
    for (const { name } of classes) {
      const { voxels, ...metrics } = found.classes[name]!;
      const { voxels: all, ...others } = expected.classes[name]!;
      expect(metrics).toEqual(others);
      expect(voxels).toEqual({ ...all, all: counted });
    }
  });

  it('give the counts that nnU-Net takes over the other voxels alone', () => {
    const cases = [
      evaluateCase(
        'c',
        labelVolume(size, prediction),
        labelVolume(size, reference),
        classes,
        files,
        further,
        255,
      ),
    ];
    const classValues = { a: [1], both: [1, 2] };
    const summary = JSON.parse(
      nnunetSummary(
        summarise('t', ['a', 'both'], cases, { classValues, settings: further, software: {} as never }),
      )!,
    ) as { metric_per_case: { metrics: Record<string, Record<string, number>> }[] };
    for (const [key, values] of [
      ['1', [1]],
      ['(1, 2)', [1, 2]],
    ] as const) {
      const counts = { TP: 0, FP: 0, FN: 0, TN: 0 };
      reference.forEach((value, i) => {
        if (value === 255) return;
        const [there, said] = [values.includes(value as never), values.includes(prediction[i] as never)];
        counts[there ? (said ? 'TP' : 'FN') : said ? 'FP' : 'TN']++;
      });
      expect(summary.metric_per_case[0]!.metrics[key]).toMatchObject({
        ...counts,
        n_pred: counts.TP + counts.FP,
        n_ref: counts.TP + counts.FN,
        Dice: (2 * counts.TP) / (2 * counts.TP + counts.FP + counts.FN),
      });
    }
  });

  it('are left out of two folders, may be predicted as anything, and change no volume that was given', async () => {
    const folder = (name: string) => {
      mkdirSync(join(root, name), { recursive: true });
      return join(root, name);
    };
    const row = (values: number[]) => labelVolume([values.length, 1, 1], Uint8Array.from(values));
    await writeNifti(join(folder('p'), 'c.nii'), row([1, 1, 1, 255, 0, 255]));
    await writeNifti(join(folder('l'), 'c.nii'), row([1, 255, 255, 255, 1, 0]));
    const options = { predictions: join(root, 'p'), labels: join(root, 'l'), classes };
    const { cases } = await evaluateFolders({ ...options, ignore: 255 });
    expect(cases[0]!.classes.a).toMatchObject({
      dice: 2 / 3,
      voxels: { predicted: 1, present: 2, both: 1, all: 3 },
    });
    await expect(evaluateFolders(options)).rejects.toThrow(/holds the value 255/);
    await expect(evaluateFolders({ ...options, ignore: 1 })).rejects.toThrow(UsageError);
  });
});
