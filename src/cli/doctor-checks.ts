import { readFileSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { entryOf, itemAt } from '../at.js';
import type { ListedDevice, StepFunction } from '../engine/index.js';
import type { Check } from './check.js';
import { askDriver, gpuCheck } from './gpu-check.js';

export interface Runtime {
  readonly tensorflow: string;
  readonly variant: 'cpu' | 'cuda';
  readonly devices: readonly string[];
}

export interface RuntimeChecks {
  readonly runtime: Runtime | null;
  readonly threads: number;
  readonly bf16: boolean;
  readonly checks: readonly Check[];
}

const expectedTensorflow = '2.21.0';
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Node, platform, disk and memory. */
export function environmentChecks(): Check[] {
  return [
    nodeCheck(process.versions.node),
    platformCheck(process.platform, process.arch),
    diskCheck(freeDisk()),
    memoryCheck(freemem(), totalmem()),
  ];
}

/** Whether Node's version, such as `22.3.0`, is one that the program runs on. */
export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'node',
    ok,
    message: `Node ${version}`,
    remedy: ok ? null : 'install the newest Node 20, or a later one',
  };
}

/** Whether there is a TensorFlow for the platform and processor, as Node names them: `linux`, `x64`. */
export function platformCheck(platform: string, arch: string): Check {
  const proved = platform === 'linux' && arch === 'x64';
  const message = `${platform} ${arch}${proved ? '' : ', on which this program is untested'}`;
  return {
    name: 'platform',
    ok: true,
    message,
    remedy: proved ? null : 'on trouble, use Linux x86-64, on which it is tested',
  };
}

/** Whether there is disk space for a run; `freeBytes` of the working folder's disk. */
export function diskCheck(freeBytes: number): Check {
  const ok = freeBytes > 5 * 2 ** 30;
  return {
    name: 'disk',
    ok,
    message: `${gib(freeBytes)} free in this folder`,
    remedy: ok
      ? null
      : 'free some space, or work on another disk: a prepared CT takes 0.1 to 0.5 GiB, a checkpoint three times its network',
  };
}

/** Whether there is memory for a training step of the paper's sizes. */
export function memoryCheck(freeBytes: number, totalBytes: number): Check {
  const ok = freeBytes > 4 * 2 ** 30;
  return {
    name: 'memory',
    ok,
    message: `${gib(freeBytes)} free of ${gib(totalBytes)}`,
    remedy: ok
      ? null
      : 'a step at the paper’s sizes needs about 5 GiB a scan of the batch: close other programs, or make data.cropSize or network.features smaller',
  };
}

/**
 * Loads TensorFlow and computes with it: a compiled convolution in both precisions against a sum done here.
 */
export async function runtimeChecks(): Promise<RuntimeChecks> {
  const threads = availableParallelism();
  const engine = await import('../engine/index.js').catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  if (engine instanceof Error) {
    const remedy = 'run "hybridmim setup"; it fetches the library and builds the addon';
    return {
      runtime: null,
      threads,
      bf16: false,
      checks: [{ name: 'tensorflow', ok: false, message: `does not load: ${firstLine(engine)}`, remedy }],
    };
  }
  const version: string = engine.tensorflow.version();
  const { bfloat16 } = engine.devices();
  const variant = runtimeVariant();
  const listed = engine.listDevices();
  const devices = listed.map(({ name }) => name);
  const steps: Check[] = [];
  for (const device of listed)
    for (const [precision, tolerance] of [
      ['float32', 1e-5],
      ['bfloat16', 2e-2],
    ] as const)
      steps.push(await computationCheck(engine, device, precision, tolerance));
  const native = bfloat16 === 'native';
  return {
    runtime: { tensorflow: version, variant, devices },
    threads,
    bf16: native,
    checks: [
      versionCheck(version, variant),
      { name: 'devices', ok: true, message: devices.join(', '), remedy: null },
      gpuCheck({
        variant,
        listed: listed.filter(({ name }) => name.startsWith('GPU')),
        driver: await askDriver(),
        missing: variant === 'cuda' ? engine.missingGpuLibraries() : [],
        visible: process.env.CUDA_VISIBLE_DEVICES,
      }),
      {
        name: 'threads',
        ok: true,
        message: `${threads}`,
        remedy:
          threads < 4
            ? 'the paper’s settings take days on few cores: a machine with more cores or a GPU helps'
            : null,
      },
      {
        name: 'bfloat16',
        ok: true,
        message: native
          ? 'products run in hardware'
          : 'this processor is faster in float32: operands are rounded to bfloat16 and multiplied in float32',
        remedy: native ? null : 'use precision: float32 here, which is as fast',
      },
      ...steps,
    ],
  };
}

function versionCheck(version: string, variant: string): Check {
  const ok = version === expectedTensorflow;
  return {
    name: 'tensorflow',
    ok: true,
    message: `libtensorflow ${version}, ${variant} build`,
    remedy: ok
      ? null
      : `this program is tested with ${expectedTensorflow}: on trouble, run "hybridmim setup" without HYBRIDMIM_TENSORFLOW`,
  };
}

/**
 * A 3x3x3 convolution of ones over ones, 27 inside and 8 in a corner, every op of it on this device: one that has no
 * kernel there is an error.
 */
async function computationCheck(
  engine: typeof import('../engine/index.js'),
  device: ListedDevice,
  precision: 'float32' | 'bfloat16',
  tolerance: number,
): Promise<Check> {
  const name = `step in ${precision} on ${device.name}`;
  const ones = (shape: readonly number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(1),
  });
  try {
    const target = engine.targetOn(device);
    const state = engine.createState({ filter: ones([3, 3, 3, 1, 1]) }, { engine: 'graph', target });
    const forward: StepFunction = (inputs, variables) => {
      const [image, filter] = [entryOf(inputs, 'image'), entryOf(variables, 'filter')];
      return { y: engine.conv3d(engine.ofRank(image, 5), engine.ofRank(filter, 5)) };
    };
    const step = engine.compile(forward, {
      name,
      inputs: { image: { shape: [1, 3, 3, 3, 1], dtype: 'float32' } },
      state,
      precision,
    });
    const y = entryOf(await step.run({ image: ones([1, 3, 3, 3, 1]).data }), 'y');
    state.dispose();
    const [middle, corner] = [itemAt(y, 13), itemAt(y, 0)];
    const ok = Math.abs(middle - 27) < 27 * tolerance && Math.abs(corner - 8) < 8 * tolerance;
    const message = ok
      ? `compiled in ${step.compileMs.toFixed(0)} ms and right`
      : `gave ${middle} and ${corner} instead of 27 and 8`;
    return {
      name,
      ok,
      message,
      remedy: ok ? null : 'run "hybridmim setup"; if it stays, report the processor and this line',
    };
  } catch (error) {
    return {
      name,
      ok: false,
      message: firstLine(error),
      remedy: 'run "hybridmim setup"; if it stays, report the processor and this line',
    };
  }
}

/** Which build set-up placed; a library from elsewhere counts as the CPU's. */
function runtimeVariant(): 'cpu' | 'cuda' {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json'));
    const stamp = z.object({ variant: z.enum(['cpu', 'cuda']) });
    return stamp.parse(JSON.parse(readFileSync(join(folder, 'deps', 'hybridmim-runtime.json'), 'utf8')))
      .variant;
  } catch {
    return 'cpu';
  }
}

function freeDisk(): number {
  const { bavail, bsize } = statfsSync('.');
  return bavail * bsize;
}

const firstLine = (error: unknown): string =>
  itemAt((error instanceof Error ? error.message : String(error)).split('\n'), 0);
