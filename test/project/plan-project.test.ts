import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { finetuneConfig, loadConfig, pretrainConfig } from '../../src/config/index.js';
import { indexDatasets, readDatasetFile } from '../../src/dataset/index.js';
import { DataError, UsageError } from '../../src/errors.js';
import type { TakeStep } from '../../src/project/choose-step.js';
import { type PlanOptions, planProject, writePlan } from '../../src/project/index.js';
import { writeNifti } from '../../src/volume/index.js';
import { asLabel, temporaryFolder, volumeOf } from '../dataset/generated-data.js';
import { smallDisk } from '../small-disk.js';

const folder = temporaryFolder();
const disk = smallDisk(2);
const size = [40, 36, 34] as const;
const inside = (x: number, y: number, z: number) => x > 9 && x < 20 && y > 9 && y < 20 && z > 9 && z < 20;

async function writeScans(place: string, air: number, tissue: number): Promise<void> {
  for (const part of ['images', 'labels']) mkdirSync(join(folder, place, part), { recursive: true });
  for (const [i, name] of ['a', 'b', 'c', 'd', 'e', 'f', 'g'].entries()) {
    const value = (x: number, y: number, z: number) =>
      inside(x, y, z) ? tissue + (x % 10) : x < 2 ? air : tissue / 2;
    const image = volumeOf([...size], value, [1, 1, 1 + 0.1 * i]);
    await writeNifti(join(folder, place, 'images', `${name}.nii.gz`), image);
    if (i >= 5) continue;
    const label = volumeOf([...size], (x, y, z) => (inside(x, y, z) ? (x < 14 ? 1 : 3) : 0), image.spacing);
    await writeNifti(join(folder, place, 'labels', `${name}.nii.gz`), asLabel(label));
  }
}

/** Bytes and seconds that grow with crop, batch and width as they do. */
const takenAs =
  (secondsPerVoxel: number, bytesPerVoxel: number, seen: string[] = []): TakeStep =>
  async ({ kind, settings }, { memoryBytes }) => {
    const { data, train, network } = settings;
    const width = 'features' in network && Array.isArray(network.features) ? Number(network.features[0]) : 0;
    const voxels = data.cropSize[0] * data.cropSize[1] * data.cropSize[2] * train.batchSize * (width / 16);
    seen.push(`${kind} ${width} ${train.batchSize} ${data.cropSize.join('x')}`);
    const peakBytes = bytesPerVoxel * voxels;
    return peakBytes > memoryBytes ? undefined : { seconds: secondsPerVoxel * voxels, peakBytes };
  };

const plan = (place: string, options: Partial<PlanOptions> = {}) =>
  planProject({
    folders: [join(folder, place)],
    out: join(folder, `${place}-project`),
    memoryBytes: 8 * 2 ** 30,
    hours: 24,
    seed: 0,
    take: takenAs(1e-6, 1),
    ...options,
  });

beforeAll(async () => {
  await writeScans('mr', 0, 600);
  await writeScans('ct', -1000, 60);
});

describe('a plan', () => {
  it('finds scans, labels and modality, and writes configurations that their schemas take', async () => {
    const made = await plan('ct', { classes: { 1: 'left lobe', 3: 'right lobe' } });
    const { fingerprint, labelledTraining, heldOut, pretraining } = made;
    expect(fingerprint).toMatchObject({
      modality: 'ct',
      channels: 1,
      scans: 7,
      labelled: 5,
      targetSpacing: [1, 1, 1.3],
      coarseAxis: null,
      windowHu: [60, 69],
    });
    // Voxels 10 to 13 of x and 14 to 19, each 10 x 10 across; spacing 1.2 is the median of the labelled.
    expect(fingerprint.classes).toEqual({
      1: { name: 'left lobe', medianMl: expect.closeTo(0.48, 5), scans: 5 },
      3: { name: 'right lobe', medianMl: expect.closeTo(0.72, 5), scans: 5 },
    });
    expect([labelledTraining, heldOut, pretraining]).toEqual([4, 1, 6]);
    const files = await writePlan(made);
    expect(files.map((file) => file.split('/').at(-1))).toEqual([
      'datasets.json',
      'pretrain.yaml',
      'finetune.yaml',
      'plan.md',
      'plan.json',
    ]);
    const at = (name: string) => join(made.project, name);
    const pretrain = await loadConfig(pretrainConfig, at('pretrain.yaml'));
    const finetune = await loadConfig(finetuneConfig, at('finetune.yaml'));
    // 38 voxels of x are body, 36 of y, 34 of z: to whole sub-volumes, and up to whole cells.
    expect([pretrain.data.cropSize, finetune.data.cropSize]).toEqual([
      [32, 32, 32],
      [40, 40, 40],
    ]);
    expect(pretrain).toMatchObject({
      data: { mode: 'task-specific', split: 'training' },
      network: { features: [64, 64, 128, 256, 512, 64], pools: [2, 2, 2, 1] },
      method: { subVolume: 16, patch: 8, region: 32 },
      train: { batchSize: 4, steps: 74_000, warmupSteps: 3700, learningRate: 1e-4 },
    });
    // The classes differ by their side: no flips.
    expect(finetune).toMatchObject({
      transfer: 'encoder',
      train: { batchSize: 2, steps: 4000, augmentation: { flip: 0, rotate: 0 } },
    });
    const text = readFileSync(at('pretrain.yaml'), 'utf8');
    for (const line of text.trim().split('\n').slice(1)) expect(line).toMatch(/:$|: .+ # .+/);
    const [source] = await indexDatasets(await readDatasetFile(at('datasets.json')));
    expect(source?.preprocessing).toEqual({
      spacing: [1, 1, 1.3],
      intensity: 'ct-window',
      windowHu: [60, 69],
      foregroundThreshold: -500,
    });
    await expect(plan('ct')).rejects.toThrow(
      `${join(folder, 'ct-project')} already holds a plan: carry it out with "hybridmim run`,
    );
    // Of a folder that was there before, a part may be left where the writing was ended.
    rmSync(at('plan.json'));
    await expect(plan('ct')).rejects.toThrow(
      /holds a part of a plan \(datasets.json, pretrain.yaml, finetune.yaml, plan.md\), but no plan.json: remove what was not/,
    );
  });

  it.skipIf(!disk)('is there whole or not at all where the disk is full', async () => {
    const out = join(disk?.folder ?? '', 'project');
    const made = await plan('ct', { out });
    for (const bytes of [0, 4096, 8192, 12_288, 16_384]) {
      disk?.leave(bytes);
      await expect(writePlan(made)).rejects.toThrow(/\(ENOSPC\): the disk is full/);
      expect(readdirSync(disk?.folder ?? '')).toEqual(['filler']);
    }
    disk?.leave(1 << 20);
    expect(await writePlan(made)).toHaveLength(5);
  });

  it('halves the batch, then the width, then shortens crops, for memory and for time', async () => {
    const seen: string[] = [];
    const voxels = 32 ** 3;
    const tight = await plan('mr', { memoryBytes: 1_300_000, take: takenAs(1e-6, 10, seen) });
    expect(tight.fingerprint).toMatchObject({ modality: 'mr', windowHu: null });
    expect(tight.chosen).toMatchObject({ width: 16, pretrain: { batch: 2 }, finetune: { batch: 1 } });
    expect(tight.chosen.sizes).toMatchObject({ pretrainCrop: [32, 32, 32], finetuneCrop: [40, 40, 40] });
    expect(seen.slice(0, 4)).toEqual([
      'pretrain 16 4 32x32x32',
      'pretrain 16 2 32x32x32',
      'finetune 16 2 40x40x40',
      'finetune 16 1 40x40x40',
    ]);
    const smaller = await plan('mr', { memoryBytes: 2 * voxels - 1, take: takenAs(1e-6, 1) }).catch(
      (error) => error,
    );
    expect(smaller).toBeInstanceOf(UsageError);
    expect(smaller.message).toMatch(/does not fit in 0\.0 GiB of memory: give more with --memory/);
    // 0.45 x 3600 s for 2000 steps of pre-training are 0.81 s each.
    const slow = await plan('mr', { hours: 1, take: takenAs(0.8 / (2 * voxels), 1) });
    expect(slow.chosen).toMatchObject({ width: 16, short: false, pretrain: { batch: 2 } });
    // A step that is too slow is given up, the last one never: there is a plan for every machine.
    const patience: string[] = [];
    const short = await plan('mr', {
      hours: 1,
      take: async ({ kind, settings }, { seconds }) => {
        patience.push(`${kind} ${settings.train.batchSize} ${seconds}`);
        return seconds === Number.POSITIVE_INFINITY ? { seconds: 100, peakBytes: 1 } : undefined;
      },
    });
    expect(short.chosen).toMatchObject({ short: true, width: 16, pretrain: { batch: 2, seconds: 100 } });
    expect(patience).toEqual([
      'pretrain 4 0.81',
      'pretrain 2 Infinity',
      'finetune 2 1.26',
      'finetune 1 1.26',
      'finetune 1 Infinity',
    ]);
  });

  it('is of pre-training alone where nothing has a label', async () => {
    const made = await planProject({
      folders: [join(folder, 'ct', 'images')],
      out: join(folder, 'unlabelled'),
      memoryBytes: 2 ** 33,
      hours: 24,
      seed: 0,
      take: takenAs(1e-6, 1),
    });
    expect(made.fingerprint).toMatchObject({ labelled: 0, windowHu: [-1000, 1000], foreground: [] });
    expect(made.chosen.finetune).toBeUndefined();
    expect((await writePlan(made)).some((file) => file.endsWith('finetune.yaml'))).toBe(false);
  });

  it('refuses what cannot be planned together, and leaves nothing behind', async () => {
    const both = { folders: [join(folder, 'ct', 'images'), join(folder, 'mr', 'images')] };
    await expect(plan('both', both)).rejects.toThrow(/are one scan by their names/);
    await expect(plan('missing')).rejects.toThrow(`the folder ${join(folder, 'missing')} does not exist`);
    await expect(plan('mr', { out: join(folder, 'x'), classes: { 1: 'a' } })).rejects.toThrow(
      /holds the value 3, which --classes does not name/,
    );
    const wrong = join(folder, 'wrong');
    mkdirSync(join(wrong, 'labels'), { recursive: true });
    await writeNifti(
      join(wrong, 'a.nii.gz'),
      volumeOf([12, 12, 12], (x) => 100 + x),
    );
    await writeNifti(
      join(wrong, 'labels', 'a.nii.gz'),
      volumeOf([12, 12, 12], (x) => x / 3),
    );
    await expect(plan('wrong')).rejects.toThrow(DataError);
    await writeNifti(join(wrong, 'labels', 'a.nii.gz'), asLabel(volumeOf([10, 12, 12], () => 1)));
    await expect(plan('wrong')).rejects.toThrow(
      /^1 of 1 scans cannot be used; the first: label .* has 10x12x12 voxels, but its image .* has 12x12x12/,
    );
    expect(existsSync(join(folder, 'wrong-project'))).toBe(false);
  });

  it('refuses labels whose names do not say so, and labels without any class', async () => {
    const beside = join(folder, 'beside');
    mkdirSync(beside);
    const cube = asLabel(volumeOf([20, 20, 20], (x) => (x > 9 ? 2 : 0)));
    for (const name of ['a', 'b']) {
      await writeNifti(
        join(beside, `${name}.nii.gz`),
        volumeOf([20, 20, 20], (x, y) => 100 + 20 * x + y),
      );
      await writeNifti(join(beside, `${name}_liver.nii.gz`), cube);
    }
    await expect(plan('beside')).rejects.toThrow(
      `${join(beside, 'a_liver.nii.gz')} holds 2 whole numbers up to 2, as a label does, but neither its name nor its folder says so: end its name in "_seg", or move`,
    );
    const labels = join(folder, 'beside-labels');
    mkdirSync(labels);
    for (const name of ['a', 'b'])
      renameSync(join(beside, `${name}_liver.nii.gz`), join(labels, `${name}_liver.nii.gz`));
    const made = await plan('beside', { labels });
    expect(made.fingerprint).toMatchObject({ scans: 2, labelled: 2, classes: { 2: { name: 'class 2' } } });
    expect(made.notes).toEqual([
      expect.stringMatching(/^labels are paired with scans whose names differ by "liver"/),
    ]);
    await writeNifti(join(labels, 'a_liver.nii.gz'), asLabel(volumeOf([20, 20, 20], () => 0)));
    rmSync(join(labels, 'b_liver.nii.gz'));
    await expect(plan('beside', { labels })).rejects.toThrow(
      /no label holds a value but 0, the first is .*a_liver/,
    );
  });

  it('says where nothing is held out, and where the hours are few', async () => {
    const lone = join(folder, 'lone');
    mkdirSync(lone);
    const image = volumeOf([20, 20, 20], (x, y) => 100 + 20 * x + y);
    await writeNifti(join(lone, 'a.nii.gz'), image);
    await writeNifti(join(lone, 'a_seg.nii.gz'), asLabel(volumeOf([20, 20, 20], (x) => (x > 9 ? 1 : 0))));
    const { notes } = await plan('lone', { hours: 1, take: takenAs(1, 1) });
    expect(notes).toEqual([
      expect.stringMatching(/^no labelled scan is held out, since only one has a label/),
      expect.stringMatching(/^1 h are few on this machine/),
    ]);
  });

  it('does not measure crops that are too slow by their voxels', async () => {
    const large = join(folder, 'large');
    mkdirSync(large);
    const image = volumeOf([96, 96, 96], (x, y) => 100 + x + y);
    await writeNifti(join(large, 'a.nii.gz'), image);
    const seen: string[] = [];
    const made = await plan('large', { hours: 1, take: takenAs(1e-3, 1, seen) });
    expect(seen).toEqual(['pretrain 16 4 96x96x96', 'pretrain 16 2 32x32x32']);
    expect(made.chosen).toMatchObject({ short: true, pretrain: { crop: [32, 32, 32] } });
    const between: string[] = [];
    await plan('large', { hours: 1, take: takenAs(0.81 / (2 * 70 ** 3), 1, between) });
    expect(between).toEqual([
      'pretrain 16 4 96x96x96',
      'pretrain 16 2 96x96x96',
      'pretrain 16 2 64x64x96',
      'pretrain 16 2 64x64x64',
    ]);
  });

  it('leaves out and names what cannot be used, where that is asked for', async () => {
    const some = join(folder, 'some');
    mkdirSync(join(some, 'labels'), { recursive: true });
    for (const name of ['a', 'b', 'c'])
      await writeNifti(
        join(some, `${name}.nii.gz`),
        volumeOf([20, 20, 20], (x) => 100 + x),
      );
    await writeNifti(join(some, 'labels', 'a.nii.gz'), asLabel(volumeOf([20, 20, 20], () => 1)));
    await writeNifti(join(some, 'labels', 'b.nii.gz'), asLabel(volumeOf([10, 20, 20], () => 1)));
    await expect(plan('some')).rejects.toThrow(
      /^1 of 3 scans cannot be used; .* leave them out with --incomplete$/,
    );
    const made = await plan('some', { incomplete: true });
    expect(made.fingerprint).toMatchObject({ scans: 2, labelled: 1 });
    expect(made.notes.join()).toMatch(/some\/b is left out: label/);
  });
});
