// One step, or one window, of a checkout's network a line of standard input. Started by two-checkouts.mjs:
// node benchmarks/two-checkouts-worker.mjs CHECKOUT '{"kind": "step", "network": {"name": "unet"}}'
import { existsSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [, , checkout, job] = process.argv;
const { kind, network: settings } = JSON.parse(job);
const from = (path) => import(join(checkout, 'dist', path));
const { checkConfig, networkSection: earlier } = await from('config/index.js');
const { createState } = await from('engine/index.js');
const { labelScheme, openPredictor } = await from('inference/index.js');
const { initialiseParameters, makeNetwork, networkSection = earlier } = await from('network/index.js');
const { residentPeak } = await from('training/resident-peak.js');
const { timeSteps } = await from('training/time-steps.js');

const SIDE = 64;
const CLASSES = 2;
const threads = 2;
const precision = 'float32';
const network = makeNetwork(checkConfig(networkSection, settings, 'benchmark'), {
  inChannels: 1,
  outChannels: CLASSES + 1,
});
const size = [SIDE, SIDE, SIDE];

/** Says what the turn took that began with the last one, if one did, and waits for the next: the thread sleeps meanwhile. */
let began = null;
function nextTurn() {
  if (began) {
    const { user, system } = process.cpuUsage(began.used);
    const seconds = (performance.now() - began.at) / 1000;
    writeSync(
      1,
      `${JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakBytes: residentPeak() })}\n`,
    );
  }
  readSync(0, Buffer.alloc(1));
  began = { at: performance.now(), used: process.cpuUsage() };
}

/** Calls `nextTurn` before every step: the first call asks for the shapes of what is fed. */
function byTurns(fed) {
  let calls = 0;
  return (step) => {
    if (calls++ > 0) nextTurn();
    return fed(step);
  };
}

/** Steps without end of a checkout that knows learning tasks, or of one from before them. */
async function runSteps() {
  const scheme = labelScheme(
    Object.fromEntries(Array.from({ length: CLASSES }, (_, i) => [`${i + 1}`, `class ${i + 1}`])),
  );
  const optimizer = { weightDecay: 1e-5, decayNormsAndBiases: true, clipNorm: null };
  const forever = { warmUp: 0, steps: Number.MAX_SAFE_INTEGER };
  if (existsSync(join(checkout, 'dist', 'training', 'segmentation-task.js'))) {
    const { segmentationTask } = await from('training/segmentation-task.js');
    const task = segmentationTask({ network, scheme, batchSize: 1, crop: size });
    await timeSteps(
      { ...task, inputsBesideCrops: byTurns(task.inputsBesideCrops) },
      { precision, threads, optimizer, ...forever },
    );
    return;
  }
  const { segmentationLoss } = await from('training/finetune.js');
  const { segmentationTargets } = await from('training/segmentation-targets.js');
  const targets = segmentationTargets(scheme, 1, size);
  const labels = Int32Array.from({ length: SIDE ** 3 }, (_, i) => i % (CLASSES + 1));
  const step = {
    name: 'step',
    specs: network.specs,
    inputs: { images: { shape: [1, ...size, 1], dtype: 'float32' }, targets: targets.input },
    fed: byTurns(() => ({ targets: targets.of(labels) })),
    losses: (inputs, parameters) => segmentationLoss(network, scheme, inputs, parameters),
    precision,
    threads,
    optimizer,
  };
  await timeSteps(step, forever);
}

if (kind === 'step') {
  await runSteps();
} else {
  const state = createState(initialiseParameters(network.specs, 0), { engine: 'graph', threads });
  const predictor = openPredictor({
    network,
    states: [state],
    kind: 'classes',
    window: size,
    overlap: 0.5,
    windowBatch: 1,
    mirror: [],
    precision,
  });
  const data = Float32Array.from({ length: SIDE ** 3 }, (_, i) => ((i * 7919) % 1997) / 1997);
  const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
  for (;;) {
    nextTurn();
    await predictor.logits({ size, spacing: [1, 1, 1], affine, channels: 1, data: data.slice() });
  }
}
