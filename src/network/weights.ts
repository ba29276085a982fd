import { entryOf, floatAt, itemAt } from '../at.js';
import type { NamedArray, NamedArrays } from '../engine/index.js';
import { DataError, UsageError } from '../errors.js';
import { AXIS_ORDER, axisOrderOf } from './axis-order.js';
import type { Constant } from './network.js';
import { elementCount, type ParameterLayout, type ParameterSpec } from './parameters.js';
import { readSafetensors, type WeightsContent, writeArrays } from './safetensors.js';
import { isNeverComputed, knownNames } from './weight-names.js';

/**
 * Writes parameters as `.safetensors` under PyTorch's names and in its axis order, so that
 * `model.load_state_dict(safetensors.torch.load_file(file))` takes them as they are.
 * @param constants what MONAI's state dict has beside them; without it, it takes the file with
 *   `strict=False` only
 */
export async function writeWeights(
  file: string,
  values: NamedArrays,
  specs: readonly ParameterSpec[],
  metadata: Readonly<Record<string, string>> = {},
  constants: readonly Constant[] = [],
): Promise<void> {
  const arrays = specs.map(({ name, layout, shape }) => ({
    name,
    shape: toPyTorchShape(shape, layout),
    values: () => toPyTorch(entryOf(values, name), layout).data,
  }));
  await writeArrays(file, [...arrays, ...constants], { ...metadata, ...AXIS_ORDER });
}

/** How parameters were found in a file. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** In the network but not taken from the file: they keep their random start. */
  readonly fresh: readonly string[];
  /** In the file but not in the network, or not asked for. */
  readonly unused: readonly string[];
  /** Loaded for another number of image channels than the file has. */
  readonly adapted: readonly { readonly name: string; readonly from: number; readonly to: number }[];
}

export interface LoadOptions {
  /**
   * Parameters whose names begin so are left out of the file and stay fresh: a last layer that is replaced.
   */
  readonly replace?: string;
  /**
   * Parameters that a file may lack all together, which then stay fresh: the decoder, where a method teaches
   * the encoder alone.
   */
  readonly optional?: (name: string) => boolean;
  /**
   * Names in the file that may be there without a place in the network, by their beginning: pre-training
   * heads.
   */
  readonly ignore?: string;
  /**
   * What MONAI's state dict has beside the parameters: a file may hold it, and must then hold these values.
   */
  readonly constants?: readonly Constant[];
  /**
   * Only parameters whose names begin so are loaded, all others of the network stay fresh: an encoder by
   * itself.
   */
  readonly only?: readonly string[];
  /**
   * Beginnings of names, as the file has them, that are let go: heads of another method, or parts that this
   * network lacks.
   */
  readonly letGo?: readonly string[];
  /** Weights that are fitted to another number of image channels than the file has. */
  readonly firstLayers?: readonly string[];
}

/**
 * Reads the parameters of `specs` from a `.safetensors` file with PyTorch's names (or those of published
 * variants, see `knownNames`) and axis order into the engine's.
 * @returns what was loaded, and how; a parameter that stays fresh is absent
 * @throws DataError when the file is damaged, lacks a parameter, has one of another shape, or has one that
 *   the network lacks
 */
export async function readWeights(
  file: string,
  specs: readonly ParameterSpec[],
  options: LoadOptions = {},
): Promise<{ values: NamedArrays; report: LoadReport; metadata: Readonly<Record<string, string>> }> {
  const content = await readSafetensors(file);
  return { ...takeWeights(content, file, specs, options), metadata: content.metadata };
}

/** As `readWeights`, of a file that is read already. */
export function takeWeights(
  { arrays, metadata }: WeightsContent,
  file: string,
  specs: readonly ParameterSpec[],
  {
    replace,
    optional = () => false,
    ignore,
    constants = [],
    only,
    letGo = [],
    firstLayers = [],
  }: LoadOptions = {},
): { values: NamedArrays; report: LoadReport } {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const names = knownNames(
    Object.keys(arrays),
    new Set([...byName.keys(), ...constants.map(({ name }) => name)]),
    file,
  );
  const found = new Map(
    [...names].map(([source, name]) => [name, { source, array: entryOf(arrays, source) }]),
  );
  const lacksOptional = !specs.some(({ name }) => optional(name) && found.has(name));
  const isWanted = (name: string) =>
    !(replace !== undefined && isUnder(name, replace)) &&
    !(lacksOptional && optional(name)) &&
    (only?.some((prefix) => isUnder(name, prefix)) ?? true);
  for (const constant of constants) checkConstant(constant, found.get(constant.name)?.array, file);

  const unused = [...found].filter(([name]) => !byName.has(name) || !isWanted(name));
  const letsGo = (prefix: string, source: string, name: string) =>
    source.startsWith(prefix) || name.startsWith(prefix);
  const isExpected = (name: string, source: string) =>
    byName.has(name) ||
    letGo.some((prefix) => letsGo(prefix, source, name)) ||
    isNeverComputed(name) ||
    constants.some((constant) => constant.name === name) ||
    (ignore !== undefined && name.startsWith(ignore));
  const strays = unused
    .filter(([name, { source }]) => !isExpected(name, source))
    .map(([, { source }]) => source);
  if (strays.length > 0) throw strayError(file, strays);
  const idle = letGo.find((prefix) => ![...found].some(([name, { source }]) => letsGo(prefix, source, name)));
  if (idle !== undefined)
    throw new UsageError(`--let-go ${idle}: ${file} has no parameter whose name begins so`, {
      field: '--let-go',
      found: idle,
    });
  const wanted = specs.filter(({ name }) => isWanted(name));
  const order = fileAxes(metadata, wanted, file);
  const adapted: LoadReport['adapted'][number][] = [];
  const values = Object.fromEntries(
    wanted.map((spec) => {
      const array = found.get(spec.name)?.array;
      const other = array && firstLayers.includes(spec.name) ? withChannels(array, spec) : undefined;
      if (other) adapted.push({ name: spec.name, from: other.from, to: other.to });
      return [spec.name, loaded(other?.array ?? array, spec, order, file)];
    }),
  );
  const fresh = specs.filter(({ name }) => !isWanted(name)).map(({ name }) => name);
  return {
    values,
    report: { loaded: Object.keys(values), fresh, unused: unused.map(([, { source }]) => source), adapted },
  };
}

/**
 * How the spatial axes of a file lie. Convolutions and positions of an earlier version are turned round; a
 * SwinUNETR of it cannot be: where a window shrinks to its features, which tokens share a bias depends on the
 * order in which they are counted.
 */
function fileAxes(
  metadata: Readonly<Record<string, string>>,
  wanted: readonly ParameterSpec[],
  file: string,
): FileAxes {
  const order = axisOrderOf(metadata);
  if (typeof order === 'object') {
    throw new DataError(
      `${file} says that its axes are "${order.unknown}", but this version knows ` +
        `"${AXIS_ORDER.axisOrder}" alone: use the version that wrote it`,
      {
        file,
        field: 'axisOrder',
        found: order.unknown,
        expected: AXIS_ORDER.axisOrder,
      },
    );
  }
  if (order === 'zyx' && wanted.some(({ layout }) => layout === 'relativePositions')) {
    throw new DataError(
      `${file} was written by hybridmim before 0.2, whose SwinUNETR took the axes of a scan in ` +
        `reverse; its attention cannot be converted exactly: train it again with this version, or use ` +
        `it with the version that wrote it`,
      { file, field: 'axisOrder', found: order, expected: AXIS_ORDER.axisOrder },
    );
  }
  return order;
}

/**
 * What a file gives and the network does not take is refused, all of it by name or by the beginning that it
 * shares.
 */
function strayError(file: string, strays: readonly string[]): DataError {
  const first = itemAt(strays, 0);
  const beginnings = [
    ...new Set(
      strays.map((name) =>
        name
          .split('.')
          .slice(0, name.startsWith('module.') ? 2 : 1)
          .join('.'),
      ),
    ),
  ];
  const more = strays.length > 1 ? ` and ${strays.length - 1} more` : '';
  return new DataError(
    `${file} holds a parameter ${first}${more}, which this network lacks: the file is for another network ` +
      `or other settings; if they are heads that you do not need, "weights import" leaves them out with ` +
      `--let-go ${beginnings.join(' ')}`,
    { file, field: first, found: strays },
  );
}

const isUnder = (name: string, prefix: string): boolean => name === prefix || name.startsWith(`${prefix}.`);

function checkConstant(
  { name, shape, values, ignored }: Constant,
  array: NamedArray | undefined,
  file: string,
): void {
  if (!array || ignored) return;
  const expected = values();
  if (array.shape.join() === shape.join() && array.data.every((value, i) => value === expected[i])) return;
  throw new DataError(
    `${file}: ${name} is not that of this network's settings: the file is for other settings`,
    { file, field: name },
  );
}

/**
 * The weights of a first layer, [out, channels, ...] in PyTorch's order, for another number of image
 * channels: the file's channels over and over, scaled so that as many equal channels give what the file's
 * gave (1 to 4: each a quarter).
 * @returns undefined where the channels are the network's already, or the shape differs in more than them
 */
function withChannels(
  array: NamedArray,
  { shape, layout }: ParameterSpec,
): { array: NamedArray; from: number; to: number } | undefined {
  const expected = toPyTorchShape(shape, layout);
  const [outputs = 0, from = 0, ...rest] = array.shape;
  const to = itemAt(expected, 1);
  const isAlikeOtherwise =
    array.shape.length === expected.length &&
    array.shape.every((n, axis) => axis === 1 || n === expected[axis]);
  if (from === to || from === 0 || !isAlikeOtherwise) return undefined;
  const size = elementCount(rest);
  const data = new Float32Array(outputs * to * size);
  for (let out = 0; out < outputs; out++)
    for (let channel = 0; channel < to; channel++) {
      const first = (out * from + (channel % from)) * size;
      const scaled = array.data.subarray(first, first + size).map((value) => (value * from) / to);
      data.set(scaled, (out * to + channel) * size);
    }
  return { array: { shape: expected, data }, from, to };
}

function loaded(
  array: NamedArray | undefined,
  { name, layout, shape }: ParameterSpec,
  order: FileAxes,
  file: string,
): NamedArray {
  if (!array) {
    throw new DataError(
      `${file} lacks the parameter ${name}: the file is for another network or other settings`,
      { file, field: name },
    );
  }
  const expected = toPyTorchShape(shape, layout);
  if (array.shape.join() !== expected.join()) {
    throw new DataError(
      `${file}: parameter ${name} has shape [${array.shape}], but the network's is [${expected}]: ` +
        `set the network's settings and channels as the file was made with`,
      { file, field: name, found: array.shape, expected },
    );
  }
  return { shape, data: fromPyTorch(array.data, shape, layout, order) };
}

/** A parameter as PyTorch has it, its spatial axes [x, y, z]. */
export function toPyTorch({ shape, data }: NamedArray, layout: ParameterLayout): NamedArray {
  const { split, axes } = axesThere(shape, layout);
  return { shape: toPyTorchShape(shape, layout), data: permuted(data, split, axes) };
}

/** A parameter's shape in PyTorch's axis order. */
export function toPyTorchShape(shape: readonly number[], layout: ParameterLayout): number[] {
  const { split, axes } = axesThere(shape, layout);
  return split.length === shape.length ? axes.map((axis) => itemAt(split, axis)) : [...shape];
}

/** The inverse of `toPyTorch`, of a file whose spatial axes are in this order; `shape` is the one here. */
function fromPyTorch(
  data: Float32Array,
  shape: readonly number[],
  layout: ParameterLayout,
  order: FileAxes,
): Float32Array {
  const { split, axes } = axesThere(shape, layout, order);
  const there = axes.map((axis) => itemAt(split, axis));
  return permuted(
    data,
    there,
    split.map((_, axis) => axes.indexOf(axis)),
  );
}

type FileAxes = 'xyz' | 'zyx';

/**
 * Which axis of our array each axis of a file's is. `split` is our shape, in which rows of positions lie on
 * their grid. Convolutions are [z, y, x, in, out] here and [out, in, x, y, z] there, transposed ones
 * [z, y, x, out, in] and [in, out, x, y, z].
 */
function axesThere(
  shape: readonly number[],
  layout: ParameterLayout,
  order: FileAxes = 'xyz',
): { split: readonly number[]; axes: readonly number[] } {
  const reversed = order === 'xyz';
  if (typeof layout === 'object') {
    const [items = 1, , width = 1] = shape;
    return { split: [items, ...layout.positions, width], axes: reversed ? [0, 3, 2, 1, 4] : [0, 1, 2, 3, 4] };
  }
  if (layout === 'linear') return { split: shape, axes: [1, 0] };
  if (layout === 'convolution' || layout === 'transposedConvolution')
    return { split: shape, axes: reversed ? [4, 3, 2, 1, 0] : [4, 3, 0, 1, 2] };
  return { split: shape, axes: shape.map((_, axis) => axis) };
}

/** Axis `i` of the result is axis `axes[i]` of the input, as NumPy's `transpose`. */
function permuted(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  if (axes.every((axis, i) => axis === i)) return data;
  // The last axis first: the one that changes fastest in the result.
  const counters = axes
    .toReversed()
    .map((axis) => ({ at: 0, size: itemAt(shape, axis), step: elementCount(shape.slice(axis + 1)) }));
  const result = new Float32Array(data.length);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = floatAt(data, from);
    for (const counter of counters) {
      from += counter.step;
      if (++counter.at < counter.size) break;
      from -= counter.step * counter.size;
      counter.at = 0;
    }
  }
  return result;
}
