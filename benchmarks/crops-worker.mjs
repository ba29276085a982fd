// Some crops of a checkout's loader a line of standard input, made in this process. Started by crops.mjs:
// node benchmarks/crops-worker.mjs CHECKOUT FOLDER '{"recipe": "models-genesis", "channels": 1, "side": 96, "cases": 100, "crops": 4}'
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [, , checkout, folder, text] = process.argv;
const job = JSON.parse(text);
const from = (path) => import(join(checkout, 'dist', path));
const making = await from('dataset/crops/make-batch.js');
const { writeChunkedFile } = await from('dataset/cache/write-chunked.js');
const { classFinder } = await from('dataset/cache/class-positions.js');
const coding = existsSync(join(checkout, 'dist/dataset/cache/value-codes.js'))
  ? await from('dataset/cache/value-codes.js')
  : undefined; // a checkout from before them

const VOLUMES = 4;
const sizes = { 1: [267, 267, 224], 4: [160, 192, 150] };
const size = sizes[job.channels];

/**
 * Soft tissue with noise in air, in [0, 1] (CT) or z-scores with a background of 0 (MR): resampled, so that no two values are alike,
 * or on the scan's own grid, whose values are whole numbers before they are scaled.
 */
function image(seed) {
  const [nx, ny, nz] = size;
  const values = new Float32Array(nx * ny * nz * job.channels);
  let state = seed + 1;
  let i = 0;
  for (let c = 0; c < job.channels; c++) {
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        for (let x = 0; x < nx; x++, i++) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          if (((x / nx - 0.5) / 0.45) ** 2 + ((y / ny - 0.5) / 0.4) ** 2 >= 1) continue;
          const noise = job.own ? (state >>> 21) / 2 ** 11 : state / 2 ** 32;
          values[i] = job.channels === 1 ? 0.5 + 0.1 * noise : 4 * noise - 2;
        }
      }
    }
  }
  return values;
}

function label() {
  const [nx, ny, nz] = size;
  return Uint8Array.from({ length: nx * ny * nz }, (_, i) => (i % nx > nx / 3 && i % nx < nx / 2 ? 1 : 0));
}

/** A volume [c][z][y][x] from below, in slabs of 32 planes. */
function* slabs(values, channels) {
  const [nx, ny, nz] = size;
  for (let z = 0; z < nz; z += 32) {
    const planes = Math.min(32, nz - z);
    const slab = new values.constructor(nx * ny * planes * channels);
    for (let c = 0; c < channels; c++) {
      const first = nx * ny * (z + nz * c);
      slab.set(values.subarray(first, first + nx * ny * planes), nx * ny * planes * c);
    }
    yield slab;
  }
}

const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
const described = { size, spacing: [1, 1, 1], affine, steps: [], sources: [] };
const imageOf = (volume) => `${job.channels}-${volume}${job.own ? '-own' : ''}.image.hmv`;
const labelOf = `${job.channels}.label.hmv`;
for (let volume = 0; volume < VOLUMES; volume++) {
  if (existsSync(join(folder, imageOf(volume)))) continue;
  const values = image(volume);
  const codes = coding?.valueCodes([values]);
  const stored = codes ? new Uint16Array(values.length) : values;
  codes?.encode(values, stored);
  writeChunkedFile(
    join(folder, imageOf(volume)),
    { ...described, dtype: codes ? 'uint16' : 'float32', channels: job.channels },
    slabs(stored, job.channels),
    {},
    codes?.values,
  );
}
const labels = label();
const finder = classFinder([labels]);
if (!existsSync(join(folder, labelOf))) {
  finder.add(labels);
  writeChunkedFile(
    join(folder, labelOf),
    { ...described, dtype: 'uint8', channels: 1 },
    slabs(labels, 1),
    finder.classes,
  );
}

const { voxels, positions } = finder.classes[1];
const unitScales = Array.from({ length: job.channels }, () => ({ scale: 0.25, shift: 0.5 }));
const recipes = {
  'models-genesis': {
    name: 'models-genesis',
    flip: 0.4,
    shuffle: 0.5,
    nonlinear: 0.9,
    paint: 0.9,
    inPaint: 0.2,
  },
  transvw: { name: 'transvw' },
};
const recipe = recipes[job.recipe];
const options = {
  preparedDir: folder,
  cases: Array.from({ length: job.cases }, (_, i) => ({
    id: `case${i}`,
    image: imageOf(i % VOLUMES),
    label: labelOf,
    size,
    classVoxels: { 1: { voxels, stored: positions.length } },
    ...(job.channels > 1 && { unitScales }),
  })),
  channels: job.channels,
  cropSize: [job.side, job.side, job.side],
  batchSize: 1,
  seed: 3,
  withLabels: job.recipe === 'fine-tuning',
  foregroundRatio: job.recipe === 'fine-tuning' ? 0.5 : 0,
  ...(job.recipe === 'fine-tuning' && {
    augmentation: { flip: 0.2, rotate: 0.2, scaleIntensity: 0.1, shiftIntensity: 0.1 },
  }),
  ...(recipe && { corruption: { recipe, heldOut: false } }),
};
const makeBatch = making.batchMaker ? making.batchMaker(options) : (step) => making.makeBatch(options, step);

/** Bytes that this process asked the system for so far, cached or not. */
const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]);

let step = 0;
for (;;) {
  if (readSync(0, Buffer.alloc(1)) === 0) break;
  const hash = createHash('sha256');
  let [cpu, bytes] = [0, 0];
  for (let crop = 0; crop < job.crops; crop++) {
    const readBefore = bytesRead();
    const before = process.cpuUsage();
    const { images, corrupted, labels: classes } = makeBatch(step++);
    const { user, system } = process.cpuUsage(before);
    cpu += (user + system) / 1000;
    bytes += bytesRead() - readBefore;
    for (const array of [images, corrupted, classes]) if (array) hash.update(array);
  }
  const report = { milliseconds: cpu / job.crops, bytes: bytes / job.crops, digest: hash.digest('hex') };
  writeSync(1, `${JSON.stringify(report)}\n`);
}
