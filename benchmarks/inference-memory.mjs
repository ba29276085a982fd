// Peak memory and time of predicting one large CT with many classes on its own grid or prepared to 1.5 x 1.5 x 2 mm. In the network's place
// stands a function of single voxels, so that the memory is that of all the rest.
// node benchmarks/inference-memory.mjs [--depth 1000] [--classes 14] [--preset none|ct] [--overlap 0.25]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { preprocessingOf } from '../dist/dataset/index.js';
import { labelScheme, predictCase, predictorOf, slidingWindowSlabs } from '../dist/inference/index.js';
import { makeNetwork } from '../dist/network/index.js';
import { residentPeak } from '../dist/training/resident-peak.js';
import { writeNifti } from '../dist/volume/index.js';

const { values: flags } = parseArgs({
  options: {
    depth: { type: 'string', default: '1000' },
    side: { type: 'string', default: '512' },
    classes: { type: 'string', default: '14' },
    preset: { type: 'string', default: 'none' },
    window: { type: 'string', default: '96' },
    overlap: { type: 'string', default: '0.25' },
  },
});
const [side, depth, outChannels, window] = [flags.side, flags.depth, flags.classes, flags.window].map(Number);
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-memory-'));
const scan = join(folder, 'scan.nii');
const residentBytes = () =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
try {
  await writeScan();
  const network = makeNetwork(
    { name: 'unet', features: [1, 1, 1, 1, 1, 1], dropout: 0 },
    { inChannels: 1, outChannels },
  );
  const settings = {
    window: [window, window, window],
    overlap: Number(flags.overlap),
    windowBatch: 1,
    mirror: [],
    kind: 'classes',
    outChannels,
  };
  const predictor = predictorOf(network, (volume, watch) =>
    slidingWindowSlabs(volume, { ...settings, ...watch }, [standIn]),
  );
  const classes = Object.fromEntries(
    Array.from({ length: outChannels - 1 }, (_, i) => [i + 1, `class ${i + 1}`]),
  );
  const preprocessing = flags.preset === 'none' ? 'none' : preprocessingOf('ct');
  writeFileSync('/proc/self/clear_refs', '5'); // the peak begins here
  const before = residentBytes();
  const started = performance.now();
  const { label } = await predictCase(predictor, {
    images: [scan],
    preprocessing,
    scheme: labelScheme(classes),
  });
  const facts = {
    size: label.size,
    outChannels,
    preset: flags.preset,
    seconds: (performance.now() - started) / 1000,
    beforeBytes: before,
  };
  console.log(
    JSON.stringify({
      ...facts,
      peakBytes: residentPeak(),
      wholeLogitsBytes: 4 * outChannels * side * side * depth,
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}
process.reallyExit(0);

/** Logits that change from voxel to voxel. */
async function standIn(images, use) {
  await setImmediate(); // as a network, whose logits come later
  const logits = new Float32Array(images.length * outChannels);
  for (let i = 0, k = 0; i < images.length; i++)
    for (let c = 0; c < outChannels; c++, k++) logits[k] = images[i] * (c % 5) - c;
  use(logits);
}

/** HU of stripes; int16. */
async function writeScan() {
  const data = new Int16Array(side * side * depth);
  for (let i = 0; i < data.length; i++) data[i] = ((i * 7919) % 1997) - 900;
  const affine = { rows: [0.8, 0, 0, 0, 0, 0.8, 0, 0, 0, 0, 1, 0] };
  await writeNifti(scan, { size: [side, side, depth], spacing: [0.8, 0.8, 1], affine, channels: 1, data });
}
