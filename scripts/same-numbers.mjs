// Whether two checkouts of this project compute the same numbers, bit for bit, from file to file: both built (npm run build).
// node scripts/same-numbers.mjs BEFORE AFTER [--out FOLDER [--compare-only]]   --compare-only: FOLDER is there from an earlier call
// In each: the tiny experiments on CT and MR phantoms (every network and method of the paper's tables; prepared volumes, the losses and
// gradient norms of each step, weights, evaluations), SimMIM and MAE, and the logits of a scan. Files are compared byte by byte; of
// records in JSON what tells time, place, memory or version is left out first. Exits with 1 and names what differs.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, 'compare-only': { type: 'boolean', default: false } },
});
const [before, after] = positionals.map((path) => resolve(path));
if (!after) throw new Error('name two checkouts: node scripts/same-numbers.mjs BEFORE AFTER');
const root = values.out ?? mkdtempSync(join(tmpdir(), 'same-numbers-'));

const EXPERIMENTS = ['table1-btcv', 'table3-brats'];
const small = [
  'data.cropSize=[32,32,32]',
  'data.workers=1',
  'data.prefetch=1',
  'train.batchSize=2',
  'train.steps=3',
  'train.warmupSteps=1',
];
const features = '[4,4,4,8,8,4]';
const unetr = [
  'network.imageSize=[32,32,32]',
  'network.featureSize=4',
  'network.hiddenSize=12',
  'network.mlpDim=16',
  'network.numHeads=2',
];
/** Runs beside the tables: the methods that these lack, and the switches of HybridMIM that they leave alone. */
const PRETRAININGS = {
  simmim: ['simmim-unet-ct', `network.features=${features}`, 'method.patch=8'],
  mae: ['mae-unetr-ct', ...unetr],
  bfloat16: [
    'hybridmim-unet-ct',
    `network.features=${features}`,
    'precision=bfloat16',
    'method.subVolume=16',
    'method.patch=8',
    'method.region=16',
  ],
  l1: [
    'hybridmim-unet-ct',
    `network.features=${features}`,
    'method.subVolume=16',
    'method.patch=8',
    'method.region=32',
    'method.reconstruction=l1',
  ],
};

/** Everything that one checkout makes of the same phantoms, in `out`. */
function made(checkout, out) {
  const hybridmim = (...flags) =>
    execFileSync('node', ['bin/hybridmim.mjs', ...flags], {
      cwd: checkout,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  for (const name of EXPERIMENTS) {
    hybridmim('experiment', '--config', `configs/experiment-tiny/${name}.yaml`, '--out', join(out, name));
  }
  const prepared = join(out, 'table1-btcv', 'prepared');
  for (const [name, [config, ...settings]] of Object.entries(PRETRAININGS)) {
    const set = [
      ...small,
      ...settings,
      `data.prepared=${prepared}`,
      'data.datasets=[collected]',
      'train.validateEvery=0',
    ];
    const flags = set.flatMap((setting) => ['--set', setting]);
    hybridmim('pretrain', '--config', `configs/pretrain/${config}.yaml`, '--out', join(out, name), ...flags);
  }
  const scan = join(out, 'table1-btcv', 'phantoms', 'phantom-03.nii.gz');
  for (const file of filesOf(out).filter(
    (name) => name.startsWith('table1-btcv') && name.endsWith('config.yaml'),
  )) {
    const run = join(out, file, '..');
    if (!readFileSync(join(run, 'config.yaml'), 'utf8').includes('inference:')) continue;
    hybridmim(
      'predict',
      '--run',
      run,
      '--input',
      scan,
      '--output',
      join(out, 'predicted', `${file.replaceAll('/', '_')}.nii.gz`),
      '--save-logits',
    );
  }
}

const UNSTABLE =
  /^(seconds|waitSeconds|.*Seconds|.*Ms|.*Bytes|time|created|started|finished|version|machine|command|peakShare|hostname|pid|prepared|file|path|source|sources|root|from|folder|out|init|logits|output|label|image)$/;
/** Of a prepared case's settings: it has the scans' folder in it. */
const isFingerprint = (key, value) => key === 'settings' && typeof value === 'string';
const stable = (value) => {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value === 'string') return value.replaceAll(root, '').replace(/\/(before|after)\//g, '/');
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => !UNSTABLE.test(key) && !isFingerprint(key, one))
      .map(([key, one]) => [key, stable(one)]),
  );
};

/** What is compared of a file: its bytes, or what of its records does not change from run to run. */
function compared(file) {
  if (/\.(html|png|svg|log|yaml|md|v2|sh)$|events\.out|log\.jsonl$|\.lock/.test(file)) return undefined;
  const bytes = readFileSync(file);
  // nnU-Net's form has NaN, which is no JSON.
  if (file.endsWith('.summary.json'))
    return bytes
      .toString()
      .replaceAll(root, '')
      .replace(/\/(before|after)\//g, '/');
  if (file.endsWith('.json')) return JSON.stringify(stable(JSON.parse(bytes.toString())));
  if (file.endsWith('.jsonl'))
    return bytes
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.stringify(stable(JSON.parse(line))))
      .join('\n');
  return createHash('sha256').update(bytes).digest('hex');
}

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();

if (!values['compare-only']) {
  made(before, join(root, 'before'));
  made(after, join(root, 'after'));
}
const [first, second] = [join(root, 'before'), join(root, 'after')];
const names = new Set([...filesOf(first), ...filesOf(second)]);
const differing = [];
const kinds = new Map();
for (const name of names) {
  const [old, now] = [first, second].map((folder) => {
    try {
      return compared(join(folder, name));
    } catch (error) {
      if (error.code === 'ENOENT') return null;
      throw error;
    }
  });
  if (old === undefined && now === undefined) continue;
  const kind = name.match(/(\.nii\.gz|\.[a-z0-9]+)$/i)?.[0] ?? 'others';
  kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  if (old !== now) differing.push(name);
}
console.log(`compared ${[...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ')} in ${root}`);
for (const name of differing) console.log(`differs: ${name}`);
console.log(differing.length === 0 ? 'equal bit for bit' : `${differing.length} files differ`);
process.exitCode = differing.length === 0 ? 0 : 1;
