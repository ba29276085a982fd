// The steps of supervised training of one network, timed in a process of its own.
// node benchmarks/network-step.mjs '{"network": {"name": "swin-unetr"}, "precision": "float32", ...}' prints one line of JSON.
import { checkConfig, networkSection } from '../dist/config/index.js';
import { makeNetwork } from '../dist/network/index.js';
import { measureSegmentationSteps } from '../dist/training/index.js';

const { network: settings, precision, crop, classes, steps, threads } = JSON.parse(process.argv[2]);
const network = makeNetwork(checkConfig(networkSection, settings, 'benchmark'), { inChannels: 1, outChannels: classes + 1 });
const size = [crop, crop, crop];
const measured = await measureSegmentationSteps({ network, precision, threads, steps, batch: 1, crop: size, channels: 1, classes });
console.log(JSON.stringify({ ...measured, stepSeconds: measured.stepMs.map((ms) => ms / 1000) }));
process.reallyExit(0);
