import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { WorkError } from '../errors.js';

/** What `prepareRuntime` loaded; koffi closes a library that nobody holds. */
const held: ReturnType<typeof koffi.load>[] = [];

/**
 * Whether the loader's search path holds NVIDIA's libraries already: `bin/hybridmim.mjs` says so to the
 * process that it starts.
 */
const searchPathIsSet = () => process.env.HYBRIDMIM_SEARCH_PATH === '1';

/**
 * The TensorFlow library that set-up placed beside tfjs.
 * @throws WorkError naming the folder that lacks it, and the command that mends it
 */
export function findRuntimeLibrary(): string {
  const folder = join(addonPackage(), 'deps', 'lib');
  const names = ['libtensorflow_cc.so.2', 'libtensorflow.so.2', 'libtensorflow.so', 'libtensorflow.2.dylib'];
  const found = names.map((name) => join(folder, name)).find((file) => existsSync(file));
  if (!found)
    throw new WorkError(`no libtensorflow under ${folder}: run "npx hybridmim setup"`, { file: folder });
  return found;
}

/**
 * Makes the runtime loadable from this process on. Where a process was started without NVIDIA's libraries on
 * its search path, as a script that imports the package is, they are loaded here by their paths: the loader
 * reads the search path when a process starts and never again, but takes for a name what is loaded under it.
 * @throws WorkError when set-up was not run, saying so in a sentence, before tfjs does in three that help
 *   nobody here
 */
export function prepareRuntime(): void {
  findRuntimeLibrary();
  const addon = join(addonPackage(), 'lib/napi-v8/tfjs_binding.node');
  if (!existsSync(addon))
    throw new WorkError(`tfjs's addon is missing, ${addon}: run "npx hybridmim setup"`, { file: addon });
  if (!searchPathIsSet()) loadInOrder(nvidiaLibraries());
}

/** The libraries that set-up placed with the CUDA build; none with the CPU's. */
function nvidiaLibraries(): string[] {
  const folder = join(addonPackage(), 'deps', 'cuda', 'nvidia');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => /\.so(\.[0-9]+)*$/.test(name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}

/**
 * Loads libraries that need one another, each as soon as those are there. TensorFlow names the one that it
 * lacks, should one stay out.
 */
function loadInOrder(libraries: readonly string[]): void {
  const left = libraries.filter((file) => !loads(file));
  if (left.length > 0 && left.length < libraries.length) loadInOrder(left);
}

/** Whether a library could be loaded, now. */
function loads(file: string): boolean {
  try {
    held.push(koffi.load(file, { lazy: true }));
    return true;
  } catch {
    return false;
  }
}

/** NVIDIA's libraries that TensorFlow's CUDA build opens when it looks for GPUs, as the loader names them. */
const gpuLibraries = [
  'libcuda.so.1',
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
];

/** Those of NVIDIA's libraries without which TensorFlow uses no GPU, and which cannot be loaded here. */
export const missingGpuLibraries = (): string[] => gpuLibraries.filter((name) => !loads(name));

function addonPackage(): string {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json'));
}
