// One step, or one window, of a checkout's network a line of standard input. Started by two-checkouts.mjs:
// node benchmarks/two-checkouts-worker.mjs CHECKOUT '{"kind": "step", "network": {"name": "unet"}}'
import { readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [, , checkout, job] = process.argv;
const { kind, network: settings } = JSON.parse(job);
const from = (path) => import(join(checkout, 'dist', path));
const { checkConfig, networkSection } = await from('config/index.js');
const { createState } = await from('engine/index.js');
const { labelScheme, openPredictor } = await from('inference/index.js');
const { initialiseParameters, makeNetwork } = await from('network/index.js');
const { segmentationLoss } = await from('training/finetune.js');
const { residentPeak } = await from('training/resident-peak.js');
const { segmentationTargets } = await from('training/segmentation-targets.js');
const { timeSteps } = await from('training/time-steps.js');

const SIDE = 64;
const CLASSES = 2;
const threads = 2;
const precision = 'float32';
const network = makeNetwork(checkConfig(networkSection, settings, 'benchmark'), { inChannels: 1, outChannels: CLASSES + 1 });
const size = [SIDE, SIDE, SIDE];

/** Says what the turn took that began with the last one, if one did, and waits for the next: the thread sleeps meanwhile. */
let began = null;
function nextTurn() {
  if (began) {
    const { user, system } = process.cpuUsage(began.used);
    const seconds = (performance.now() - began.at) / 1000;
    writeSync(1, `${JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakBytes: residentPeak() })}\n`);
  }
  readSync(0, Buffer.alloc(1));
  began = { at: performance.now(), used: process.cpuUsage() };
}

if (kind === 'step') {
  const scheme = labelScheme(Object.fromEntries(Array.from({ length: CLASSES }, (_, i) => [`${i + 1}`, `class ${i + 1}`])));
  const targets = segmentationTargets(scheme, 1, size);
  const labels = Int32Array.from({ length: SIDE ** 3 }, (_, i) => i % (CLASSES + 1));
  let calls = 0;
  await timeSteps(
    {
      name: 'step',
      specs: network.specs,
      inputs: { images: { shape: [1, ...size, 1], dtype: 'float32' }, targets: targets.input },
      fed() {
        if (calls++ > 0) nextTurn(); // the first call asks for the shapes of what is fed
        return { targets: targets.of(labels) };
      },
      losses: (inputs, parameters) => segmentationLoss(network, scheme, inputs, parameters),
      precision,
      threads,
      optimizer: { weightDecay: 1e-5, decayNormsAndBiases: true, clipNorm: null },
    },
    { warmUp: 0, steps: Number.MAX_SAFE_INTEGER },
  );
} else {
  const state = createState(initialiseParameters(network.specs, 0), { engine: 'graph', threads });
  const predictor = openPredictor({ network, states: [state], kind: 'classes', window: size, overlap: 0.5, windowBatch: 1, mirror: [], precision });
  const data = Float32Array.from({ length: SIDE ** 3 }, (_, i) => ((i * 7919) % 1997) / 1997);
  const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
  for (;;) {
    nextTurn();
    await predictor.logits({ size, spacing: [1, 1, 1], affine, channels: 1, data: data.slice() });
  }
}
