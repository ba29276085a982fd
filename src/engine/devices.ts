import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { nativeBackend } from './native-backend.js';

/** What this machine computes with. `bfloat16` tells how products of that type run here. */
export interface Devices {
  readonly kind: 'cpu' | 'gpu';
  readonly cores: number;
  readonly bfloat16: Bfloat16Support;
}

/** `native`: the hardware's own bfloat16 products. `rounded`: operands rounded to bfloat16, multiplied in float32. */
export type Bfloat16Support = 'native' | 'rounded';

let known: Devices | undefined;

/** The devices that TensorFlow uses on this machine; probed once. */
export function devices(): Devices {
  known ??= probe();
  return known;
}

function probe(): Devices {
  const gpu = (nativeBackend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
  return { kind: gpu ? 'gpu' : 'cpu', cores: availableParallelism(), bfloat16: gpu || cpuHasBfloat16() ? 'native' : 'rounded' };
}

/**
 * oneDNN, TensorFlow's CPU library, has bfloat16 kernels from AVX-512 on; below it TensorFlow falls back to a scalar loop
 * that is some twenty times slower than float32.
 */
function cpuHasBfloat16(): boolean {
  const limit = process.env.ONEDNN_MAX_CPU_ISA ?? process.env.DNNL_MAX_CPU_ISA; // oneDNN's own switch, to do without newer instructions
  if (limit && /^(SSE41|AVX|AVX2.*)$/i.test(limit)) return false;
  try {
    return /\b(avx512bw|avx512_bf16|amx_bf16)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false; // not Linux: float32 products of rounded operands are right everywhere
  }
}
