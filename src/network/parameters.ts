import type {
  NamedArray,
  NamedArrays,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
} from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { randomStream } from '../random/streams.js';
import type { SpatialSize } from './axis-order.js';

/**
 * Where a parameter's axes lie, here and in PyTorch. `positions` has a row for each cell of a grid. `vector`
 * and `relativePositions`, the table of an attention window, are the same in both.
 */
export type ParameterLayout =
  | 'convolution'
  | 'transposedConvolution'
  | 'linear'
  | 'vector'
  | 'relativePositions'
  | { readonly positions: SpatialSize };

/**
 * How a parameter starts: uniform in [-bound, bound), normal of a standard deviation, or one value
 * everywhere.
 */
export type Initialiser =
  | { readonly uniform: number }
  | { readonly normal: number }
  | { readonly constant: number };

/** One parameter: its name in PyTorch's state dict, its shape in the engine's layout, its start. */
export interface ParameterSpec {
  readonly name: string;
  readonly layout: ParameterLayout;
  /**
   * convolution [k, k, k, in, out]; transposedConvolution [k, k, k, out, in]; linear [in, out]; vector [n];
   * positions [1, D * H * W, n]; relativePositions: as in PyTorch.
   */
  readonly shape: readonly number[];
  readonly init: Initialiser;
}

/**
 * Weight and bias (unless it has none) of a convolution of side `k`, initialised as PyTorch's `Conv3d`:
 * uniform, bound 1 / sqrt(fan in).
 */
export function convolution(
  name: string,
  k: number,
  inputs: number,
  outputs: number,
  hasBias = true,
): ParameterSpec[] {
  const init = { uniform: 1 / Math.sqrt(inputs * k ** 3) };
  const weight: ParameterSpec = {
    name: `${name}.weight`,
    layout: 'convolution',
    shape: [k, k, k, inputs, outputs],
    init,
  };
  return hasBias ? [weight, { name: `${name}.bias`, layout: 'vector', shape: [outputs], init }] : [weight];
}

/**
 * Weight and bias (unless it has none) of a transposed convolution. PyTorch's `ConvTranspose3d` takes its
 * *outputs* for the fan in.
 */
export function transposedConvolution(
  name: string,
  k: number,
  inputs: number,
  outputs: number,
  hasBias = true,
): ParameterSpec[] {
  const init = { uniform: 1 / Math.sqrt(outputs * k ** 3) };
  const weight: ParameterSpec = {
    name: `${name}.weight`,
    layout: 'transposedConvolution',
    shape: [k, k, k, outputs, inputs],
    init,
  };
  return hasBias ? [weight, { name: `${name}.bias`, layout: 'vector', shape: [outputs], init }] : [weight];
}

/** Weight and bias (unless it has none) of a linear layer, initialised as PyTorch's `Linear`. */
export function linear(name: string, inputs: number, outputs: number, hasBias = true): ParameterSpec[] {
  const init = { uniform: 1 / Math.sqrt(inputs) };
  const weight: ParameterSpec = { name: `${name}.weight`, layout: 'linear', shape: [inputs, outputs], init };
  return hasBias ? [weight, { name: `${name}.bias`, layout: 'vector', shape: [outputs], init }] : [weight];
}

/** Scale and shift of a normalisation with weights: ones and zeros. */
export function normalisation(name: string, channels: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, layout: 'vector', shape: [channels], init: { constant: 1 } },
    { name: `${name}.bias`, layout: 'vector', shape: [channels], init: { constant: 0 } },
  ];
}

/**
 * Starting values. Each parameter draws from a stream of its own, indexed by its name, so that adding a head
 * or changing a width leaves every other parameter's start as it was.
 */
export function initialiseParameters(specs: readonly ParameterSpec[], seed: number): NamedArrays {
  return Object.fromEntries(specs.map((spec) => [spec.name, initialise(spec, seed)]));
}

function initialise({ name, shape, init }: ParameterSpec, seed: number): NamedArray {
  const data = new Float32Array(elementCount(shape));
  if ('constant' in init) return { shape, data: data.fill(init.constant) };
  const stream = randomStream(seed, 'init', ...Buffer.from(name));
  const draw =
    'normal' in init ? () => init.normal * stream.normal() : () => (2 * stream.uniform() - 1) * init.uniform;
  for (let i = 0; i < data.length; i++) data[i] = draw();
  return { shape, data };
}

/** tfjs's types of a tensor by its number of axes. */
export interface TensorsByAxes {
  readonly 1: Tensor1D;
  readonly 2: Tensor2D;
  readonly 3: Tensor3D;
  readonly 4: Tensor4D;
  readonly 5: Tensor5D;
}

/** Whether a tensor has so many axes. */
export const hasAxes = <N extends keyof TensorsByAxes>(x: Tensor, axes: N): x is TensorsByAxes[N] =>
  x.rank === axes;

/** The named parameter. Throws ShapeError when it is missing or has another number of axes. */
export function parameter<N extends keyof TensorsByAxes>(
  parameters: Readonly<Record<string, Tensor>>,
  name: string,
  axes: N,
): TensorsByAxes[N] {
  const found = parameters[name];
  if (!found)
    throw new ShapeError(`the network needs a parameter named ${name}, which the state lacks`, {
      field: name,
    });
  if (hasAxes(found, axes)) return found;
  throw new ShapeError(`parameter ${name} must have ${axes} axes, but has shape [${found.shape}]`, {
    field: name,
  });
}

/** Number of elements of an array of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
