// Preparing scans and reading crops, here and with MONAI, on the same generated files, one worker each, in one run on one machine.
// node benchmarks/prepare.mjs --python /path/to/python [--size 512x512x160] [--cases 3] [--crop-from 512x512x400] [--crops 20] [--out file.json]
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { prepareDatasets } from '../dist/dataset/index.js';
import { writeNifti } from '../dist/volume/index.js';
import { lastLine, median } from './measured.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    size: { type: 'string', default: '512x512x160' },
    cases: { type: 'string', default: '3' },
    'crop-from': { type: 'string', default: '512x512x400' },
    crops: { type: 'string', default: '20' },
    out: { type: 'string' },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);
const ours = async (task, options) =>
  lastLine(
    (await run(process.execPath, [join(here, 'hybridmim-prepare.mjs'), task, JSON.stringify(options)]))
      .stdout,
  );
const monai = async (task, options) =>
  lastLine((await run(flags.python, [join(here, 'monai_prepare.py'), task, JSON.stringify(options)])).stdout);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const window = [-1000, 1000];
const side = 96;

/** A body with organs in air, with noise as a scanner has it, stored as LAS like most CTs; int16 HU and labels. */
function phantom(sizeText, seed) {
  const size = sizeText.split('x').map(Number);
  const [nx, ny, nz] = size;
  const spacing = [0.75, 0.75, 1.25];
  const described = {
    size,
    spacing,
    affine: { rows: [-0.75, 0, 0, 190, 0, 0.75, 0, -190, 0, 0, 1.25, 0] },
    channels: 1,
  };
  const image = new Int16Array(nx * ny * nz);
  const label = new Uint8Array(image.length);
  let state = seed + 1;
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const noise = ((state >>> 24) + ((state >>> 16) & 255) - 255) / 10;
        const at = (cx, cy, rx, ry) => ((x / nx - cx) / rx) ** 2 + ((y / ny - cy) / ry) ** 2 < 1;
        const organ = at(0.35, 0.5, 0.1, 0.15)
          ? 1
          : at(0.6, 0.45, 0.05, 0.05 + 0.03 * Math.sin(z / 20))
            ? 2
            : 0;
        label[i] = organ;
        image[i] = (organ === 1 ? 110 : organ === 2 ? 180 : at(0.5, 0.5, 0.42, 0.32) ? 30 : -1000) + noise;
      }
    }
  }
  return { image: { ...described, data: image }, label: { ...described, data: label } };
}

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-prepare-'));
const cases = [];
for (let i = 0; i < Number(flags.cases); i++) {
  const { image, label } = phantom(flags.size, i);
  await writeNifti(join(folder, `case${i}.nii.gz`), image);
  await writeNifti(join(folder, `case${i}_label.nii.gz`), label);
  cases.push({
    id: `case${i}`,
    image: join(folder, `case${i}.nii.gz`),
    label: join(folder, `case${i}_label.nii.gz`),
  });
}
const indexOf = (name, dataset) => {
  const file = join(folder, `${name}.json`);
  writeFileSync(
    file,
    JSON.stringify({
      schema: 1,
      datasets: { ct: { layout: 'files', modality: 'ct', classes: { 1: 'a', 2: 'b' }, ...dataset } },
    }),
  );
  return file;
};
process.stderr.write('the scans are written\n');
const results = { prepare: {}, crops: {} };
results.prepare.ours = await ours('prepare', {
  datasetsFile: indexOf('cases', { windowHu: window, cases }),
  out: join(folder, 'prepared'),
});
results.prepare.monai = await monai('prepare', {
  items: cases.map(({ image, label }) => ({ image, label })),
  window,
});

await writeNifti(join(folder, 'large.nii'), phantom(flags['crop-from'], 9).image);
const large = {
  spacing: null,
  foregroundThreshold: null,
  windowHu: window,
  cases: [{ id: 'large', image: join(folder, 'large.nii') }],
};
await prepareDatasets({ datasetsFile: indexOf('large', large), out: join(folder, 'large'), workers: 1 });
const count = Number(flags.crops);
results.crops.ours = await ours('crops', {
  prepared: join(folder, 'large'),
  image: 'ct/large.image.hmv',
  side,
  count: 10 * count,
});
results.loader = await ours('loader', {
  prepared: join(folder, 'large'),
  side,
  count: 10 * count,
  workers: 2,
});
results.crops.monai = await monai('crops', {
  image: join(folder, 'large.nii'),
  cache: join(folder, 'cache'),
  side,
  count,
});
rmSync(folder, { recursive: true });

const minutes = ({ seconds }) => (60 * seconds.length) / sum(seconds);
const gigabytes = (bytes) => (bytes / 1e9).toFixed(2);
const milliseconds = ({ seconds }) => (1000 * median(seconds)).toFixed(1);
const { prepare, crops } = results;
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; one worker each`,
);
console.log(
  [
    `| preparing ${flags.cases} scans of ${flags.size} with labels | cases a minute | processor seconds a case | peak GB of the process |`,
    '|---|---|---|---|',
    ...Object.entries(prepare).map(
      ([who, found]) =>
        `| ${who} | ${minutes(found).toFixed(1)} | ${(found.cpuSeconds / found.seconds.length).toFixed(2)} | ${gigabytes(found.peakBytes)} |`,
    ),
  ].join('\n'),
);
console.log(
  `${(minutes(prepare.ours) / minutes(prepare.monai)).toFixed(1)} times as fast, ${(prepare.ours.cpuSeconds / prepare.monai.cpuSeconds).toFixed(2)} of the processor time, ${(prepare.ours.peakBytes / prepare.monai.peakBytes).toFixed(2)} of the peak memory`,
);
console.log(
  [
    `| a crop of ${side}^3 from ${flags['crop-from']} | median ms |`,
    '|---|---|',
    ...Object.entries(crops).map(([who, found]) => `| ${who} | ${milliseconds(found)} |`),
  ].join('\n'),
);
console.log(`${(median(crops.monai.seconds) / median(crops.ours.seconds)).toFixed(1)} times as fast`);
console.log(
  `the crop loader makes one in ${milliseconds(results.loader)} ms with 2 workers: a step that takes longer does not wait for it`,
);
if (flags.out) writeFileSync(flags.out, `${JSON.stringify(results, null, 1)}\n`);
