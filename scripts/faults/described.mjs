// What describes scans and weights of others: presets, bundles, lists of cases, archives. See targets.mjs.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { create } from 'tar';
import { copySpoilt } from './copy-spoilt.mjs';
import { attempt, require, room } from './expectations.mjs';
import { cut, editBytes, editJson, editText, oneOf, turnBits } from './mutations.mjs';

const grid = {
  size: [5, 4, 3],
  spacing: [1, 1, 1],
  affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
  channels: 1,
};

/** Presets, and the two files of a MONAI bundle. */
export async function presets() {
  const { checkConfig, readPreset } = await room('config');
  const { presetSchema } = await import('../../dist/config/preset.js');
  const own = {
    orientation: 'as stored',
    spacing: [1.5, 1.5, 2],
    intensity: 'ct-window',
    windowHu: [-175, 250],
    foregroundThreshold: -100,
    notFinite: 0,
    classes: { 1: 'spleen', 2: 'liver' },
    inference: { window: [96, 96, 96], overlap: 0.5, blend: 'gaussian' },
    network: { features: [32, 32, 64], name: 'unet' },
  };
  const inference = {
    preprocessing: {
      _target_: 'Compose',
      transforms: [
        { _target_: 'LoadImaged', keys: 'image' },
        { _target_: 'Orientationd', keys: 'image', axcodes: 'RAS' },
        { _target_: 'Spacingd', keys: 'image', pixdim: '@spacing' },
        { _target_: 'ScaleIntensityRanged', a_min: -57, a_max: 164, b_min: 0, b_max: 1, clip: true },
      ],
    },
    spacing: [1.5, 1.5, 2],
    inferer: { _target_: 'SlidingWindowInferer', roi_size: [96, 96, 96], overlap: 0.5, mode: 'gaussian' },
    postprocessing: { _target_: 'Compose', transforms: [{ _target_: 'Activationsd', softmax: true }] },
    network_def: { _target_: 'monai.networks.nets.SwinUNETR' },
  };
  const metadata = {
    monai_version: '1.3.0',
    network_data_format: { outputs: { pred: { channel_def: { 0: 'background', 1: 'spleen' } } } },
  };
  const spoilt = (random, content) => {
    const text = JSON.stringify(random.integer(3) ? editJson(random, content) : content, null, 1) ?? '';
    return random.integer(3) ? text : editText(random, text);
  };
  return async (random, folder) => {
    const isBundle = random.integer(2) === 1;
    const path = isBundle ? folder : join(folder, 'preset.json');
    if (isBundle) {
      const which = random.integer(3);
      mkdirSync(join(folder, 'configs'));
      for (const [i, [name, content]] of Object.entries({ inference, metadata }).entries())
        writeFileSync(
          join(folder, 'configs', `${name}.json`),
          which === i ? JSON.stringify(content) : spoilt(random, content),
        );
    } else writeFileSync(path, spoilt(random, own));
    const { value, error } = await attempt(() => readPreset(path));
    if (error) {
      require(error.message.includes(folder), `the sentence names no file: ${error.message}`);
      return 'refused';
    }
    // As text, which knows no 0 below 0.
    const written = JSON.stringify(value);
    require(JSON.stringify(checkConfig(presetSchema, JSON.parse(written), path)) ===
      written, 'what was accepted is read otherwise once it is written');
    return 'accepted';
  };
}

/** Descriptions of data sets by others (the Decathlon's, nnU-Net's), groups in a CSV file, and splits. */
export async function caseLists(folder) {
  const { readDatasetFile } = await room('dataset');
  const { indexDatasets } = await import('../../dist/dataset/index/index-datasets.js');
  const { withSplitFile } = await import('../../dist/dataset/index/split-file.js');
  const { isFileName } = await import('../../dist/dataset/index/case-ids.js');
  const { findDatasets } = await import('../../dist/project/find-datasets.js');
  const { writeNifti } = await room('volume');
  const truth = join(folder, 'truth');
  const names = ['p1_a', 'p1_b', 'p2_a'];
  for (const [layout, ending] of [
    ['msd', ''],
    ['nnunet', '_0000'],
  ]) {
    for (const part of ['imagesTr', 'labelsTr']) {
      mkdirSync(join(truth, layout, part), { recursive: true });
      for (const name of names)
        await writeNifti(join(truth, layout, part, `${name}${part === 'imagesTr' ? ending : ''}.nii.gz`), {
          ...grid,
          data: Uint8Array.from({ length: 60 }, (_, i) => i % 3),
        });
    }
  }
  const texts = {
    'msd/dataset.json': JSON.stringify({
      name: 'Liver',
      modality: { 0: 'CT' },
      labels: { 0: 'background', 1: 'liver', 2: 'cancer' },
      numTraining: 3,
      training: names.map((name) => ({
        image: `./imagesTr/${name}.nii.gz`,
        label: `./labelsTr/${name}.nii.gz`,
        fold: 0,
      })),
      test: ['./imagesTs/x.nii.gz'],
    }),
    'nnunet/dataset.json': JSON.stringify({
      channel_names: { 0: 'CT' },
      labels: { background: 0, whole: [1, 2], tumour: 2, ignore: 3 },
      regions_class_order: [1, 2],
      numTraining: 3,
      file_ending: '.nii.gz',
    }),
    'groups.csv': `case,group\n${names.map((name) => `${name},${name.slice(0, 2)}\n`).join('')}`,
    'splits.json': JSON.stringify({
      msd: { training: ['p1_a'], validation: ['p2_a'] },
      nnunet: { test: ['p1_b'] },
    }),
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(truth, name), text);
  const files = Object.keys(texts);
  const indexed = async (at, datasetsFile) => {
    const dataset = (layout) => ({ layout, path: join(at, layout), groups: join(at, 'groups.csv') });
    writeFileSync(
      datasetsFile,
      JSON.stringify({ schema: 1, datasets: { msd: dataset('msd'), nnunet: dataset('nnunet') } }),
    );
    return indexDatasets(await withSplitFile(await readDatasetFile(datasetsFile), join(at, 'splits.json')));
  };
  await indexed(truth, join(folder, 'datasets.json'));
  return async (random, own) => {
    const at = join(own, 'data');
    copySpoilt(random, truth, at, files);
    for (const layout of ['msd', 'nnunet'])
      await attempt(() => findDatasets({ folders: [join(at, layout)] }));
    const { value, error } = await attempt(() => indexed(at, join(own, 'datasets.json')));
    if (error) {
      require(error.message.includes(own), `the sentence names no file: ${error.message}`);
      return 'refused';
    }
    for (const { cases } of value) {
      const ids = cases.map(({ id }) => id);
      require(new Set(ids).size === ids.length, `an id comes twice: ${ids}`);
      for (const { name } of cases) require(isFileName(name), `a name that is none of a file: ${name}`);
    }
    return 'accepted';
  };
}

/** Archives of a data set, compressed or not. */
export async function archives(folder) {
  const { unpackArchive } = await import('../../dist/download/unpack.js');
  const name = 'Task99_Fuzz';
  const source = join(folder, 'source');
  const texts = {};
  for (const part of ['', 'imagesTr', 'labelsTr']) mkdirSync(join(source, name, part), { recursive: true });
  for (const file of [
    'dataset.json',
    'imagesTr/a.nii',
    'imagesTr/b.nii',
    'labelsTr/a.nii',
    '._dataset.json',
  ]) {
    texts[file] = `${file} `.repeat(400);
    writeFileSync(join(source, name, file), texts[file]);
  }
  delete texts['._dataset.json'];
  const samples = [];
  for (const gzip of [false, true]) {
    const file = join(folder, `whole-${gzip}.tar`);
    await create({ cwd: source, file, gzip, portable: true }, [name]);
    samples.push({ gzip, bytes: readFileSync(file) });
  }
  return async (random, own) => {
    const { gzip, bytes } = oneOf(random, samples);
    const way = random.integer(4);
    // Most of an archive are its files: headers are hit more often.
    const header = gzip ? 0 : 512 * random.integer(Math.floor(bytes.length / 512));
    const [from, to] = random.integer(2) ? [header, Math.min(header + 512, bytes.length)] : [0, bytes.length];
    const changed =
      way === 0
        ? cut(random, bytes)
        : way === 1
          ? turnBits(random, bytes, from, to)
          : editBytes(random, bytes, from, to);
    const archive = join(own, 'a.tar');
    writeFileSync(archive, changed);
    const out = join(own, 'out');
    mkdirSync(out);
    const target = join(out, name);
    const { value, error } = await attempt(() =>
      unpackArchive({ archive, folder: target, name, onBytes: () => {} }),
    );
    require(readdirSync(own).toSorted().join() === 'a.tar,out', `it left ${readdirSync(own)}`);
    if (error) {
      require(readdirSync(out).length === 0, `it is refused, and leaves ${readdirSync(out)}`);
      return 'refused';
    }
    require(readdirSync(out).join() === name, `it leaves ${readdirSync(out)}`);
    const found = readdirSync(target, { recursive: true, withFileTypes: true });
    require(found.every(
      (entry) => entry.isFile() || entry.isDirectory(),
    ), 'it unpacked what is neither file nor folder');
    const unpacked = Object.fromEntries(
      found
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name: file }) => [
          join(parentPath, file).slice(target.length + 1),
          readFileSync(join(parentPath, file), 'utf8'),
        ]),
    );
    require(value.files ===
      Object.keys(unpacked).length, `it says ${value.files} files of ${Object.keys(unpacked).length}`);
    if (isDeepStrictEqual(unpacked, texts)) return 'accepted';
    require(!gzip, `a compressed archive is accepted with other files: ${Object.keys(unpacked)}`);
    return 'changed';
  };
}
