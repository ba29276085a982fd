import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { nativeBackend } from './native-backend.js';

/** What this machine computes with. */
export interface Devices {
  readonly kind: 'cpu' | 'gpu';
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

/** The devices that TensorFlow uses on this machine; probed once. */
export function devices(): Devices {
  known ??= probe();
  return known;
}

function probe(): Devices {
  const gpu = nativeBackend().isUsingGpuDevice === true;
  const processor = processorInfo();
  const avx512 = /\bavx512bw\b/.test(processor) && !isLimitedToAvx2();
  return {
    kind: gpu ? 'gpu' : 'cpu',
    cores: availableParallelism(),
    avx512,
    bfloat16: gpu || (avx512 && gainsByBfloat16(processor)) ? 'native' : 'rounded',
  };
}

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
