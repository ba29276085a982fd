// The steps of supervised training of one network, timed in a process of its own.
// node benchmarks/network-step.mjs '{"network": {"name": "swin-unetr"}, "precision": "float32", ...}' prints one line of JSON.
import { checkConfig } from '../dist/config/index.js';
import { labelScheme } from '../dist/inference/index.js';
import { makeNetwork, networkSection } from '../dist/network/index.js';
import { measureSteps, segmentationTask } from '../dist/training/index.js';

const { network: settings, precision, crop: side, classes, steps, threads } = JSON.parse(process.argv[2]);
const network = makeNetwork(checkConfig(networkSection, settings, 'benchmark'), {
  inChannels: 1,
  outChannels: classes + 1,
});
const scheme = labelScheme(
  Object.fromEntries(Array.from({ length: classes }, (_, i) => [`${i + 1}`, `class ${i + 1}`])),
);
const task = segmentationTask({ network, scheme, batchSize: 1, crop: [side, side, side] });
const measured = await measureSteps(task, { precision, threads, steps });
console.log(JSON.stringify({ ...measured, stepSeconds: measured.stepMs.map((ms) => ms / 1000) }));
process.reallyExit(0);
