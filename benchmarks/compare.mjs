// One HybridMIM(UNet) step here and in PyTorch + MONAI, in one run on one machine, by turns.
// node benchmarks/compare.mjs --python /path/to/python [--steps 3] [--rounds 1] [--workers 1] [--quick] [--only pattern] [--out file.json]
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { prepareDatasets } from '../dist/dataset/index.js';
import { writeNifti } from '../dist/volume/index.js';
import { lastLine, measuredBy, median } from './measured.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    steps: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' }, // of our crop loader
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);
const shape = flags.quick
  ? { crop: 64, region: 32, features: [16, 16, 32, 64, 128, 16] }
  : { crop: 96, region: 64, features: [64, 64, 128, 256, 512, 64] };
const steps = Number(flags.steps);

/** Multiply-adds times two of every convolution, forward and both gradients; the first layer needs none with respect to the image. */
function convolutionFlops({ crop, region, features: [f0, f1, f2, f3, f4, f5] }) {
  const conv = (voxels, inputs, outputs, k = 3) => 2 * k ** 3 * inputs * outputs * voxels;
  const at = (side, level) => (side / 2 ** level) ** 3;
  const encoder = [f0, f1, f2, f3, f4].map((outputs, level) => {
    const inputs = [1, f0, f1, f2, f3][level];
    return conv(at(crop, level), inputs, outputs) + conv(at(crop, level), outputs, outputs);
  });
  const decoder = [
    [3, f4, f4 / 2, f3, f3],
    [2, f3, f3 / 2, f2, f2],
    [1, f2, f2 / 2, f1, f1],
    [0, f1, f1, f0, f5],
  ].map(
    ([level, below, up, skip, outputs]) =>
      conv(at(region, level + 1), below, up, 2) +
      conv(at(region, level), skip + up, outputs) +
      conv(at(region, level), outputs, outputs),
  );
  const forward = [...encoder, ...decoder, conv(at(region, 0), f5, 1, 1)].reduce((a, b) => a + b, 0);
  return 3 * forward - conv(at(crop, 0), 1, f0);
}

async function preparedNoise(folder) {
  for (const name of ['a', 'b']) {
    const side = 128;
    const data = Int16Array.from({ length: side ** 3 }, (_, i) => ((i * 7919) % 1997) - 1000);
    const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };
    await writeNifti(join(folder, `${name}.nii.gz`), {
      size: [side, side, side],
      spacing: [1, 1, 1],
      affine,
      channels: 1,
      data,
    });
  }
  const cases = ['a', 'b'].map((id) => ({ id, image: `${id}.nii.gz` }));
  const index = {
    schema: 1,
    datasets: { noise: { layout: 'files', modality: 'ct', spacing: null, foregroundThreshold: null, cases } },
  };
  writeFileSync(join(folder, 'datasets.json'), JSON.stringify(index));
  await prepareDatasets({
    datasetsFile: join(folder, 'datasets.json'),
    out: join(folder, 'prepared'),
    workers: 1,
  });
  return join(folder, 'prepared');
}

const ours = async (options) =>
  lastLine(
    (
      await run(
        process.execPath,
        [
          join(here, 'hybridmim-step.mjs'),
          JSON.stringify({ ...shape, steps, threads: 0, workers: Number(flags.workers), ...options }),
        ],
        {
          maxBuffer: 1 << 24,
        },
      )
    ).stdout,
  );
const torch = async (precision, setting, features = shape) => {
  const args = [
    '--crop',
    shape.crop,
    '--region',
    features.region,
    '--features',
    ...shape.features,
    '--precision',
    precision,
    '--setting',
    setting,
    '--steps',
    steps,
  ];
  return {
    setting: `${precision} ${setting}`,
    ...(await measuredBy(flags.python, [join(here, 'torch_step.py'), ...args])),
  };
};

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-compare-'));
const prepared = await preparedNoise(folder);
const jobs = {
  'rate float32': () => ours({ precision: 'float32', rateOnly: true }),
  'hybridmim float32': () => ours({ prepared, precision: 'float32' }),
  'torch float32 plain': () => torch('float32', 'plain'),
  'torch float32 channels_last': () => torch('float32', 'channels_last'),
  'torch float32 compile': () => torch('float32', 'compile'),
  'hybridmim float32 full region': () => ours({ prepared, precision: 'float32', region: shape.crop }),
  'rate bfloat16': () => ours({ precision: 'bfloat16', rateOnly: true }),
  'hybridmim bfloat16': () => ours({ prepared, precision: 'bfloat16' }),
  'torch bfloat16 plain': () => torch('bfloat16', 'plain'),
  'torch bfloat16 channels_last': () => torch('bfloat16', 'channels_last'),
  'torch bfloat16 compile': () => torch('bfloat16', 'compile'),
};
const results = {};
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, job] of Object.entries(jobs)) {
    if (flags.only && !new RegExp(flags.only).test(name)) continue;
    const result = await job();
    if (!results[name]) results[name] = result;
    else for (const key of ['stepSeconds', 'waitSeconds']) results[name][key]?.push(...(result[key] ?? []));
    process.stderr.write(
      `${name}: ${result.failed ?? result.stepSeconds?.map((s) => s.toFixed(2)).join(' ') ?? `${result.matrixProductGflops.toFixed(0)} GFLOP/s`}\n`,
    );
  }
}
rmSync(folder, { recursive: true });

const flops = convolutionFlops(shape);
const seconds = (name) => (results[name]?.stepSeconds ? median(results[name].stepSeconds) : Number.NaN);
const best = (precision) =>
  ['plain', 'channels_last', 'compile']
    .map((s) => `torch ${precision} ${s}`)
    .filter((n) => results[n]?.stepSeconds)
    .toSorted((a, b) => seconds(a) - seconds(b))[0];
const rows = Object.entries(results).map(([name, { stepSeconds, peakBytes, failed }]) =>
  stepSeconds
    ? `| ${name} | ${seconds(name).toFixed(2)} | ${Math.min(...stepSeconds).toFixed(2)} to ${Math.max(...stepSeconds).toFixed(2)} | ${(peakBytes / 1e9).toFixed(2)} |`
    : failed
      ? `| ${name} | failed: ${failed} | | |`
      : '',
);
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; crop ${shape.crop}, region ${shape.region}, features ${shape.features}, batch 1; ${(flops / 1e9).toFixed(0)} GFLOP of convolutions a step`,
);
console.log(
  ['| step | median s | range s | peak GB |', '|---|---|---|---|', ...rows.filter(Boolean)].join('\n'),
);
for (const precision of ['float32', 'bfloat16']) {
  const mine = `hybridmim ${precision}`;
  const theirs = best(precision);
  const rate = results[`rate ${precision}`]?.matrixProductGflops;
  if (theirs && results[mine])
    console.log(
      `${precision}: ${(seconds(mine) / seconds(theirs)).toFixed(3)} of the time of ${theirs}; ${(results[mine].peakBytes / results[theirs].peakBytes).toFixed(3)} of its peak memory`,
    );
  if (rate && results[mine])
    console.log(
      `${precision}: convolutions at ${(flops / seconds(mine) / 1e9).toFixed(0)} GFLOP/s of the whole step, ${((100 * flops) / seconds(mine) / 1e9 / rate).toFixed(0)}% of a matrix product's ${rate.toFixed(0)}`,
    );
}
if (results['hybridmim float32 full region'])
  console.log(
    `partial region: ${(seconds('hybridmim float32') / seconds('hybridmim float32 full region')).toFixed(3)} of the full region's time`,
  );
if (results['hybridmim float32']) {
  const { waitSeconds, stepSeconds, compileMs } = results['hybridmim float32'];
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  console.log(
    `compile ${(compileMs / 1000).toFixed(2)} s; waiting for data ${((100 * sum(waitSeconds)) / sum(stepSeconds)).toFixed(2)}% of the time`,
  );
}
if (flags.out) writeFileSync(flags.out, `${JSON.stringify({ shape, flops, results }, null, 1)}\n`);
process.reallyExit(0);
