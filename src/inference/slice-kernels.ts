import { entryOf } from '../at.js';
import { SLICE_KERNELS } from './slice-kernels-binary.js';

/** What `slice-kernels.wat` exports; what its kernels do is written there. */
export interface SliceKernels {
  add(
    sums: number,
    sumsRow: number,
    values: number,
    valuesRow: number,
    step: number,
    weights: number,
    rows: number,
    count: number,
    channels: number,
  ): void;
  finish(sums: number, weights: number, planes: number, plane: number, count: number, channels: number): void;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** The kernels over a memory of their own; compiled once a process. */
export async function sliceKernels(memory: WebAssembly.Memory): Promise<SliceKernels> {
  compiled ??= WebAssembly.compile(Buffer.from(SLICE_KERNELS, 'base64'));
  const { exports } = await WebAssembly.instantiate(await compiled, { slices: { memory } });
  return { add: entryOf(exports, 'add'), finish: entryOf(exports, 'finish') };
}
