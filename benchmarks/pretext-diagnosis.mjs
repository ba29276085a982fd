// What a HybridMIM(UNet) run has learned, on crops of its prepared folder: each task's held-out loss beside what knowing nothing gives, how
// strongly each task pulls at the deepest level (the gradient's norm there, weighted as in the total), and how alike the contrast's features
// are between crops and between two dropout views of one crop.
// node benchmarks/pretext-diagnosis.mjs RUN [--batches 8]
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { checkConfig, pretrainConfig } from '../dist/config/index.js';
import { openCropLoader, readPreparedIndex, unitScales } from '../dist/dataset/index.js';
import { compile, createState, lossAndGradients, tf } from '../dist/engine/index.js';
import { makeNetwork, readWeights, spatialSize } from '../dist/network/index.js';
import { cropFeatures } from '../dist/pretext/hybridmim.js';
import { pretextMethod } from '../dist/pretext/index.js';
import { trainableParameters } from '../dist/training/pretraining-task.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { batches: { type: 'string', default: '8' } },
});
const [run] = positionals;
if (!run) throw new Error('name a run folder: node benchmarks/pretext-diagnosis.mjs RUN');

/** The settings of a run, without the weights that it began with. */
function settingsOf(folder) {
  const { init: _, ...settings } = parse(readFileSync(join(folder, 'config.yaml'), 'utf8'));
  return settings;
}
const settings = checkConfig(pretrainConfig, settingsOf(run), run);
const { data, train, method: config } = settings;
const index = await readPreparedIndex(data.prepared);
const scalesOf = new Map(index.cases.map((one) => [one.id, unitScales(one)]));
const hasHeldOut = index.cases.some(({ split }) => split === 'validation');
const loader = await openCropLoader({
  preparedDir: data.prepared,
  split: hasHeldOut ? 'validation' : 'training',
  ...(data.datasets && { datasets: data.datasets }),
  cropSize: data.cropSize,
  batchSize: train.batchSize,
  seed: settings.seed,
  workers: 1,
  prefetch: 1,
  withLabels: false,
});
const network = makeNetwork(settings.network, { inChannels: loader.channels, outChannels: loader.channels });
const scaled = [...scalesOf.values()].some((scales) => scales !== undefined);
const batch = { size: train.batchSize, crop: spatialSize(data.cropSize), scaledTargets: scaled };
const method = pretextMethod(network, batch, config);
const specs = trainableParameters(network, method);
const { values } = await readWeights(join(run, 'checkpoints', 'last.safetensors'), specs);
const state = createState(values, { engine: 'graph' });
const deepest = network.encoder.at(-1);

const inputs = [];
for (let i = 0; i < Number(flags.batches); i++) {
  const { images, provenance } = await loader.batch(i);
  const scales = provenance.flatMap(({ caseId }) => scalesOf.get(caseId) ?? [{ scale: 1, shift: 0 }]);
  inputs.push({
    images,
    ...method.corruption(settings.seed, -1 - i),
    ...(scaled && {
      targetScale: Float32Array.from(scales, ({ scale }) => scale),
      targetShift: Float32Array.from(scales, ({ shift }) => shift),
    }),
  });
}
await loader.close();

const tasks = Object.keys(config.weights).filter((task) => config.weights[task] > 0);
const means = {};
const add = (outputs) => {
  for (const [name, [value]] of Object.entries(outputs))
    means[name] = (means[name] ?? 0) + value / inputs.length;
};
const told = { inputs: method.inputs, state, precision: 'float32' };

const losses = compile((fed, parameters) => ({ ...method.losses(fed, parameters, false) }), {
  name: 'losses',
  ...told,
});
for (const one of inputs) add(await losses.run(one));

for (const task of tasks) {
  const pull = compile(
    (fed, parameters) => {
      const { gradients } = lossAndGradients(() => {
        const terms = method.losses(fed, parameters, true);
        return { total: terms[task].mul(config.weights[task]) };
      }, parameters);
      const squares = Object.entries(gradients)
        .filter(([name]) => name.startsWith(`${deepest}.`) && name.endsWith('.conv.weight'))
        .map(([, gradient]) => gradient.square().sum());
      return { [`pull ${task}`]: tf.addN(squares).sqrt() };
    },
    { name: task, ...told },
  );
  for (const [i, one] of inputs.entries()) add(await pull.run(one, i));
}

/** Mean cosine of the rows of two groups, of the same place in both or of different places. */
const cosines = (a, b, same) => {
  const size = a[0].length;
  const found = [];
  for (const [i, x] of a.entries()) {
    for (const [j, y] of b.entries()) {
      if ((i === j) !== same) continue;
      let [dot, xx, yy] = [0, 0, 0];
      for (let k = 0; k < size; k++) [dot, xx, yy] = [dot + x[k] * y[k], xx + x[k] ** 2, yy + y[k] ** 2];
      found.push(dot / Math.sqrt(xx * yy));
    }
  }
  return found.reduce((sum, one) => sum + one, 0) / found.length;
};
for (const kind of ['mean', 'octants']) {
  const view = compile(
    (fed, parameters) => {
      const of = (training, dropoutKey) =>
        cropFeatures(network.encode(fed.images, parameters, { training, dropoutKey }).at(-1), kind);
      return { first: tf.clone(of(true, 0)), second: tf.clone(of(true, 1)) };
    },
    { name: `features ${kind}`, inputs: { images: method.inputs.images }, state, precision: 'float32' },
  );
  const rows = { first: [], second: [] };
  for (const [i, { images }] of inputs.entries()) {
    const found = await view.run({ images }, i);
    for (const [name, features] of Object.entries(found)) {
      const width = features.length / train.batchSize;
      for (let item = 0; item < train.batchSize; item++)
        rows[name].push(features.slice(item * width, (item + 1) * width));
    }
  }
  means[`cosine between crops, ${kind}`] = cosines(rows.first, rows.first, false);
  means[`cosine of two views, ${kind}`] = cosines(rows.first, rows.second, true);
}

const { maskRatio, subVolume, patch } = config;
const n = (subVolume / patch) ** 3;
console.log(
  `${run}: ${inputs.length * train.batchSize} ${hasHeldOut ? 'held-out' : 'training'} crops, mask ratio ${maskRatio}, ${n} patches a sub-volume`,
);
// Counts of masked patches on these crops tell what knowing the count alone gives: the entropy of a location given its sub-volume's count.
const counts = inputs.flatMap((one) => [...one.counts]);
const entropy = (p) => (p <= 0 || p >= 1 ? 0 : -p * Math.log(p) - (1 - p) * Math.log(1 - p));
means['location, count alone'] = counts.reduce((sum, count) => sum + entropy(count / n), 0) / counts.length;
const shares = new Map();
for (const count of counts) shares.set(count, (shares.get(count) ?? 0) + 1 / counts.length);
means['number, no image'] = [...shares.values()].reduce((sum, p) => sum - p * Math.log(p), 0);
means['contrast, chance'] = Math.log(2 * train.batchSize - 1);
for (const [name, value] of Object.entries(means)) console.log(`${name.padEnd(32)} ${value.toPrecision(4)}`);
state.dispose();
