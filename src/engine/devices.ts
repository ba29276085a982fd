import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { UsageError } from '../errors.js';
import { hasGpuKernels, setGpuArithmetic } from './c-api.js';
import { deviceSettings } from './device-settings.js';
import type { DeviceName } from './graph.js';
import { type ListedDevice, listDevices } from './session.js';
import { stepScope } from './step-scope.js';
import { beforeLoading } from './tf.js';

/** What this machine computes with. */
export type Devices = DeviceFacts &
  (
    | { readonly kind: 'cpu' }
    | {
        readonly kind: 'gpu';
        /** What TensorFlow may take of the GPU's memory. */
        readonly gpuMemoryBytes: number;
      }
  );

interface DeviceFacts {
  /** Where nodes must run; absent: where TensorFlow puts them. */
  readonly device?: DeviceName;
  readonly cores: number;
  /** How products in bfloat16 run here. */
  readonly bfloat16: Bfloat16Support;
  /** Whether oneDNN, TensorFlow's CPU library, computes with AVX-512. */
  readonly avx512: boolean;
}

/**
 * `native`: the hardware's own bfloat16 products. `rounded`: operands rounded to bfloat16, multiplied in
 * float32.
 */
export type Bfloat16Support = 'native' | 'rounded';

let known: Devices | undefined;

/** What a graph is written for, while one is traced. */
export const graphTarget = stepScope<Devices>();

/**
 * What ops are written for: that of the graph which is being traced, and outside any graph this machine. A step
 * may be traced for a machine that is not at hand.
 */
export const target = (): Devices => graphTarget.current() ?? devices();

/** The share of a GPU's memory that one temporary of an op may take, of which an op has up to eight at a time. */
const SHARE_OF_TEMPORARY = 1 / 32;

/**
 * How many float32 values of its largest temporary an op is to compute at a time: on a CPU so many as stay in its
 * cache, which the op knows; on a GPU, where each op more costs time, as many as its memory has room for.
 */
export function valuesAtATime(inCache: number): number {
  const device = target();
  return device.kind === 'cpu' ? inCache : Math.floor((device.gpuMemoryBytes * SHARE_OF_TEMPORARY) / 4);
}

/** The devices that TensorFlow uses on this machine; probed once. */
export function devices(): Devices {
  known ??= probe();
  return known;
}

function probe(): Devices {
  const settings = deviceSettings();
  const gpu = hasGpuKernels() ? listDevices().find(({ name }) => name.startsWith('GPU')) : undefined;
  if (gpu) {
    setGpuArithmetic(settings);
    return targetOn(gpu);
  }
  if (settings.use === 'gpu')
    throw new UsageError(
      'device.use is gpu, but TensorFlow sees none: "hybridmim doctor" says what is missing; ' +
        'or set device.use to auto, which computes on the CPU then',
      { field: 'device.use', found: 'gpu' },
    );
  return { kind: 'cpu', ...cpuFacts() };
}

/** What is written for a device that sessions see, and must run there. */
export function targetOn({ name, memoryBytes }: ListedDevice): Devices {
  return name.startsWith('GPU')
    ? { kind: 'gpu', ...cpuFacts(), bfloat16: 'native', gpuMemoryBytes: memoryBytes, device: name }
    : { kind: 'cpu', ...cpuFacts(), device: name };
}

function cpuFacts(): DeviceFacts {
  const processor = processorInfo();
  const avx512 = /\bavx512bw\b/.test(processor) && !isLimitedToAvx2();
  return {
    cores: availableParallelism(),
    avx512,
    bfloat16: avx512 && gainsByBfloat16(processor) ? 'native' : 'rounded',
  };
}

// TensorFlow.js looks for devices, too, without our settings; those of who comes first count.
beforeLoading(() => {
  if (hasGpuKernels()) devices();
});

/**
 * What Linux tells of the processor; nothing elsewhere: float32 products of rounded operands are right
 * everywhere.
 */
function processorInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

/** By oneDNN's own switch, to do without newer instructions. */
function isLimitedToAvx2(): boolean {
  return /^(SSE41|AVX|AVX2.*)$/i.test(process.env.ONEDNN_MAX_CPU_ISA ?? process.env.DNNL_MAX_CPU_ISA ?? '');
}

/**
 * Whether bfloat16 products are faster than float32 ones. AMD's units are twice as fast, and so are Intel's
 * AMX. Intel's `avx512_bf16` without AMX takes 1.7 times as long as float32, oneDNN's emulation with plain
 * AVX-512 no less, and below AVX-512 TensorFlow falls back to a scalar loop.
 */
function gainsByBfloat16(processor: string): boolean {
  return (
    /\bamx_bf16\b/.test(processor) ||
    (/\bavx512_bf16\b/.test(processor) && /\bAuthenticAMD\b/.test(processor))
  );
}
