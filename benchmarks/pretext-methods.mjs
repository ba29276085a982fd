// What every pre-training method makes of CT: trains each for some steps on the scans that HYBRIDMIM_REAL_DATA names, or, without it, on
// phantoms, and draws docs/images/methods.png (original, corrupted, prediction of each) and docs/images/methods-learning.png (losses over the
// steps beside the best predictor that looks at nothing); of phantoms docs/images/methods-phantoms.png and -learning.png. It goes on where an
// interrupted call was, and what is finished in the folder is drawn without training: with a method's title it trains that one alone.
// [HYBRIDMIM_REAL_DATA=/folder/of/scans] node benchmarks/pretext-methods.mjs runs/methods [title of a method]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { checkConfig, pretrainConfig } from '../dist/config/index.js';
import { openCropLoader, prepareDatasets } from '../dist/dataset/index.js';
import { compile, createState, tf } from '../dist/engine/index.js';
import { makeNetwork, readWeights } from '../dist/network/index.js';
import { writePhantoms } from '../dist/phantoms/phantoms.js';
import { pretextMethod, voxelCorruption } from '../dist/pretext/index.js';
import { greyPng } from '../dist/report/figures/grey-png.js';
import { escapeXml, figureFont, svgToPng } from '../dist/report/figures/svg-to-png.js';
import { pretrain, readMetrics } from '../dist/training/index.js';
import { trainableParameters } from '../dist/training/pretraining-task.js';

const isReal = process.env.HYBRIDMIM_REAL_DATA !== undefined;
const [folder = 'runs/methods', only] = process.argv.slice(2);
const out = join(folder, isReal ? 'real' : 'phantoms');
const figures = fileURLToPath(new URL(`../docs/images/methods${isReal ? '' : '-phantoms'}`, import.meta.url));
const batchSize = 2;
/** Later than any step of a training: what the pictures show was not trained on in this place and under this mask, and is the same for all. */
const pictureStep = 100_000;

const unet = { name: 'unet', features: [8, 8, 16, 32, 64, 8], dropout: 0.1 }; // an eighth of the paper's widths
const swin = {
  name: 'swin-unetr',
  featureSize: 12,
  depths: [2, 2, 2, 2],
  numHeads: [1, 2, 4, 8],
  window: [4, 4, 4],
  dropout: 0.1,
}; // a quarter
const unetr = {
  name: 'unetr',
  imageSize: [64, 64, 64],
  featureSize: 4,
  hiddenSize: 96,
  mlpDim: 384,
  numHeads: 4,
  dropout: 0,
}; // an eighth
/** Each with a crop that its network divides into several cells, at 3 mm a voxel, and the steps that its slowest task needs. */
const methods = {
  HybridMIM: {
    steps: 1500,
    side: 32,
    network: unet,
    method: { name: 'hybridmim', subVolume: 16, patch: 8, region: 32, contrastDim: 64 },
  },
  'Models Genesis': { steps: 600, side: 32, network: unet, method: { name: 'models-genesis' } },
  TransVW: {
    steps: 500,
    side: 32,
    network: unet,
    method: {
      name: 'transvw',
      words: 4,
      instances: 2,
      wordWeight: 0.1,
      autoEncoder: { side: 32, steps: 60, batchSize: 2, learningRate: 1e-3 },
    },
  },
  SimMIM: {
    steps: isReal ? 500 : 800,
    side: isReal ? 32 : 64,
    network: unet,
    method: { name: 'simmim', patch: 8 },
  },
  UNetFormer: { steps: 300, side: 32, network: swin, method: { name: 'unetformer', patch: 8 } },
  MAE: {
    steps: 1500,
    side: 64,
    network: unetr,
    method: { name: 'mae', decoder: { width: 64, depth: 2, heads: 4 } },
  },
};

const prepared = await prepareScans();
const results = [];
for (const [title, method] of Object.entries(methods))
  if (only === undefined || only === title) results.push(await learned(title, method));
for (const { title, terms, steps, seconds } of results) {
  for (const { name, trivial, last, below } of terms) {
    console.log(
      `| ${title}: ${name} | ${trivial.toFixed(4)} | ${last.toFixed(4)} | ${steps} | ${below > steps ? 'never' : below} | ${seconds.toFixed(0)} s |`,
    );
  }
}
if (only === undefined) {
  writeFileSync(`${figures}-learning.png`, await learningFigure(results));
  writeFileSync(`${figures}.png`, await montage(results));
}
process.reallyExit(results.some(({ terms, steps }) => terms.some(({ below }) => below > steps)) ? 1 : 0); // the runtime's threads outlive a plain end

async function prepareScans() {
  const datasetsFile = join(out, 'datasets.json');
  const phantoms = [1, 2, 3, 4, 5, 6].map((i) => `phantom-0${i}`);
  const scans = isReal
    ? { torso: 'ct_torso.nii.gz', angiography: 'ct_aorta.nii.gz' }
    : Object.fromEntries(phantoms.map((id) => [id, `${id}.nii.gz`]));
  const ct = {
    layout: 'files',
    path: isReal ? '$' + '{HYBRIDMIM_REAL_DATA}' : 'phantoms',
    modality: 'ct',
    spacing: [3, 3, 3],
    windowHu: [-1000, 1000],
    foregroundThreshold: -500,
    cases: Object.entries(scans).map(([id, image]) => ({ id, image, split: 'training' })),
  };
  mkdirSync(out, { recursive: true });
  if (!isReal) await writePhantoms(join(out, 'phantoms'), phantoms.length, 0);
  writeFileSync(datasetsFile, JSON.stringify({ schema: 1, datasets: { ct } }));
  await prepareDatasets({ datasetsFile, out: join(out, 'prepared'), workers: 1 });
  return join(out, 'prepared');
}

/** Trains a method, and compares each of its losses with that of the best constant prediction. */
async function learned(title, { steps, side, network, method }) {
  const settings = checkConfig(
    pretrainConfig,
    {
      seed: 0,
      data: { prepared, cropSize: [side, side, side], workers: 1, prefetch: 2 },
      network,
      method,
      train: {
        batchSize,
        steps,
        warmupSteps: 20,
        learningRate: 2e-3,
        checkpointEvery: 100,
        validateEvery: 0,
      },
    },
    'benchmark',
  );
  const run = join(
    out,
    title
      .toLowerCase()
      .replaceAll(/[^a-z]+/g, '-')
      .replace(/-$/, ''),
  );
  const onStep = ({ step, loss }) => step % 100 === 0 && console.error(`${title} ${step} ${loss.toFixed(4)}`);
  const { last } = await pretrain({
    settings,
    out: run,
    resume: existsSync(join(run, 'config.yaml')),
    progress: { onStep },
  });
  const lines = readMetrics(run).filter((line) => 'losses' in line);
  const trivial = await trivialLosses(settings);
  const terms = Object.entries(trivial).map(([name, value]) => {
    const losses = lines.map((line) => line.losses[name]);
    const series = smoothed(losses);
    const below = series.findLastIndex((loss) => loss >= value) + 2; // the first step after which it stays below; beyond the end: never
    return { name, trivial: value, series, last: mean(losses.slice(-100)), below };
  });
  return { title, settings, last, terms, steps, seconds: lines.reduce((sum, line) => sum + line.seconds, 0) };
}

/** Mean of the last twenty steps, at every step. */
function smoothed(values) {
  return values.map((_, i) => mean(values.slice(Math.max(0, i - 19), i + 1)));
}

function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Loss of the best constant over crops and masks that are not trained on: mean for squared, median for absolute differences, the prior for classes. */
async function trivialLosses(settings) {
  const batches = await batchesOf(settings, settings.train.steps, 24);
  const name = settings.method.name;
  const patch = name === 'mae' ? 16 : settings.method.patch; // a token of the ViT
  const values = batches.flatMap(({ images, patchMask }) =>
    patchMask ? maskedValues(images, patchMask, settings.data.cropSize[0], patch) : [...images],
  );
  if (name === 'simmim' || name === 'unetformer') {
    const median = Float32Array.from(values).sort()[values.length >> 1];
    return { reconstruction: mean(values.map((value) => Math.abs(value - median))) };
  }
  const centre = mean(values);
  const reconstruction = mean(values.map((value) => (value - centre) ** 2));
  if (name === 'transvw')
    return { reconstruction, word: entropy(batches.flatMap(({ words }) => [...words])) };
  if (name !== 'hybridmim') return { reconstruction };
  const location = entropy(batches.flatMap((batch) => [...batch.locations]));
  const number = entropy(batches.flatMap((batch) => [...batch.counts]));
  return { reconstruction, number, location, contrast: Math.log(2 * batchSize - 1) };
}

function maskedValues(crop, patchMask, side, patch) {
  const patches = side / patch;
  return [...crop].filter((_, i) => {
    const [item, z, y, x] = [
      Math.floor(i / side ** 3),
      Math.floor(i / side ** 2) % side,
      Math.floor(i / side) % side,
      i % side,
    ];
    return (
      patchMask[
        ((item * patches + Math.floor(z / patch)) * patches + Math.floor(y / patch)) * patches +
          Math.floor(x / patch)
      ] === 1
    );
  });
}

function entropy(classes) {
  const shares = [...new Set(classes)].map(
    (value) => classes.filter((other) => other === value).length / classes.length,
  );
  return shares.reduce((sum, share) => sum - share * Math.log(share), 0);
}

/** What the method is fed in `count` steps from `first`. */
async function batchesOf(settings, first, count) {
  const recipe = voxelCorruption(settings.method);
  const crops =
    settings.method.name === 'transvw'
      ? cropsOfWords(join(out, 'transvw', 'words', 'words.json'))
      : undefined;
  const loader = await openCropLoader({
    preparedDir: prepared,
    split: 'training',
    cropSize: settings.data.cropSize,
    batchSize,
    seed: settings.seed,
    workers: 1,
    prefetch: 1,
    withLabels: false,
    ...(recipe && { corruption: { recipe, heldOut: false } }),
    ...(crops && { crops }),
  });
  const { method } = methodOf(settings);
  const batches = [];
  for (let step = first; step < first + count; step++) {
    const { images: crop, corrupted, words } = await loader.batch(step);
    batches.push({
      images: crop,
      ...(corrupted && { corrupted }),
      ...(words && { words }),
      ...method.corruption(settings.seed, step),
    });
  }
  await loader.close();
  return batches;
}

function cropsOfWords(file) {
  const { words } = JSON.parse(readFileSync(file, 'utf8'));
  return words.flatMap(({ instances }, word) => instances.map((instance) => ({ word, ...instance })));
}

function methodOf({ network: wanted, method: config, data }) {
  const network = makeNetwork(wanted, { inChannels: 1, outChannels: 1 });
  return {
    network,
    method: pretextMethod(network, { size: batchSize, crop: data.cropSize, scaledTargets: false }, config),
  };
}

/** Slices of three crops of each method: original, what the network saw, what it made of it. */
async function montage(all) {
  const shown = 3;
  const [cell, gap, left, top] = [96, 4, 140, 40];
  const at = (crop, column) => left + (crop * 3 + column) * (cell + gap) + crop * 4 * gap;
  const parts = [];
  for (let crop = 0; crop < shown; crop++) {
    for (const [column, name] of ['original', 'seen', 'prediction'].entries()) {
      parts.push(`<text x="${at(crop, column)}" y="${top - 8}" font-size="13">${name}</text>`);
    }
  }
  for (const [row, { title, settings, last }] of all.entries()) {
    const y = top + row * (cell + gap);
    const side = settings.data.cropSize[0];
    const { network, method } = methodOf(settings);
    const { values } = await readWeights(last, trainableParameters(network, method));
    const state = createState(values, { engine: 'graph' });
    const see = (inputs, variables) => {
      const { seen, prediction } = method.reconstruct(inputs, variables);
      return { seen: tf.clone(seen), prediction: tf.clone(prediction) };
    };
    const step = compile(see, { name: 'montage', inputs: method.inputs, state, precision: 'float32' });
    parts.push(`<text x="0" y="${y + cell / 2}" font-size="13">${escapeXml(title)}</text>`);
    parts.push(
      `<text x="0" y="${y + cell / 2 + 16}" font-size="11" fill="#57606a">${side} voxels a side</text>`,
    );
    for (const [crop, batch] of (await batchesOf(settings, pictureStep, shown)).entries()) {
      const { seen, prediction } = await step.run(batch);
      for (const [column, volume] of [batch.images, seen, prediction].entries()) {
        const png = greyPng(slice(volume, side), side, side).toString('base64');
        parts.push(
          `<image x="${at(crop, column)}" y="${y}" width="${cell}" height="${cell}" href="data:image/png;base64,${png}" image-rendering="pixelated"/>`,
        );
      }
    }
    state.dispose();
  }
  const [width, height] = [at(shown - 1, 3), top + all.length * (cell + gap)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${figureFont}"><rect width="100%" height="100%" fill="white"/>${parts.join('')}</svg>`;
  return svgToPng(svg, 1);
}

/** The coronal slice through the middle of the first item, head up, -300 to 300 HU from black to white. */
function slice(volume, side) {
  const pixels = new Uint8Array(side * side);
  const y = side >> 1;
  for (let z = 0; z < side; z++) {
    for (let x = 0; x < side; x++) {
      const hu = volume[(z * side + y) * side + x] * 2000 - 1000;
      pixels[(side - 1 - z) * side + x] = Math.min(255, Math.max(0, ((hu + 300) / 600) * 255));
    }
  }
  return pixels;
}

async function learningFigure(all) {
  const panels = all.flatMap(({ title, terms }) =>
    terms.map(({ name, series, trivial }) => ({
      title: `${title}: ${name}`,
      width: 220,
      height: 130,
      layer: [
        {
          data: { values: series.map((loss, i) => ({ step: i + 1, loss })) },
          mark: { type: 'line', clip: true },
          encoding: {
            x: { field: 'step', type: 'quantitative' },
            y: {
              field: 'loss',
              type: 'quantitative',
              title: 'loss, mean of 20 steps',
              scale: { domain: [0, 1.6 * trivial], nice: false },
            },
          },
        },
        {
          data: { values: [{ trivial }] },
          mark: { type: 'rule', color: '#c33', strokeDash: [5, 3] },
          encoding: { y: { field: 'trivial', type: 'quantitative' } },
        },
      ],
    })),
  );
  const spec = { config: { font: figureFont }, background: 'white', columns: 3, concat: panels };
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
  return svgToPng(await view.toSVG(), 1.5);
}
