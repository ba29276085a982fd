// What the levels of an encoder know of the classes before any fine-tuning: a linear classifier on the features of single cells, fitted on
// training scans and tried on held-out ones. Balanced accuracy in %; guessing gives 100 / classes.
// node benchmarks/encoder-probe.mjs --prepared DIR --dataset NAME --network '{"name":"unet",...}' [--crop 32,48,32] [--batches 40] NAME=WEIGHTS ... (NAME=random: untrained)
import { parseArgs } from 'node:util';
import { openCropLoader } from '../dist/dataset/index.js';
import { compile, createState, tf } from '../dist/engine/index.js';
import { initialiseParameters, makeNetwork, readWeights, spatialSize } from '../dist/network/index.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prepared: { type: 'string' },
    dataset: { type: 'string' },
    network: { type: 'string' },
    crop: { type: 'string', default: '32,48,32' },
    batches: { type: 'string', default: '40' },
  },
});
const crop = flags.crop.split(',').map(Number);
const BATCH = 2;
/** Voxels of each class from each batch. */
const PER_CLASS = 120;
const RIDGE = 1e-2;

const loaderOf = (split) =>
  openCropLoader({
    preparedDir: flags.prepared,
    datasets: [flags.dataset],
    split,
    cropSize: crop,
    batchSize: BATCH,
    seed: 0,
    workers: 1,
    prefetch: 1,
    withLabels: true,
    foregroundRatio: 0.5,
  });

/** Voxels drawn without randomness: every so many of each class, so that all networks are asked the same. */
function chosenVoxels(labels) {
  const byClass = new Map();
  labels.forEach((label, i) => {
    if (!byClass.has(label)) byClass.set(label, []);
    byClass.get(label).push(i);
  });
  return [...byClass].flatMap(([label, places]) => {
    const stride = Math.max(1, Math.floor(places.length / PER_CLASS));
    return places
      .filter((_, i) => i % stride === 0)
      .slice(0, PER_CLASS)
      .map((voxel) => ({ label, voxel }));
  });
}

const network = makeNetwork(JSON.parse(flags.network), { inChannels: 1, outChannels: 1 });
const [depth, height, width] = spatialSize(crop);
const encoderSpecs = network.specs.filter(({ name }) =>
  network.encoder.some((part) => name.startsWith(`${part}.`)),
);

/** Features and labels of the chosen voxels of a split, an array of rows a level. */
async function featuresOf(split, values) {
  const state = createState(values, { engine: 'graph' });
  const encode = compile(
    (fed, parameters) => {
      const levels = network.encode(fed.images, parameters, { training: false, dropoutKey: 0 });
      return Object.fromEntries(levels.map((level, i) => [`level ${i}`, tf.clone(level)]));
    },
    {
      name: 'features',
      inputs: { images: { shape: [BATCH, depth, height, width, 1], dtype: 'float32' } },
      state,
      precision: 'float32',
    },
  );
  const loader = await loaderOf(split);
  const found = {};
  const labels = [];
  for (let step = 0; step < Number(flags.batches); step++) {
    const { images, labels: truth } = await loader.batch(step);
    const chosen = chosenVoxels(truth);
    labels.push(...chosen.map(({ label }) => label));
    for (const [name, values_] of Object.entries(await encode.run({ images }))) {
      found[name] ??= [];
      const cells = (stride) => [depth, height, width].map((n) => n / stride);
      const stride = [1, 2, 4, 8, 16].find((s) => {
        const [d, h, w] = cells(s);
        return (
          Number.isInteger(values_.length / (BATCH * d * h * w)) &&
          channelsOf(name) === values_.length / (BATCH * d * h * w)
        );
      });
      const [d, h, w] = cells(stride);
      const channels = channelsOf(name);
      for (const { voxel } of chosen) {
        const [x, y, z, b] = [
          voxel % width,
          Math.floor(voxel / width) % height,
          Math.floor(voxel / width / height) % depth,
          Math.floor(voxel / width / height / depth),
        ];
        const cell =
          ((b * d + Math.floor(z / stride)) * h + Math.floor(y / stride)) * w + Math.floor(x / stride);
        found[name].push(values_.slice(cell * channels, (cell + 1) * channels));
      }
    }
  }
  await loader.close();
  state.dispose();
  return { features: found, labels };
}
const channelsOf = (name) => JSON.parse(flags.network).features[Number(name.split(' ')[1])];

/** Weights of a linear classifier by least squares on one-hot labels, a row a feature and one for the offset. */
function fitted(rows, labels, classes) {
  const size = rows[0].length + 1;
  const normal = Array.from({ length: size }, () => new Float64Array(size));
  const right = Array.from({ length: size }, () => new Float64Array(classes.length));
  rows.forEach((row, n) => {
    const full = [...row, 1];
    const k = classes.indexOf(labels[n]);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) normal[i][j] += full[i] * full[j];
      right[i][k] += full[i];
    }
  });
  for (let i = 0; i < size - 1; i++) normal[i][i] += RIDGE * rows.length;
  for (let i = 0; i < size; i++) {
    const pivot = normal[i][i];
    for (let j = 0; j < size; j++) {
      if (j === i) continue;
      const factor = normal[j][i] / pivot;
      if (factor === 0) continue;
      for (let k = i; k < size; k++) normal[j][k] -= factor * normal[i][k];
      for (let k = 0; k < classes.length; k++) right[j][k] -= factor * right[i][k];
    }
  }
  return right.map((row, i) => row.map((value) => value / normal[i][i]));
}

function balancedAccuracy(weights, rows, labels, classes) {
  const hits = classes.map(() => 0);
  const totals = classes.map(() => 0);
  rows.forEach((row, n) => {
    const scores = classes.map((_, k) =>
      row.reduce((sum, value, i) => sum + value * weights[i][k], weights.at(-1)[k]),
    );
    const truth = classes.indexOf(labels[n]);
    totals[truth]++;
    if (scores.indexOf(Math.max(...scores)) === truth) hits[truth]++;
  });
  return (100 * hits.reduce((sum, count, k) => sum + count / totals[k], 0)) / classes.length;
}

for (const argument of positionals) {
  const [name, file] = argument.split('=');
  const fresh = initialiseParameters(network.specs, 0);
  const values =
    file === 'random'
      ? fresh
      : { ...fresh, ...(await readWeights(file, encoderSpecs, { ignore: '' })).values };
  const [train, test] = [await featuresOf('training', values), await featuresOf('validation', values)];
  const classes = [...new Set(train.labels)].sort((a, b) => a - b);
  const levels = Object.keys(train.features);
  const scores = levels.map((level) =>
    balancedAccuracy(
      fitted(train.features[level], train.labels, classes),
      test.features[level],
      test.labels,
      classes,
    ),
  );
  const joined = ({ features, labels }) =>
    labels.map((_, i) => levels.flatMap((level) => [...features[level][i]]));
  const all = balancedAccuracy(
    fitted(joined(train), train.labels, classes),
    joined(test),
    test.labels,
    classes,
  );
  console.log(
    `${name.padEnd(24)} ${[...scores, all].map((score) => score.toFixed(1).padStart(6)).join(' ')}   (levels ${levels.length}, then all together; ${test.labels.length} voxels)`,
  );
}
process.reallyExit(0);
