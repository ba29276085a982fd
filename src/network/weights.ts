import type { NamedArray, NamedArrays } from '../engine/index.js';
import { DataError } from '../errors.js';
import { elementCount, type ParameterLayout, type ParameterSpec } from './parameters.js';
import { readSafetensors, writeArrays } from './safetensors.js';

/**
 * Writes parameters as `.safetensors` under PyTorch's names and in its axis order, so that
 * `model.load_state_dict(safetensors.torch.load_file(file))` takes them as they are.
 */
export async function writeWeights(
  file: string,
  values: NamedArrays,
  specs: readonly ParameterSpec[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const arrays = specs.map(({ name, layout, shape }) => ({
    name,
    shape: pyTorchShape(shape, layout),
    values: () => toPyTorch(values[name] as NamedArray, layout).data,
  }));
  await writeArrays(file, arrays, metadata);
}

/** How parameters were found in a file. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** In the network but not taken from the file: they keep their random start. */
  readonly fresh: readonly string[];
  /** In the file but not in the network. */
  readonly unused: readonly string[];
}

export interface LoadOptions {
  /** Parameters whose names begin so are left out of the file and stay fresh: a last layer that is replaced. */
  readonly replace?: string;
  /** Parameters that a file may lack all together, which then stay fresh: the decoder, where a method teaches the encoder alone. */
  readonly optional?: (name: string) => boolean;
  /** Names in the file that may be there without a place in the network, by their beginning: pre-training heads. */
  readonly ignore?: string;
}

/**
 * Reads the parameters of `specs` from a `.safetensors` file with PyTorch's names and axis order into the engine's.
 * @returns what was loaded, and how; a parameter under `replace` is absent
 * @throws DataError when the file is damaged, lacks a parameter, has one of another shape, or has one that the network lacks
 */
export async function readWeights(
  file: string,
  specs: readonly ParameterSpec[],
  { replace, ignore, optional = () => false }: LoadOptions = {},
): Promise<{ values: NamedArrays; report: LoadReport; metadata: Readonly<Record<string, string>> }> {
  const { arrays, metadata } = await readSafetensors(file);
  const lacksOptional = !specs.some(({ name }) => optional(name) && name in arrays);
  const isReplaced = (name: string) =>
    (replace !== undefined && (name === replace || name.startsWith(`${replace}.`))) || (lacksOptional && optional(name));
  const wanted = specs.filter(({ name }) => !isReplaced(name));
  const known = new Set(specs.map(({ name }) => name));
  const unused = Object.keys(arrays).filter((name) => !known.has(name) || isReplaced(name));
  const stray = unused.find((name) => !isReplaced(name) && !(ignore !== undefined && name.startsWith(ignore)));
  if (stray !== undefined) {
    throw new DataError(`${file} holds a parameter ${stray}, which this network lacks: the file is for another network or other settings`, {
      file,
      field: stray,
    });
  }
  const values = Object.fromEntries(wanted.map((spec) => [spec.name, loaded(arrays[spec.name], spec, file)]));
  const fresh = specs.filter(({ name }) => isReplaced(name)).map(({ name }) => name);
  return { values, report: { loaded: Object.keys(values), fresh, unused }, metadata };
}

function loaded(array: NamedArray | undefined, { name, layout, shape }: ParameterSpec, file: string): NamedArray {
  if (!array) {
    throw new DataError(`${file} lacks the parameter ${name}: the file is for another network or other settings`, { file, field: name });
  }
  const expected = pyTorchShape(shape, layout);
  if (array.shape.join() !== expected.join()) {
    throw new DataError(
      `${file}: parameter ${name} has shape [${array.shape}], but the network's is [${expected}]: set network.features and the channels as the file was made with`,
      { file, field: name, found: array.shape, expected },
    );
  }
  return { shape, data: permuted(array.data, array.shape, fromPyTorchAxes[layout]) };
}

/** Which axis of our array each axis of PyTorch's is. */
const toPyTorchAxes: Readonly<Record<ParameterLayout, readonly number[]>> = {
  convolution: [4, 3, 0, 1, 2], // [D, H, W, in, out] to [out, in, D, H, W]
  transposedConvolution: [4, 3, 0, 1, 2], // [D, H, W, out, in] to [in, out, D, H, W]
  linear: [1, 0],
  vector: [0],
};

const fromPyTorchAxes: Readonly<Record<ParameterLayout, readonly number[]>> = {
  convolution: [2, 3, 4, 1, 0],
  transposedConvolution: [2, 3, 4, 1, 0],
  linear: [1, 0],
  vector: [0],
};

/** A parameter in PyTorch's axis order. */
export function toPyTorch({ shape, data }: NamedArray, layout: ParameterLayout): NamedArray {
  return { shape: pyTorchShape(shape, layout), data: permuted(data, shape, toPyTorchAxes[layout]) };
}

function pyTorchShape(shape: readonly number[], layout: ParameterLayout): number[] {
  return toPyTorchAxes[layout].map((axis) => shape[axis] as number);
}

/** Axis `i` of the result is axis `axes[i]` of the input, as NumPy's `transpose`. */
function permuted(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  if (axes.length === 1) return data;
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const size = axes.map((axis) => shape[axis] as number);
  const steps = axes.map((axis) => strides[axis] as number);
  const result = new Float32Array(data.length);
  const index = size.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from] as number;
    for (let axis = size.length - 1; axis >= 0; axis--) {
      from += steps[axis] as number;
      if (++index[axis]! < size[axis]!) break;
      from -= (steps[axis] as number) * (size[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}
