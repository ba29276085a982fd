// Packs this clone, installs the package in an empty folder elsewhere and uses it as a stranger would: set-up, doctor, a shipped configuration,
// the scripts of docs/library.md, types, the demo. Ends with a non-zero exit code at the first part that fails, and keeps the folder then.
// Usage: node scripts/try-package.mjs [--folder /an/empty/folder] [--keep]. It takes minutes, the network and 3 GB of disk.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const clone = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: { folder: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const folder = values.folder
  ? emptyFolder(resolve(values.folder))
  : mkdtempSync(join(tmpdir(), 'hybridmim-elsewhere-'));
const app = join(folder, 'app');
const installed = join(app, 'node_modules', 'hybridmim');

const parts = {
  'npm pack': pack,
  'npm install': install,
  'nothing of this clone': requireNoTrace,
  'before set-up': sayNotSetUp,
  'npx hybridmim setup': setUp,
  'npx hybridmim doctor': doctor,
  'scripts of docs/library.md': runDocumentedScripts,
  'pretrain --config NAME': pretrainByName,
  'a shipped configuration that extends others': loadExtended,
  types: checkTypes,
  'npx hybridmim demo': demo,
};

process.stdout.write(`${app}\n`);
try {
  for (const [name, part] of Object.entries(parts)) {
    const started = performance.now();
    const found = await part();
    process.stdout.write(
      `ok  ${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${name}${found ? `: ${found}` : ''}\n`,
    );
  }
  if (!values.keep) rmSync(folder, { recursive: true });
} catch (error) {
  process.stdout.write(`FAIL ${error.message}\nwhat there is: ${folder}\n`);
  process.exitCode = 1;
}

async function pack() {
  await run('npm', ['pack', '--ignore-scripts=false', '--pack-destination', folder], { cwd: clone });
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: clone });
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(stdout);
  require(existsSync(join(folder, filename)), `npm pack made no ${filename}`);
  return `${filename}, ${(size / 1e6).toFixed(1)} MB, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked, ${entryCount} files`;
}

/** The commands of the guide: what npm refuses there, it refuses here. */
async function install() {
  mkdirSync(app);
  const file = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, file)]);
  require(existsSync(
    installed,
  ), `npm did not install into ${app}: is there a package.json in a folder above?`);
  for (const name of ['typescript', 'vitest', 'typedoc'])
    require(!existsSync(
      join(app, 'node_modules', name),
    ), `${name} was installed, which a packed install does not need`);
  return `${readdirSync(join(app, 'node_modules')).length} folders in node_modules`;
}

async function requireNoTrace() {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  for (const { parentPath, name } of files)
    require(!readFileSync(join(parentPath, name)).includes(
      `${clone}/`,
    ), `${join(parentPath, name)} names a folder of this machine`);
  return `${files.length} files`;
}

async function sayNotSetUp() {
  const imported = await run('node', ['--input-type=module', '--eval', "import 'hybridmim'"], { code: 1 });
  requireText(imported.stderr, /WorkError: no libtensorflow under .*: run "npx hybridmim setup"/);
  requireText((await npxFor(1, 'doctor')).stdout, /FAIL tensorflow .*no libtensorflow/);
}

/** Once with everything to do, and once with nothing left to do. */
async function setUp() {
  requireText((await npx('setup')).stderr, /tfjs addon: done/);
  const { stderr } = await npx('setup');
  require(stderr === '', `a second set-up says ${stderr}`);
}

async function doctor() {
  const diagnosis = JSON.parse((await npx('doctor', '--json')).stdout);
  require(diagnosis.ok, `doctor is not content: ${JSON.stringify(diagnosis.checks)}`);
  return `libtensorflow ${diagnosis.runtime.tensorflow}, ${diagnosis.runtime.variant} build`;
}

/** Read from the page itself, so that what is documented is what works. */
async function runDocumentedScripts() {
  const scripts = [
    ...readFileSync(join(installed, 'docs/library.md'), 'utf8').matchAll(/```js\n(.*?)```/gs),
  ].map(([, text]) => text);
  require(scripts.length === 2, `docs/library.md has ${scripts.length} scripts, not 2`);
  writeFileSync(join(app, 'script.mjs'), scripts[0]);
  writeFileSync(join(app, 'step.mjs'), scripts[1]);
  const { stdout } = await run('node', ['script.mjs']);
  requireText(stdout, /dice: \{ overClasses: 0\.\d+/);
  requireText((await run('node', ['step.mjs'])).stdout, /^65536$/m);
  return stdout.match(/dice: .*/)[0];
}

/** The paper's configuration by its name, on the scans of the documented script, at a size for two cores. */
async function pretrainByName() {
  const small = [
    'data.prepared=prepared',
    'data.datasets=[ct]',
    'data.cropSize=[32,32,32]',
    'method.subVolume=16',
    'method.patch=8',
    'method.region=32',
  ];
  const short = [
    'network.features=[8,8,8,16,16,8]',
    'method.contrastDim=16',
    'train.batchSize=2',
    'train.steps=3',
    'train.validateEvery=0',
  ];
  const set = [...small, ...short].flatMap((override) => ['--set', override]);
  const { stdout } = await npx(
    'pretrain',
    '--config',
    'hybridmim-unet-ct',
    ...set,
    '--out',
    'runs/by-name',
    '--json',
  );
  const { steps, last } = JSON.parse(stdout);
  require(steps === 3 && existsSync(join(app, last)), `pretrain by name left ${stdout}`);
  const refused = await npxFor(3, 'pretrain', '--config', 'hybridmim-unet-tc');
  requireText(refused.stderr, /^hybridmim: .*did you mean pretrain\/hybridmim-unet-ct[^\n]*\?\n$/);
  return refused.stderr.trim();
}

async function loadExtended() {
  const script = `
    import { experimentConfig, loadConfig } from 'hybridmim';
    console.log((await loadConfig(experimentConfig, 'experiment-tiny/table1-btcv')).arms.length);`;
  const { stdout } = await run('node', ['--input-type=module', '--eval', script]);
  require(Number(stdout) > 0, `experiment-tiny/table1-btcv has ${stdout} arms`);
  return `${stdout.trim()} arms of ../experiment/table1-btcv.yaml`;
}

/** As a TypeScript user compiles against the package: right uses pass, wrong ones do not. */
async function checkTypes() {
  writeFileSync(
    join(app, 'typed.mts'),
    `import { diceLoss, loadConfig, pretrain, pretrainConfig, tf, type PretrainConfig } from 'hybridmim';
     const settings: PretrainConfig = await loadConfig(pretrainConfig, 'hybridmim-unet-ct');
     export const last: string = (await pretrain({ settings, out: 'run' })).last;
     // @ts-expect-error an option that there is not
     await pretrain({ settings, folder: 'run' });
     // @ts-expect-error labels of another rank
     diceLoss(tf.zeros([1, 2, 2, 2, 1]) as tf.Tensor5D, tf.zeros([1]) as tf.Tensor1D);\n`,
  );
  const compiler = join(clone, 'node_modules', 'typescript', 'bin', 'tsc');
  await run('node', [
    compiler,
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    '',
    'typed.mts',
  ]);
}

/** Two rows with a Dice far above that of chance, and the picture. */
async function demo() {
  const { runs, failed, picture } = JSON.parse((await npx('demo', '--json')).stdout);
  require(failed.length === 0 &&
    runs.length === 2, `the demo ended with ${runs.length} runs, and ${failed.length} that failed`);
  require(existsSync(join(app, picture)), `the demo left no picture ${picture}`);
  const rows = runs.map(({ arm, evaluation }) => ({ arm, dice: evaluation.mean.dice.overClasses }));
  for (const { arm, dice } of rows) require(dice > 0.3, `${arm} has a mean Dice of ${dice}`);
  return rows.map(({ arm, dice }) => `${arm} ${dice.toFixed(3)}`).join(', ');
}

function npx(...args) {
  return npxFor(0, ...args);
}

/** hybridmim as it is installed there, and the code that it is to end with. */
function npxFor(code, ...args) {
  return run('npx', ['--no-install', 'hybridmim', ...args], { code });
}

/** Runs a program in the folder of the stranger; throws its last lines when it ends with another code than `code`. */
function run(program, args, { cwd = app, code = 0 } = {}) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))); // of an `npm run` around this
  return new Promise((done, reject) => {
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (ended) => {
      if (ended === code) return done({ stdout, stderr });
      const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n');
      reject(
        new Error(
          `\`${program} ${args.slice(0, 4).join(' ')} ...\` ended with ${ended}, not ${code}:\n${said}`,
        ),
      );
    });
  });
}

function require(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

function requireText(text, pattern) {
  require(pattern.test(text), `${pattern} is not in:\n${text.slice(-2000)}`);
}

function emptyFolder(path) {
  mkdirSync(path, { recursive: true });
  require(readdirSync(path).length === 0, `${path} is not empty`);
  return path;
}
