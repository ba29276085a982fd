// Sliding-window prediction of one volume, timed. node benchmarks/inference-job.mjs '{"network": {...}, "size": 160, "window": 96, ...}' prints one line of JSON.
import { checkConfig } from '../dist/config/index.js';
import { createState } from '../dist/engine/index.js';
import { openPredictor } from '../dist/inference/index.js';
import { initialiseParameters, makeNetwork, networkSection } from '../dist/network/index.js';
import { residentPeak } from '../dist/training/resident-peak.js';

const {
  network: settings,
  size,
  window,
  outChannels,
  windowBatch,
  precision,
  repeats,
  threads,
} = JSON.parse(process.argv[2]);
const network = makeNetwork(checkConfig(networkSection, settings, 'benchmark'), {
  inChannels: 1,
  outChannels,
});
const state = createState(initialiseParameters(network.specs, 0), { engine: 'graph', threads });
const predictor = openPredictor({
  network,
  states: [state],
  kind: 'classes',
  window: [window, window, window],
  overlap: 0.5,
  windowBatch,
  mirror: [],
  precision,
});
const cube = (side) => {
  const data = Float32Array.from({ length: side ** 3 }, (_, i) => ((i * 7919) % 1997) / 1997);
  const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
  return { size: [side, side, side], spacing: [1, 1, 1], affine, channels: 1, data };
};

await predictor.logits(cube(window)); // the first run makes the graph ready
const seconds = [];
const cpuSeconds = []; // of all threads: what other work on the machine changes least
let windows = 0;
for (let i = 0; i < repeats; i++) {
  const volume = cube(size);
  const [started, used] = [performance.now(), process.cpuUsage()];
  await predictor.logits(volume, { onWindow: (_, total) => (windows = total) });
  seconds.push((performance.now() - started) / 1000);
  const { user, system } = process.cpuUsage(used);
  cpuSeconds.push((user + system) / 1e6);
}
console.log(JSON.stringify({ seconds, cpuSeconds, windows, peakBytes: residentPeak() }));
process.reallyExit(0);
