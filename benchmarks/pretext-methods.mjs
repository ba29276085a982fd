// What every pre-training method makes of real CT: trains each for some steps on the scans that HYBRIDMIM_REAL_DATA names, and draws
// docs/images/methods.png (original, corrupted, prediction of each) and docs/images/methods-learning.png (losses over the steps beside the
// best predictor that looks at nothing). It goes on where an interrupted call was.
// HYBRIDMIM_REAL_DATA=/folder/of/scans node benchmarks/pretext-methods.mjs runs/methods [method to train alone]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { checkConfig, pretrainConfig } from '../dist/config/index.js';
import { openCropLoader, prepareDatasets } from '../dist/dataset/index.js';
import { compile, createState, tf } from '../dist/engine/index.js';
import { networkByName, readWeights } from '../dist/network/index.js';
import { pretextMethod, voxelCorruption } from '../dist/pretext/index.js';
import { greyPng } from '../dist/report/grey-png.js';
import { escapeXml, figureFont, svgToPng } from '../dist/report/svg-to-png.js';
import { pretrain, readMetrics } from '../dist/training/index.js';
import { taughtParameters } from '../dist/training/pretrain.js';

const [out = 'runs/methods', only] = process.argv.slice(2);
const side = 32; // 96 mm at 3 mm
const batchSize = 2;
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
/** Each with the steps that its slowest task needs. */
const methods = {
  HybridMIM: { steps: 1500, name: 'hybridmim', subVolume: 16, patch: 8, region: 32, contrastDim: 64 },
  'Models Genesis': { steps: 400, name: 'models-genesis' },
  TransVW: {
    steps: 1000,
    name: 'transvw',
    words: 4,
    instances: 2,
    wordWeight: 0.1,
    autoEncoder: { side: 32, steps: 60, batchSize: 2, learningRate: 1e-3 },
  },
  SimMIM: { steps: 400, name: 'simmim', patch: 8 },
};

const prepared = await prepareScans();
const results = [];
for (const [title, method] of Object.entries(methods)) if (only === undefined || only === title) results.push(await learned(title, method));
if (only !== undefined) process.reallyExit(0);
writeFileSync(join(images, 'methods-learning.png'), await learningFigure(results));
writeFileSync(join(images, 'methods.png'), await montage(results));
for (const { title, terms, seconds } of results) {
  for (const { name, trivial, last, below } of terms) {
    console.log(
      `${title} ${name}: trivial ${trivial.toFixed(4)}, last ${last.toFixed(4)}, below for good from step ${below} (${seconds.toFixed(0)} s)`,
    );
  }
}
process.exitCode = 0;
process.reallyExit(0);

async function prepareScans() {
  const datasetsFile = join(out, 'datasets.json');
  const scans = { torso: 'ct_torso.nii.gz', angiography: 'ct_aorta.nii.gz' };
  const cases = Object.entries(scans).map(([id, image]) => ({ id, image, split: 'training' }));
  const ct = {
    layout: 'files',
    path: '$' + '{HYBRIDMIM_REAL_DATA}',
    modality: 'ct',
    spacing: [3, 3, 3],
    windowHu: [-1000, 1000],
    foregroundThreshold: -500,
    cases,
  };
  mkdirSync(out, { recursive: true });
  writeFileSync(datasetsFile, JSON.stringify({ schema: 1, datasets: { ct } }));
  await prepareDatasets({ datasetsFile, out: join(out, 'prepared'), workers: 1 });
  return join(out, 'prepared');
}

/** Trains a method, and compares each of its losses with that of the best constant prediction. */
async function learned(title, { steps, ...method }) {
  const settings = checkConfig(
    pretrainConfig,
    {
      seed: 0,
      data: { prepared, cropSize: [side, side, side], workers: 1, prefetch: 2 },
      network: { features: [8, 8, 16, 32, 64, 8], dropout: 0.1 }, // an eighth of the paper's widths
      method,
      train: { batchSize, steps, warmupSteps: 20, learningRate: 2e-3, checkpointEvery: 100, validateEvery: 0 },
    },
    'benchmark',
  );
  const run = join(out, title.toLowerCase().replaceAll(' ', '-'));
  const onStep = ({ step, loss }) => step % 100 === 0 && console.error(`${title} ${step} ${loss.toFixed(4)}`);
  const { last } = await pretrain({ settings, out: run, resume: existsSync(join(run, 'config.yaml')), progress: { onStep } });
  const lines = readMetrics(run).filter((line) => 'losses' in line);
  const trivial = await trivialLosses(settings);
  const terms = Object.entries(trivial).map(([name, value]) => {
    const series = smoothed(lines.map(({ losses }) => losses[name]));
    const below = series.findLastIndex((loss) => loss >= value) + 2; // the first step after which it stays below; beyond the end: never
    return { name, trivial: value, series, last: series.at(-1), below };
  });
  return { title, settings, last, terms, seconds: lines.reduce((sum, line) => sum + line.seconds, 0) };
}

/** Mean of the last twenty steps, at every step. */
function smoothed(values) {
  return values.map((_, i) => {
    const window = values.slice(Math.max(0, i - 19), i + 1);
    return window.reduce((a, b) => a + b, 0) / window.length;
  });
}

/** Loss of the best constant over the same crops and masks: mean for squared, median for absolute differences, the prior for classes. */
async function trivialLosses(settings) {
  const batches = await batchesOf(settings, 24);
  const name = settings.method.name;
  const values = batches.flatMap(({ images: crop, patchMask }) => (patchMask ? maskedValues(crop, patchMask, settings.method.patch) : [...crop]));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  if (name === 'simmim') {
    const median = Float32Array.from(values).sort()[values.length >> 1];
    return { reconstruction: values.reduce((sum, value) => sum + Math.abs(value - median), 0) / values.length };
  }
  const reconstruction = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  if (name === 'transvw') return { reconstruction, word: entropy(batches.flatMap(({ words }) => [...words])) };
  if (name !== 'hybridmim') return { reconstruction };
  const counts = batches.flatMap((batch) => [...batch.counts]);
  const masked = batches.flatMap((batch) => [...batch.locations]);
  const prior = masked.reduce((a, b) => a + b, 0) / masked.length;
  const location = -(prior * Math.log(prior) + (1 - prior) * Math.log(1 - prior));
  return { reconstruction, number: entropy(counts), location, contrast: Math.log(2 * batchSize - 1) };
}

function maskedValues(crop, patchMask, patch) {
  const patches = side / patch;
  return [...crop].filter((_, i) => {
    const [item, z, y, x] = [Math.floor(i / side ** 3), Math.floor(i / side ** 2) % side, Math.floor(i / side) % side, i % side];
    return patchMask[((item * patches + Math.floor(z / patch)) * patches + Math.floor(y / patch)) * patches + Math.floor(x / patch)] === 1;
  });
}

function entropy(classes) {
  const shares = [...new Set(classes)].map((value) => classes.filter((other) => other === value).length / classes.length);
  return shares.reduce((sum, share) => sum - share * Math.log(share), 0);
}

/** What the method is fed in `count` steps beyond the training's. */
async function batchesOf(settings, count) {
  const recipe = voxelCorruption(settings.method);
  const crops = settings.method.name === 'transvw' ? cropsOfWords(join(out, 'transvw', 'words', 'words.json')) : undefined;
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
  const { steps } = settings.train;
  for (let step = steps; step < steps + count; step++) {
    const { images: crop, corrupted, words } = await loader.batch(step);
    batches.push({ images: crop, ...(corrupted && { corrupted }), ...(words && { words }), ...method.corruption(settings.seed, step) });
  }
  await loader.close();
  return batches;
}

function cropsOfWords(file) {
  const { words } = JSON.parse(readFileSync(file, 'utf8'));
  return words.flatMap(({ instances }, word) => instances.map((instance) => ({ word, ...instance })));
}

function methodOf({ network: wanted, method: config }) {
  const network = networkByName(wanted.name)({ ...wanted, inChannels: 1, outChannels: 1 });
  return { network, method: pretextMethod(network, { size: batchSize, crop: [side, side, side], scaledTargets: false }, config) };
}

/** Slices of three crops of each method: original, what the network saw, what it made of it. */
async function montage(all) {
  const shown = 3;
  const [zoom, gap, left, top] = [2, 6, 110, 40];
  const cell = side * zoom;
  const parts = [];
  for (const [row, { title, settings, last }] of all.entries()) {
    const { network, method } = methodOf(settings);
    const { values } = await readWeights(last, taughtParameters(network, method));
    const state = createState(values, { engine: 'graph' });
    const see = (inputs, variables) => {
      const { seen, prediction } = method.reconstruct(inputs, variables);
      return { seen: tf.clone(seen), prediction: tf.clone(prediction) };
    };
    const step = compile(see, { name: 'montage', inputs: method.inputs, state, precision: 'float32' });
    const batches = await batchesOf(settings, shown);
    parts.push(`<text x="0" y="${top + row * (cell + gap) + cell / 2}" font-size="13">${escapeXml(title)}</text>`);
    for (const [at, batch] of batches.entries()) {
      const { seen, prediction } = await step.run(batch);
      for (const [column, volume] of [batch.images, seen, prediction].entries()) {
        const x = left + (at * 3 + column) * (cell + gap) + at * 2 * gap;
        const png = greyPng(slice(volume), side, side).toString('base64');
        parts.push(`<image x="${x}" y="${top + row * (cell + gap)}" width="${cell}" height="${cell}" href="data:image/png;base64,${png}"/>`);
      }
    }
    state.dispose();
  }
  const width = left + shown * 3 * (cell + gap) + shown * 2 * gap;
  for (let at = 0; at < shown; at++) {
    for (const [column, name] of ['original', 'seen', 'prediction'].entries()) {
      parts.push(`<text x="${left + (at * 3 + column) * (cell + gap) + at * 2 * gap}" y="${top - 8}" font-size="13">${name}</text>`);
    }
  }
  const height = top + all.length * (cell + gap);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${figureFont}"><rect width="100%" height="100%" fill="white"/>${parts.join('')}</svg>`;
  return svgToPng(svg, 1);
}

/** The coronal slice through the middle of the first item, head up, -300 to 300 HU from black to white. */
function slice(volume) {
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
            y: { field: 'loss', type: 'quantitative', title: 'loss, mean of 20 steps', scale: { domain: [0, 1.6 * trivial], nice: false } },
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
