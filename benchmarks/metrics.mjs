// HD95 of a pair of ellipsoids in 300x512x512 voxels here and by MONAI, one thread each, by turns; and all metrics of a case of 13 organs, its files read and all.
// node benchmarks/metrics.mjs --python /path/to/python [--rounds 3] [--quick] [--out file.json]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lastLine, median } from './measured.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-metrics-'));
const scale = flags.quick ? 0.25 : 1;
const size = [512, 512, 300].map((n) => Math.round(n * scale));
const spacing = [0.8, 0.8, 1.5];
const env = { ...process.env, OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
const job = { size, spacing, folder };
const ours = (what) =>
  lastLine(
    execFileSync(process.execPath, [join(here, 'metrics-job.mjs'), JSON.stringify({ ...job, what })], {
      encoding: 'utf8',
      env,
    }),
  );
const monai = () =>
  lastLine(
    execFileSync(flags.python, [join(here, 'metrics_monai.py'), JSON.stringify(job)], {
      encoding: 'utf8',
      env,
    }),
  );

const rounds = Array.from({ length: Number(flags.rounds) }, () => ({
  hybridmim: ours('pair'),
  monai: monai(),
}));
const summary = (name) => ({
  hd95: rounds[0][name].hd95,
  seconds: median(rounds.map((round) => round[name].seconds)),
  cpuSeconds: median(rounds.map((round) => round[name].cpuSeconds)),
  allSeconds: rounds.map((round) => round[name].seconds),
  peakBytes: Math.max(...rounds.map((round) => round[name].peakBytes)),
  versions: rounds[0][name].versions,
});
const pair = { hybridmim: summary('hybridmim'), monai: summary('monai') };
const organs = ours('organs');
rmSync(folder, { recursive: true });
const result = {
  schema: 1,
  cpu: cpus()[0].model,
  size,
  spacing,
  pair,
  organs,
  timesAsFast: pair.monai.seconds / pair.hybridmim.seconds,
  timesLessCpu: pair.monai.cpuSeconds / pair.hybridmim.cpuSeconds,
};
if (flags.out) writeFileSync(flags.out, `${JSON.stringify(result, null, 1)}\n`);
console.log(JSON.stringify(result, null, 1));
