import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { errorCode } from '../errors.js';
import type { Check } from './check.js';

/** A GPU as its driver describes it. */
export interface NvidiaGpu {
  readonly name: string;
  readonly driver: string;
  readonly memoryBytes: number;
  /** Such as `8.0`. */
  readonly computeCapability: string;
}

/** What the driver says of its GPUs, or why nothing. */
export type DriverAnswer = { readonly gpus: readonly NvidiaGpu[] } | { readonly silent: string };

export interface GpuFacts {
  /** Which build of TensorFlow set-up placed. */
  readonly variant: 'cpu' | 'cuda';
  /** GPUs that TensorFlow sees, with what it may take of their memory. */
  readonly listed: readonly { readonly name: string; readonly memoryBytes: number }[];
  readonly driver: DriverAnswer;
  /** Of NVIDIA's libraries. */
  readonly missing: readonly string[];
  /** `CUDA_VISIBLE_DEVICES`; undefined where it is not set. */
  readonly visible: string | undefined;
}

/** The oldest driver that runs CUDA 12, by NVIDIA's table of minor-version compatibility. */
const OLDEST_DRIVER = '525.60.13';

/** The oldest GPUs that TensorFlow 2.21's CUDA build has kernels for: Pascal. */
const LEAST_CAPABILITY = '6.0';

const fields = ['name', 'driver_version', 'memory.total', 'compute_cap'];

/** What Node tells of a program that failed: `nvidia-smi` gives its reason on standard output. */
const failedCall = z.object({
  stdout: z.string().default(''),
  stderr: z.string().default(''),
  message: z.string().default('it failed'),
});

/** Asks `nvidia-smi`, which comes with the driver. */
export async function askDriver(): Promise<DriverAnswer> {
  try {
    const query = [`--query-gpu=${fields}`, '--format=csv,noheader,nounits'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 20_000 });
    return { gpus: parseGpus(stdout) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { silent: 'nvidia-smi is not there' };
    const { stdout, stderr, message } = failedCall.parse(error);
    const [said] = [stdout, stderr, message].map((text) => text.trim().replace(/\s+/g, ' ')).filter(Boolean);
    return { silent: `nvidia-smi says: ${said}` };
  }
}

/** The answer of `nvidia-smi`: a line a GPU, memory in MiB. */
export function parseGpus(answer: string): NvidiaGpu[] {
  const rows: string[][] = parse(answer, { trim: true, skip_empty_lines: true });
  return rows.map(([name = '', driver = '', memory = '', computeCapability = '']) => ({
    name,
    driver,
    memoryBytes: Number(memory) * 2 ** 20,
    computeCapability,
  }));
}

/** Whether a GPU is used where there is one; where not, what is missing and what to do. */
export function gpuCheck(facts: GpuFacts): Check {
  const { variant, listed, driver } = facts;
  const known = 'gpus' in driver ? driver.gpus : [];
  const described = known.map(
    ({ name, memoryBytes, driver: version, computeCapability }) =>
      `${name}, ${gib(memoryBytes)}, driver ${version}, compute capability ${computeCapability}`,
  );
  if (listed.length > 0) {
    const seen = listed.map(({ name, memoryBytes }) => `${name} with ${gib(memoryBytes)} to take`);
    return { name: 'gpu', ok: true, message: [...seen, ...described].join('; '), remedy: null };
  }
  if (variant === 'cpu')
    return known.length === 0
      ? { name: 'gpu', ok: true, message: 'none, and the CPU build of TensorFlow', remedy: null }
      : {
          name: 'gpu',
          ok: true,
          message: `${described.join('; ')}, not used: the CPU build of TensorFlow is set up`,
          remedy: 'run "hybridmim setup --runtime cuda" to use it; no GPU has been tested',
        };
  const [message, remedy] = whatIsMissing(facts, described);
  return {
    name: 'gpu',
    ok: false,
    message: `the CUDA build of TensorFlow sees no GPU: ${message}`,
    remedy: `${remedy}, or run "hybridmim setup --runtime cpu"`,
  };
}

/** The first thing that keeps TensorFlow from a GPU, and what to do about it. */
function whatIsMissing(
  { driver, missing, visible }: GpuFacts,
  described: readonly string[],
): readonly [string, string] {
  if (visible !== undefined && (visible === '' || visible.startsWith('-')))
    return [`CUDA_VISIBLE_DEVICES is "${visible}", which hides every GPU`, 'unset it'];
  const newer = `install NVIDIA's driver, ${OLDEST_DRIVER} or newer`;
  if ('silent' in driver)
    return [`no driver answers (${driver.silent})`, `${newer}; in a container, start it with --gpus all`];
  const { gpus } = driver;
  const [first] = gpus;
  if (!first) return ['the driver lists none', 'check that the GPU is in its slot and has power'];
  if (isBelow(first.driver, OLDEST_DRIVER)) return [`driver ${first.driver} is too old for CUDA 12`, newer];
  if (gpus.every(({ computeCapability }) => isBelow(computeCapability, LEAST_CAPABILITY)))
    return [
      `${described.join('; ')}, but its kernels begin at compute capability ${LEAST_CAPABILITY}`,
      'use a newer GPU',
    ];
  if (missing.length > 0)
    return [`${missing.join(', ')} cannot be loaded`, 'run "hybridmim setup --runtime cuda" again'];
  return [`the driver lists ${described.join('; ')}`, 'see what TensorFlow says with TF_CPP_MIN_LOG_LEVEL=0'];
}

/** Whether a version of numbers and dots comes before another. */
function isBelow(version: string, least: string): boolean {
  const [found, needed] = [version, least].map((text) => text.split('.').map(Number));
  for (const [i, number] of (needed ?? []).entries()) {
    const difference = (found?.[i] ?? 0) - number;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
