import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { canRun, runCommand, SetupError } from './run-command.mjs';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const addonPackage = () => packageFolder('@tensorflow/tfjs-node-gpu');
const runtimeFolder = () => path.join(addonPackage(), 'deps');
const addonFile = () => path.join(addonPackage(), 'lib/napi-v8/tfjs_binding.node');
const runtimeStamp = () => path.join(runtimeFolder(), 'hybridmim-runtime.json');
const lockFile = path.join(root, 'package-lock.json');
const packageStamp = path.join(root, 'node_modules/.hybridmim-packages');
const buildStamp = path.join(root, 'dist/.built');
/** The command that goes on with set-up: in a clone, which alone has the lock file, or in an installed package. */
const setUpAgain = existsSync(lockFile) ? 'npm run setup' : 'npx hybridmim setup';

/**
 * The wheels are taken for one Python's name, since only the C library inside is used: any pip can fetch them. pip takes a platform's name as it
 * is, and some of NVIDIA's wheels bear an older one than TensorFlow's.
 */
const platforms = [
  'manylinux_2_27_x86_64',
  'manylinux_2_17_x86_64',
  'manylinux2014_x86_64',
  'manylinux1_x86_64',
];
const wheelTarget = [
  ...platforms.flatMap((name) => ['--platform', name]),
  '--implementation',
  'cp',
  '--python-version',
  '311',
  '--abi',
  'cp311',
];
const wheelSpaceBytes = { cpu: 2.5e9, cuda: 9e9 };

/** Throws unless this platform is one that set-up supports; says plainly what is untested. */
export function checkPlatform() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(
      `Node ${process.versions.node} is too old: install the newest Node 20, or a later one.`,
    );
  }
  const platform = `${process.platform}-${process.arch}`;
  if (platform === 'linux-x64' || process.env.HYBRIDMIM_TENSORFLOW) return;
  throw new SetupError(
    `there is no pinned TensorFlow wheel for ${platform}: only Linux x86-64 is tested. On aarch64 and macOS (both untested) ` +
      `install libtensorflow 2.21 yourself and run \`HYBRIDMIM_TENSORFLOW=/folder/with/lib/and/include ${setUpAgain}\`.`,
  );
}

/** Installs the node packages as locked, without their install scripts; done when the lock file's hash is stamped. An installed package has its own already, and no lock file. */
export const packagesStep = {
  name: 'node packages',
  isDone: () => !existsSync(lockFile) || readIfThere(packageStamp) === lockHash(),
  run: async () => {
    // Not `npm ci`: it refuses a lock file made where a registry lacks some other platform's optional package.
    // Development packages too, also where NODE_ENV=production would leave them out: the compiler is one, and a clone comes uncompiled.
    await runCommand(
      'npm',
      ['install', '--no-save', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'],
      {
        cwd: root,
        remedy:
          'check the network and the npm registry settings, then run `npm install --include=dev --ignore-scripts`',
      },
    );
    writeFileSync(packageStamp, lockHash());
  },
};

/** Places libtensorflow and its headers under the tfjs package's `deps`: from a pinned wheel, an installed copy, or tfjs's own download. */
export function runtimeStep(variant) {
  const source = process.env.HYBRIDMIM_TENSORFLOW ?? 'wheel';
  return {
    name: `TensorFlow runtime (${source === 'wheel' ? `${variant} wheel 2.21.0` : source})`,
    isDone: () => {
      const stamp = readIfThere(runtimeStamp());
      return (
        stamp !== undefined &&
        stamp === JSON.stringify({ source, variant }) &&
        existsSync(path.join(runtimeFolder(), 'lib'))
      );
    },
    run: async () => {
      requireWritable(addonPackage());
      rmSync(runtimeFolder(), { recursive: true, force: true });
      rmSync(addonFile(), { force: true }); // it is linked to what is replaced
      if (source === 'tfjs') await downloadByTfjs();
      else if (source === 'wheel') await takeFromWheel(variant);
      else linkInstalled(source);
      writeFileSync(runtimeStamp(), JSON.stringify({ source, variant }));
    },
  };
}

/** Builds tfjs's native addon against the placed library. */
export const addonStep = {
  name: 'tfjs addon',
  isDone: () => existsSync(addonFile()),
  run: async () => {
    if (!(await canRun('g++')) && !(await canRun('c++'))) {
      throw new SetupError(
        `no C++ compiler was found: install one (Debian, Ubuntu: \`sudo apt-get install g++ make\`; Fedora: \`sudo dnf install gcc-c++ make\`) and run \`${setUpAgain}\`.`,
      );
    }
    if (!(await canRun('make')))
      throw new SetupError(
        `\`make\` was not found: install it (Debian, Ubuntu: \`sudo apt-get install make\`) and run \`${setUpAgain}\`.`,
      );
    const prefix = path.dirname(path.dirname(process.execPath));
    const headers = existsSync(path.join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []; // otherwise node-gyp downloads them
    const gyp = path.join(packageFolder('node-gyp'), 'bin/node-gyp.js');
    const defines = ['-Dmodule_name=tfjs_binding', '-Dmodule_path=./lib/napi-v8', '-Dnapi_build_version=8'];
    await runCommand(process.execPath, [gyp, 'rebuild', ...headers, '--', ...defines], {
      cwd: addonPackage(),
      remedy:
        'read the compiler output below; node-gyp needs Python 3, make, a C++17 compiler and Node headers (in <prefix>/include/node or downloadable)',
    });
  },
};

/** Compiles the TypeScript sources and writes the JSON Schemas, as `npm run build` does; an installed package comes with both. */
export const compileStep = {
  name: 'compile TypeScript',
  isDone: () =>
    !existsSync(path.join(root, 'src')) ||
    (existsSync(buildStamp) && newestChange(path.join(root, 'src')) <= statSync(buildStamp).mtimeMs),
  run: async () => {
    await runCommand('npm', ['run', '--silent', 'build'], {
      cwd: root,
      remedy: 'the sources do not compile; run `npm run typecheck` to see where',
    });
    writeFileSync(buildStamp, '');
  },
};

async function takeFromWheel(variant) {
  if (!(await canRun('python3')) || !(await canRun('python3', ['-m', 'pip', '--version']))) {
    throw new SetupError(
      `pip for Python 3 was not found, and it fetches the TensorFlow library: install it (Debian, Ubuntu: \`sudo apt-get install python3-pip\`) and run \`${setUpAgain}\`.`,
    );
  }
  requireSpace(wheelSpaceBytes[variant]);
  const folder = mkdtempSync(path.join(addonPackage(), '.tensorflow-'));
  try {
    await downloadWheels(`tensorflow-${variant}.txt`, folder);
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
    const placed = path.join(folder, 'deps');
    await runCommand(
      'python3',
      [path.join(root, 'scripts/extract-wheel.py'), path.join(folder, wheel), placed],
      {
        remedy: 'the wheel could not be unpacked; is the disk full?',
      },
    );
    symlinkSync('libtensorflow_cc.so.2', path.join(placed, 'lib/libtensorflow.so'));
    symlinkSync('libtensorflow_framework.so.2', path.join(placed, 'lib/libtensorflow_framework.so'));
    if (variant === 'cuda') await addNvidiaLibraries(folder, placed);
    renameSync(placed, runtimeFolder());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** pip refuses a file whose hash differs, so a cut-off or altered download never gets further. */
async function downloadWheels(requirements, folder) {
  const file = path.join(root, 'scripts', requirements);
  await runCommand(
    'python3',
    [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary',
      ':all:',
      ...wheelTarget,
      '--require-hashes',
      '-r',
      file,
      '-d',
      folder,
    ],
    {
      remedy: `the pinned wheel could not be downloaded whole; check the network and the pip index settings, then run \`${setUpAgain}\` again`,
    },
  );
}

async function addNvidiaLibraries(folder, placed) {
  const wheels = path.join(folder, 'nvidia');
  mkdirSync(wheels);
  await downloadWheels('nvidia-libraries.txt', wheels);
  for (const wheel of readdirSync(wheels)) {
    await runCommand(
      'python3',
      ['-m', 'zipfile', '-e', path.join(wheels, wheel), path.join(placed, 'cuda')],
      {
        remedy: 'the wheel could not be unpacked; is the disk full?',
      },
    );
  }
}

async function downloadByTfjs() {
  await runCommand(process.execPath, ['scripts/install.js', 'gpu', 'download'], {
    cwd: addonPackage(),
    remedy: "tfjs's own download failed; unset HYBRIDMIM_TENSORFLOW to use the pinned wheel instead",
  });
}

function linkInstalled(source) {
  for (const part of ['lib', 'include']) {
    if (!existsSync(path.join(source, part)))
      throw new SetupError(
        `HYBRIDMIM_TENSORFLOW=${source} has no folder ${part}: name the folder that holds libtensorflow's lib and include.`,
      );
  }
  mkdirSync(runtimeFolder(), { recursive: true });
  for (const part of ['lib', 'include'])
    symlinkSync(path.resolve(source, part), path.join(runtimeFolder(), part));
}

/** The library and the addon lie in the tfjs package, which a system-wide install leaves to its owner alone. */
function requireWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new SetupError(
      `${folder} cannot be written, and the TensorFlow library belongs there: install hybridmim in a folder of your own, or run \`${setUpAgain}\` as the owner of that one.`,
    );
  }
}

function requireSpace(bytes) {
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  if (free < bytes)
    throw new SetupError(
      `${(free / 1e9).toFixed(1)} GB are free under ${root}, but the TensorFlow runtime needs ${bytes / 1e9} GB while it is unpacked: free some space and run \`${setUpAgain}\`.`,
    );
}

/** Where a package stands: in our own `node_modules`, or hoisted above an installed copy of this one. */
function packageFolder(name) {
  return path.dirname(createRequire(path.join(root, 'package.json')).resolve(`${name}/package.json`));
}

function lockHash() {
  return createHash('sha256').update(readFileSync(lockFile)).digest('hex') + os.arch();
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function newestChange(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries.reduce(
    (newest, entry) =>
      Math.max(newest, statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
    0,
  );
}
