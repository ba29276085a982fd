// What is spoilt, who reads it, and what must hold whatever was done to it: an error is one of ours, what is accepted
// is true, and two readers of one file agree.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { copySpoilt } from './copy-spoilt.mjs';
import { archives, caseLists, presets } from './described.mjs';
import { attempt, require, room } from './expectations.mjs';
import { cut, editBytes, editJson, editText, oneOf, turnBits } from './mutations.mjs';
import { sameValues, scanFiles, scanSamples, sorted, spoilt } from './spoilt-scans.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Each makes, in a folder, a reader of spoilt inputs: `(random, folder) => 'accepted' | 'refused' | 'changed'`. What
 * is 'changed' was accepted with other values than the truth, where the format has nothing that would show it.
 */
export const targets = {
  ...Object.fromEntries(
    Object.entries(scanFiles).map(([format, paths]) => [format, () => scans(paths, format === 'gzip')]),
  ),
  safetensors,
  yaml: configurations,
  index: datasetIndexes,
  cache: preparedFolders,
  run: runFolders,
  evaluation: evaluations,
  weights: weightsMetadata,
  preset: presets,
  list: caseLists,
  archive: archives,
};

// ---------------------------------------------------------------------------------------------------- scans

async function scans(paths, packedAlone) {
  const { readVolume, openSlices } = await room('volume');
  const { checkCase } = await import(join(root, 'dist/dataset/check/check-case.js'));
  const { prepareCase } = await import(join(root, 'dist/dataset/prepare/prepare-case.js'));
  const { preprocessingOf, readPreparedVolume } = await room('dataset');

  const slicesOf = async (file) => {
    const opened = await openSlices(file);
    const values = [];
    for await (const slice of opened.slices()) values.push(Float64Array.from(slice));
    const { size, spacing, affine, channels } = opened;
    return { size, spacing, affine, channels, data: joined(values) };
  };
  const prepared = async (main, folder, spacing) => {
    const preprocessing = preprocessingOf('mr', { spacing, intensity: 'none', foregroundThreshold: null });
    const source = { id: 'd/a', dataset: 'd', name: 'a', split: 'training', images: [main] };
    const task = { source, preprocessing, classes: {} };
    const checked = await checkCase(task);
    const out = join(folder, 'prepared');
    mkdirSync(join(out, 'd'), { recursive: true });
    const made = await attempt(() => prepareCase({ out, ...task }));
    return {
      unusable: checked.findings
        .filter(({ severity }) => severity === 'unusable')
        .map(({ message }) => message),
      refusal: made.error?.message,
      volume: made.value && (await readPreparedVolume(out, made.value)).image,
      left: readdirSync(out, { recursive: true }).filter((name) => name.endsWith('.partial')),
    };
  };
  const samples = await scanSamples(paths);

  return async (random, folder) => {
    const sample = oneOf(random, samples);
    const { truth, isFolder } = sample;
    const { way, files, harmless } = spoilt(random, sample, packedAlone);
    const scan = join(folder, 'scan');
    mkdirSync(scan);
    for (const { name, bytes } of files) writeFileSync(join(scan, name), bytes);
    const main = isFolder ? scan : join(scan, files[0].name);

    const whole = await attempt(() => readVolume(main));
    const sliced = await attempt(() => slicesOf(main));
    require((whole.error === undefined) ===
      (sliced.error ===
        undefined), `${way} of ${sample.path}: whole and slice by slice disagree: ${whole.error?.message ?? 'read'}; ${sliced.error?.message ?? 'read'}`);
    const spacing = oneOf(random, [null, null, [1, 1, 1]]);
    const { unusable, refusal, volume, left } = await prepared(main, folder, spacing);
    require((refusal === undefined) ===
      (unusable.length ===
        0), `${way} of ${sample.path}: --check says ${unusable[0] ?? 'nothing'}; prepare says ${refusal ?? 'nothing'}`);
    require(refusal === undefined ||
      unusable.includes(refusal) ||
      whole.error !==
        undefined, `${way} of ${sample.path}: --check says "${unusable[0]}", prepare "${refusal}"`);
    require(left.length === 0, `${way} of ${sample.path}: prepare leaves ${left}`);
    if (whole.error) {
      require(refusal !==
        undefined, `${way} of ${sample.path}: prepare takes what cannot be read: ${whole.error.message}`);
      require(whole.error.message.includes(
        scan,
      ), `${way} of ${sample.path}: the sentence names no file: ${whole.error.message}`);
      return 'refused';
    }
    requireSound(whole.value, `${way} of ${sample.path}`);
    require(isDeepStrictEqual(sliced.value.affine, whole.value.affine) &&
      sameValues(
        sliced.value,
        whole.value,
      ), `${way} of ${sample.path}: whole and slice by slice are other values`);
    if (harmless !== undefined) {
      require(!harmless.refused, `${way} of ${sample.path} is accepted, but ${harmless.why}`);
      require(sameValues(
        whole.value,
        truth,
      ), `${way} of ${sample.path} is accepted with other voxels than the truth`);
    }
    if (volume && spacing === null) {
      const same = sorted(volume.data);
      require(isDeepStrictEqual(
        same,
        sorted(Float32Array.from(whole.value.data)),
      ), `${way} of ${sample.path}: the prepared voxels are others than those of the scan`);
    }
    if (refusal !== undefined) return 'refused';
    return sameValues(whole.value, truth) ? 'accepted' : 'changed';
  };
}

function joined(parts) {
  const data = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function requireSound({ size, spacing, affine, channels, data }, what) {
  require(size.every((n) => Number.isInteger(n) && n > 0) &&
    Number.isInteger(channels) &&
    data.length ===
      channels *
        size[0] *
        size[1] *
        size[2], `${what} is accepted with a size of ${size} x ${channels} and ${data.length} values`);
  require(spacing.every((mm) => Number.isFinite(mm) && mm > 0) &&
    affine.rows.every(
      Number.isFinite,
    ), `${what} is accepted with a spacing of ${spacing} and ${affine.rows}`);
}

// -------------------------------------------------------------------------------------------------- weights

async function safetensors(folder) {
  const { readSafetensors, writeSafetensors } = await room('network');
  const file = join(folder, 'truth.safetensors');
  const arrays = Object.fromEntries(
    ['conv.weight', 'conv.bias', 'ä', 'zero'].map((name, i) => [
      name,
      { shape: [i, 3], data: Float32Array.from({ length: 3 * i }, (_, j) => i + j / 7) },
    ]),
  );
  await writeSafetensors(file, arrays, { step: '4', axisOrder: 'xyz', scheme: '{"a":1}' });
  const truth = readFileSync(file);
  const foreignFile = join(root, 'test/parity/network/types.safetensors');
  const foreign = readFileSync(foreignFile);
  const foreignArrays = { ...(await readSafetensors(foreignFile)).arrays };
  return async (random, own) => {
    const spoiltFile = join(own, 'a.safetensors');
    const summed = random.integer(4) > 0;
    const whole = summed ? truth : foreign;
    const way = random.integer(4);
    const bytes =
      way === 0
        ? turnBits(random, whole)
        : way === 1
          ? cut(random, whole)
          : way === 2
            ? editBytes(random, whole)
            : editedHeader(random, whole);
    writeFileSync(spoiltFile, bytes);
    const { value, error } = await attempt(() => readSafetensors(spoiltFile));
    if (error) return 'refused';
    for (const { shape, data } of Object.values(value.arrays))
      require(data.length ===
        shape.reduce((product, n) => product * n, 1), 'an array has another length than its shape says');
    const hasSum = bytes.includes('"contentSha256"');
    if (summed && hasSum) {
      require(way !== 1, 'what is cut off is accepted');
      require(isDeepStrictEqual(
        { ...value.arrays },
        arrays,
      ), `accepted with other weights than the truth: ${JSON.stringify(value.arrays)}`);
    }
    return isDeepStrictEqual({ ...value.arrays }, summed ? arrays : foreignArrays) ? 'accepted' : 'changed';
  };
}

export function editedHeader(random, bytes) {
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const text = Buffer.from(JSON.stringify(editJson(random, header)) ?? 'null');
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([start, text, bytes.subarray(8 + length)]);
}

async function weightsMetadata() {
  const { initialiseParameters, makeNetwork, writeWeights } = await room('network');
  const { openForeignWeights, openRunWeights } = await room('weights');
  const { outputChannels } = await room('inference');
  const settings = { name: 'unet', features: [2, 2, 2, 2, 2, 2], pools: [2, 2, 2, 2], dropout: 0 };
  const { specs } = makeNetwork(settings, { inChannels: 1, outChannels: 3 });
  const values = initialiseParameters(specs, 1);
  const facts = {
    network: { ...settings, inChannels: 1, outChannels: 3 },
    scheme: { kind: 'classes', names: ['liver', 'tumour'], values: [[1], [2]] },
    preprocessing: {
      spacing: null,
      intensity: 'ct-window',
      windowHu: [-100, 100],
      foregroundThreshold: null,
    },
  };
  const config = readFileSync(join(root, 'configs/smoke/finetune.yaml'), 'utf8');
  const { finetuneConfig, loadConfig } = await room('config');
  const full = stringify(
    await loadConfig(finetuneConfig, join(root, 'configs/smoke/finetune.yaml'), ['data.datasets=[a]']),
  );
  require(config.length > 0, 'there is a configuration');
  return async (random, own) => {
    const run = join(own, 'run');
    mkdirSync(join(run, 'checkpoints'), { recursive: true });
    writeFileSync(join(run, 'config.yaml'), full);
    const metadata = Object.fromEntries(
      Object.entries(random.integer(10) ? (editJson(random, facts) ?? {}) : facts).map(([key, value]) => {
        const text = JSON.stringify(value) ?? '';
        return [key, random.integer(8) ? text : editText(random, text)];
      }),
    );
    const file = join(run, 'checkpoints', 'last.safetensors');
    await writeWeights(file, values, specs, metadata);
    const opened = random.integer(2)
      ? await attempt(() =>
          openForeignWeights({
            files: [file],
            network: 'unet',
            set: ['inference.window=[16,16,16]', 'threads=1'],
          }),
        )
      : await attempt(() => openRunWeights({ runs: [run], set: ['inference.window=[16,16,16]'] }));
    if (opened.error) return 'refused';
    const { scheme } = opened.value;
    opened.value.close();
    require(outputChannels(scheme) === 3, `accepted with ${outputChannels(scheme)} channels`);
    require(scheme.values
      .flat()
      .every(
        (value) => Number.isInteger(value) && value > 0 && value < 2 ** 32,
      ), `accepted with the label values ${JSON.stringify(scheme.values)}`);
    return 'accepted';
  };
}

// --------------------------------------------------------------------------------- configurations and indexes

async function configurations() {
  const config = await room('config');
  const schemas = {
    pretrain: config.pretrainConfig,
    finetune: config.finetuneConfig,
    experiment: config.experimentConfig,
  };
  const samples = Object.keys(schemas).flatMap((kind) =>
    readdirSync(join(root, 'configs', kind)).map((name) => ({
      kind,
      text: readFileSync(join(root, 'configs', kind, name), 'utf8').replaceAll(/^# yaml-language.*$/gm, ''),
    })),
  );
  const overrides = [
    'train.steps=10',
    'data.cropSize=[32,32,32]',
    'network.features=[1,2]',
    'method.region=16',
    'seed=3',
  ];
  return async (random, own) => {
    const { kind, text } = oneOf(random, samples);
    const file = join(own, 'config.yaml');
    const spoiltText = random.integer(2) ? editText(random, text) : stringify(editJson(random, parse(text)));
    writeFileSync(file, spoiltText);
    const set = random.integer(3) ? [] : [editText(random, oneOf(random, overrides))];
    const { value, error } = await attempt(() => config.loadConfig(schemas[kind], file, set));
    require({}.polluted === undefined && !('x' in {}), 'what every object has was changed');
    if (error) return 'refused';
    const again = join(own, 'again.yaml');
    writeFileSync(again, stringify(value));
    const read = await attempt(() => config.loadConfig(schemas[kind], again));
    require(!read.error &&
      isDeepStrictEqual(
        read.value,
        value,
      ), `what a run folder keeps of it is read otherwise: ${read.error?.message ?? 'other values'}`);
    return 'accepted';
  };
}

async function datasetIndexes(folder) {
  const { readDatasetFile } = await room('dataset');
  const { indexDatasets } = await import(join(root, 'dist/dataset/index/index-datasets.js'));
  const { checkCase } = await import(join(root, 'dist/dataset/check/check-case.js'));
  const { prepareCase } = await import(join(root, 'dist/dataset/prepare/prepare-case.js'));
  const { writeNifti } = await room('volume');
  const grid = {
    size: [5, 4, 3],
    spacing: [1, 1, 1],
    affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
    channels: 1,
  };
  for (const name of ['a', 'b', 'c']) {
    await writeNifti(join(folder, `${name}.nii.gz`), {
      ...grid,
      data: Float32Array.from({ length: 60 }, (_, i) => 10 * i - 300),
    });
    await writeNifti(join(folder, `${name}_label.nii.gz`), {
      ...grid,
      data: Uint8Array.from({ length: 60 }, (_, i) => i % 3),
    });
  }
  const truth = {
    schema: 1,
    seed: 3,
    validationShare: 0.3,
    datasets: {
      ct: {
        layout: 'files',
        modality: 'ct',
        path: folder,
        spacing: [1, 1, 1],
        windowHu: [-100, 100],
        foregroundThreshold: -250,
        classes: { 1: 'liver', 2: 'tumour' },
        labelMap: { 1: 1, 2: 2, '*': 0 },
        cases: ['a', 'b', 'c'].map((id) => ({
          id,
          image: `${id}.nii.gz`,
          label: `${id}_label.nii.gz`,
          split: 'training',
        })),
      },
      folder: {
        layout: 'folder',
        modality: 'mr',
        path: folder,
        images: '?.nii.gz',
        labels: '?_label.nii.gz',
        classes: { 1: 'a', 2: 'b' },
      },
    },
  };
  return async (random, own) => {
    const file = join(own, 'datasets.json');
    const text = JSON.stringify(random.integer(4) ? editJson(random, truth) : truth, null, 1);
    writeFileSync(file, random.integer(3) ? text : editText(random, text));
    const { value, error } = await attempt(async () => indexDatasets(await readDatasetFile(file)));
    if (error) return 'refused';
    let refused = 0;
    for (const { classes, preprocessing, cases } of value)
      for (const source of cases.slice(0, 1)) {
        const task = { source, preprocessing, classes };
        const { findings } = await checkCase(task);
        const unusable = findings
          .filter(({ severity }) => severity === 'unusable')
          .map(({ message }) => message);
        mkdirSync(join(own, source.dataset), { recursive: true });
        const made = await attempt(() => prepareCase({ out: own, ...task }));
        require((made.error === undefined) ===
          (unusable.length ===
            0), `--check says ${unusable[0] ?? 'nothing'}; prepare says ${made.error?.message ?? 'nothing'}`);
        if (made.error) refused++;
      }
    return refused > 0 ? 'refused' : 'accepted';
  };
}

// -------------------------------------------------------------------------------------- folders that we wrote

async function preparedFolders(folder) {
  const { prepareDatasets, readPreparedIndex, readPreparedVolume, selectCases, withFold } =
    await room('dataset');
  const { openChunkedFile } = await import(join(root, 'dist/dataset/cache/chunked-file.js'));
  const { unchangedRecord } = await import(join(root, 'dist/dataset/prepare/prepare-cases.js'));
  const { preparedTable } = await room('report-sources');
  const { writeNifti } = await room('volume');
  const grid = {
    size: [37, 34, 33],
    spacing: [1, 1, 1],
    affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
    channels: 1,
  };
  const voxels = 37 * 34 * 33;
  for (const name of ['a', 'b']) {
    await writeNifti(join(folder, `${name}.nii`), {
      ...grid,
      data: Float32Array.from({ length: voxels }, (_, i) => i % 977),
    });
    await writeNifti(join(folder, `${name}_label.nii`), {
      ...grid,
      data: Uint8Array.from({ length: voxels }, (_, i) => (i >> 4) % 3),
    });
  }
  const datasetsFile = join(folder, 'datasets.json');
  const cases = ['a', 'b'].map((id) => ({
    id,
    image: `${id}.nii`,
    label: `${id}_label.nii`,
    split: 'training',
  }));
  const dataset = {
    layout: 'files',
    modality: 'mr',
    spacing: null,
    foregroundThreshold: null,
    classes: { 1: 'x', 2: 'y' },
    cases,
  };
  writeFileSync(datasetsFile, JSON.stringify({ schema: 1, datasets: { d: dataset } }));
  const truth = join(folder, 'truth');
  const { index } = await prepareDatasets({ datasetsFile, out: truth, workers: 1 });
  const preprocessing = index.cases[0].preprocessing;
  const names = ['index.json', 'd/a.case.json', 'd/a.image.hmv', 'd/a.label.hmv'];
  const originals = await readPreparedVolume(truth, index.cases[0]);
  return async (random, own) => {
    const spoiltFolder = join(own, 'prepared');
    const name = copySpoilt(random, truth, spoiltFolder, names);
    if (name.endsWith('.case.json')) {
      const source = {
        id: 'd/a',
        dataset: 'd',
        name: 'a',
        split: 'training',
        images: [join(folder, 'a.nii')],
        label: join(folder, 'a_label.nii'),
      };
      const { value } = await attempt(() =>
        unchangedRecord({ out: spoiltFolder, source, preprocessing, classes: dataset.classes }),
      );
      return value ? 'accepted' : 'refused';
    }
    const { value: read, error } = await attempt(() => readPreparedIndex(spoiltFolder));
    if (error) return 'refused';
    const used = await attempt(async () => {
      const found = selectCases(withFold(read, undefined), { split: 'training' }, spoiltFolder);
      preparedTable(read);
      const first = found.find(({ id }) => id === 'd/a') ?? found[0];
      const volumes = await readPreparedVolume(spoiltFolder, first);
      const { header, readBox, readClassPosition, close } = openChunkedFile(
        join(spoiltFolder, first.label ?? first.image),
      );
      try {
        readBox([-3, 5, 9], [16, 16, 16]);
        for (const [label, { stored }] of Object.entries(header.classPositions))
          if (stored > 0) {
            for (const rank of [0, stored - 1]) {
              const position = readClassPosition(label, rank);
              if (name !== 'd/a.label.hmv')
                require(position.every(
                  (p, axis) => p >= 0 && p < header.size[axis],
                ), `a position of ${label} lies outside: ${position}`);
            }
          }
      } finally {
        close();
      }
      return volumes;
    });
    if (used.error) return 'refused';
    const { image } = used.value;
    require(image.data.length ===
      image.channels * image.size[0] * image.size[1] * image.size[2], 'another length than its size');
    if (name === 'd/a.image.hmv')
      require(image.data.length !== originals.image.data.length ||
        isDeepStrictEqual(image.size, originals.image.size), 'another size');
    return isDeepStrictEqual(used.value, originals) ? 'accepted' : 'changed';
  };
}

async function runFolders(folder) {
  const { convolution, initialiseParameters, readSafetensors } = await room('network');
  const checkpoints = await import(join(root, 'dist/training/checkpoint.js'));
  const { zeroMoments } = await import(join(root, 'dist/training/adamw.js'));
  const { openRunFolder } = await import(join(root, 'dist/training/run-folder.js'));
  const { readMetrics, readRunConfig, readRunStatus, lastPicture } = await room('training');
  const { readFinetunedRun, runWeights } = await room('weights');
  const { collectReport } = await room('report-sources');
  const { finetuneConfig, loadConfig } = await room('config');
  const truth = join(folder, 'truth');
  mkdirSync(join(truth, 'checkpoints'), { recursive: true });
  const config = await loadConfig(finetuneConfig, join(root, 'configs/smoke/finetune.yaml'));
  writeFileSync(join(truth, 'config.yaml'), stringify(config));
  const specs = convolution('conv', 3, 2, 4);
  const valuesAt = (step) => ({
    ...initialiseParameters(specs, step),
    ...Object.fromEntries(
      Object.entries(zeroMoments(specs)).map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((_, i) => step + i / 8) },
      ]),
    ),
  });
  const stepOf = (n) => ({
    step: n,
    loss: 1 / n,
    losses: { dice: 1 / n },
    lr: 0.1,
    gradientNorm: 1,
    seconds: 1,
    waitSeconds: 0,
  });
  const lines = [1, 2, 3, 4].map(stepOf);
  writeFileSync(join(truth, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  writeFileSync(join(truth, 'log.jsonl'), `${JSON.stringify({ level: 30, time: 1, msg: 'started' })}\n`);
  const states = new Map();
  for (const step of [2, 4]) {
    const facts = {
      step,
      seed: 3,
      schedule: { steps: 9, warmupSteps: 2, peak: 0.1 },
      cases: ['d/a'],
      best: { step: 2, value: 0.5 },
    };
    const read = async (wanted) => Object.fromEntries(wanted.map((name) => [name, valuesAt(step)[name]]));
    await checkpoints.saveCheckpoint(truth, facts, read, specs, { producer: 'fuzz' });
    states.set(step, await checkpoints.readRunState(truth));
    await checkpoints.saveBest(truth, valuesAt(step), specs, { step: String(step) });
  }
  const last = await readSafetensors(join(truth, 'checkpoints/last.safetensors'));
  const names = readdirSync(truth, { recursive: true }).filter((name) =>
    statSync(join(truth, name)).isFile(),
  );
  return async (random, own) => {
    const run = join(own, 'run');
    const name = copySpoilt(random, truth, run, names);
    let refused = false;
    const note = ({ error, value }) => {
      refused ||= error !== undefined;
      return value;
    };
    note(await attempt(() => readRunConfig(run)));
    note(await attempt(() => readFinetunedRun(run)));
    note(await attempt(() => checkpoints.readRunState(run)));
    note(await attempt(() => readMetrics(run)));
    note(await attempt(() => readRunStatus(run)));
    note(await attempt(() => lastPicture(run)));
    note(await attempt(() => collectReport({ from: own })));
    for (const which of ['best', 'last']) {
      const weights = note(await attempt(() => readSafetensors(runWeights(run, which))));
      if (!weights || name.startsWith('checkpoints/step')) continue;
      const holds = { ...weights.arrays };
      require(name !== `checkpoints/${which}.safetensors` ||
        isDeepStrictEqual(holds, { ...last.arrays }) ||
        !readFileSync(join(run, name)).includes('"contentSha256"'), `${name} is accepted with other weights`);
    }
    const found = note(await attempt(() => checkpoints.findCheckpoint(run)));
    if (found?.state) {
      require(isDeepStrictEqual(
        found.state,
        states.get(found.state.step),
      ), `${name}: the state is none that was written`);
      const loaded = await checkpoints.loadCheckpoint(run, found.state, specs);
      require(isDeepStrictEqual(
        { ...loaded },
        { ...valuesAt(found.state.step) },
      ), `${name}: the run goes on from other values`);
      require(found.state.step === 4 ||
        found.torn.length > 0, `${name}: goes on from an earlier step without a word`);
      if (found.torn.length > 0) refused = true;
    } else require(found === undefined, `${name}: begins anew where there were checkpoints`);
    const opened = note(await attempt(() => openRunFolder(run, config, true)));
    await opened?.release();
    return refused ? 'refused' : 'accepted';
  };
}

async function evaluations() {
  const { evaluationCsv, nnunetSummary, readEvaluation, summarise } = await room('evaluation');
  const { evaluationCells, markdownTable, paperResults, paperTables, writeEvaluation } = await room('report');
  const { collectReport } = await room('report-sources');
  const classes = ['liver', 'tumour'];
  const voxels = { predicted: 3, present: 4, both: 2, all: 9 };
  const result = (dice) => ({
    dice,
    hd95: dice === null ? null : 2,
    status: dice === null ? 'absent' : 'ok',
    sensitivity: 0.5,
    voxels,
  });
  const truth = JSON.parse(
    JSON.stringify(
      summarise(
        'msd-liver',
        classes,
        ['a', 'b', 'c'].map((id, i) => ({
          id,
          classes: { liver: result(0.5 + i / 10), tumour: result(i === 1 ? null : 0.4) },
          files: { prediction: `p/${id}.nii.gz`, reference: `l/${id}.nii.gz` },
        })),
        {
          classValues: { liver: [1], tumour: [2] },
          settings: { nsdToleranceMm: [1] },
          software: { hybridmim: '0', node: '0' },
        },
      ),
    ),
  );
  return async (random, own) => {
    const file = join(own, 'evaluation.json');
    const text = JSON.stringify(editJson(random, truth), null, 1) ?? '';
    writeFileSync(file, random.integer(4) ? text : editText(random, text));
    const { value, error } = await attempt(() => readEvaluation(file));
    const report = await attempt(() => collectReport({ from: own }));
    if (error) return 'refused';
    require(report.error === undefined &&
      report.value.evaluations.length === 1, 'a report leaves it out without a word');
    const { header, body } = evaluationCells([{ name: 'x', evaluation: value }]);
    markdownTable(header, body);
    evaluationCsv(value);
    nnunetSummary(value);
    paperTables(paperResults(report.value.evaluations));
    await writeEvaluation(join(own, 'again.json'), value);
    return 'accepted';
  };
}
