#!/usr/bin/env node
// Finds the TensorFlow runtime that set-up placed, sets its environment, starts the command line; nothing else.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { devNull } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const entry = join(root, 'dist', 'cli', 'main.js');

if (process.argv[2] === 'setup') {
  await import('../scripts/setup.mjs');
} else if (!existsSync(entry)) {
  console.error('hybridmim is not set up: its compiled sources are missing; run "hybridmim setup"');
  process.exitCode = 1;
} else if (nvidiaFolders().length > 0 && process.env.HYBRIDMIM_SEARCH_PATH !== '1') {
  restartWithSearchPath();
} else {
  requireEnoughFiles();
  requireAddressSpace();
  const { callEarlyAsRank } = await import('../dist/ranks/call-early.js'); // before all else, which takes a while
  callEarlyAsRank(process.argv.slice(2), process.env);
  const { main } = await import(entry);
  await main(process.argv.slice(2));
}

/**
 * Ends where fewer files may be open than the loader opens at a time for the sources: of one that it may not open it says
 * that it is not there, or nothing that anybody would understand.
 */
function requireEnoughFiles() {
  const needed = 160;
  const opened = [];
  try {
    while (opened.length < needed) opened.push(openSync(devNull));
  } catch ({ code }) {
    if (code !== 'EMFILE' && code !== 'ENFILE') return;
    console.error(
      `hybridmim: ${opened.length} files may be opened at a time, but ${needed} are needed: raise the limit with "ulimit -n 4096"`,
    );
    process.exit(1);
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/**
 * Ends where "ulimit -v" leaves less of the address space than Node and its WebAssembly reserve, whatever they use of it: they
 * end without a sentence there.
 */
function requireAddressSpace() {
  const needed = 7 * 2 ** 30;
  const limits = existsSync('/proc/self/limits') ? readFileSync('/proc/self/limits', 'utf8') : '';
  const limit = Number(/^Max address space +(\d+)/m.exec(limits)?.[1] ?? needed);
  if (limit >= needed) return;
  console.error(
    `hybridmim: the address space is limited to ${(limit / 2 ** 30).toFixed(1)} GiB, but ${needed / 2 ** 30} GiB are reserved, whatever is used of them: raise the limit with "ulimit -v unlimited", or limit memory by a container`,
  );
  process.exit(1);
}

/** The folders of the NVIDIA libraries that the CUDA runtime was placed with; none for the CPU runtime. */
function nvidiaFolders() {
  const packages = [root, dirname(dirname(root))].map((folder) =>
    join(folder, 'node_modules', '@tensorflow', 'tfjs-node-gpu', 'deps'),
  ); // own or hoisted
  const deps = packages.find((folder) => existsSync(join(folder, 'hybridmim-runtime.json')));
  if (!deps || JSON.parse(readFileSync(join(deps, 'hybridmim-runtime.json'), 'utf8')).variant !== 'cuda')
    return [];
  const libraries = join(deps, 'cuda', 'nvidia');
  if (!existsSync(libraries)) return [];
  return readdirSync(libraries, { recursive: true, withFileTypes: true })
    .filter((item) => item.isDirectory() && item.name === 'lib')
    .map((item) => join(item.parentPath ?? item.path, item.name));
}

/** The loader reads the search path once, when a process starts: hence a process of its own, whose signals and exit code are passed on. */
function restartWithSearchPath() {
  const searchPath = [...nvidiaFolders(), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const environment = { ...process.env, LD_LIBRARY_PATH: searchPath, HYBRIDMIM_SEARCH_PATH: '1' };
  const child = spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit', env: environment });
  process.on('SIGINT', () => {}); // the terminal sends it to the child as well, which saves its state
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
}
