import { intAt, itemAt } from '../at.js';
import {
  attention,
  permuteRows,
  type Tensor2D,
  type Tensor3D,
  type Tensor5D,
  tf,
  type WindowParts,
} from '../engine/index.js';
import { mapAxes, rasterIndex, type SpatialSize } from './axis-order.js';
import type { Constant, Parameters } from './network.js';
import { linear, type ParameterSpec, parameter } from './parameters.js';
import { namedLinear } from './transformer-layers.js';

/** Parameters of `windowAttention`, under the names of MONAI's `WindowAttention`. */
export function windowAttentionParameters(
  name: string,
  width: number,
  heads: number,
  window: SpatialSize,
): ParameterSpec[] {
  const positions = window.reduce((product, side) => product * (2 * side - 1), 1);
  return [
    {
      name: `${name}.relative_position_bias_table`,
      layout: 'relativePositions',
      shape: [positions, heads],
      init: { normal: 0.02 },
    },
    ...linear(`${name}.qkv`, width, 3 * width),
    ...linear(`${name}.proj`, width, width),
  ];
}

/** The index of relative positions that MONAI keeps beside the table; it follows from the window alone. */
export function windowAttentionConstant(name: string, window: SpatialSize): Constant {
  const tokens = window.reduce((a, b) => a * b, 1);
  return {
    name: `${name}.relative_position_index`,
    dtype: 'I64',
    shape: [tokens, tokens],
    why: 'it follows from the window',
    values: () => Float32Array.from(relativePositions(window)),
    ignored: false,
  };
}

/**
 * How the windows of one stage lie, for one size of features: shared by all its blocks with the same shift.
 */
export interface Windows {
  /** As set, before it shrinks: the bias table is for this one. */
  readonly window: SpatialSize;
  /** As it shrank to the features: tokens along [D, H, W]. */
  readonly side: SpatialSize;
  /** Tokens of a window. */
  readonly tokens: number;
  /** The row of the features that each row of the windows is; -1 where a window reaches beyond them. */
  readonly sources: Int32Array;
  /** The row of the windows that each row of the features became. */
  readonly places: Int32Array;
  /** Which tokens of a shifted window were neighbours before the shift; absent where nothing is shifted. */
  readonly parts: WindowParts | undefined;
}

/**
 * Windows over features of a size. A window that is not smaller than the features shrinks to them and is not
 * shifted on that axis; features that are no whole number of windows are continued by zeros; a shift rolls
 * them towards the low side by half a window.
 */
export function windowsOf(
  batch: number,
  size: SpatialSize,
  window: SpatialSize,
  isShifted: boolean,
): Windows {
  const axes = mapAxes(size, (length, axis) => {
    const full = window[axis];
    const side = Math.min(length, full);
    return {
      length,
      side,
      shift: isShifted && length > full ? Math.floor(full / 2) : 0,
      count: Math.ceil(length / side),
    };
  });
  const [d, h, w] = axes;
  const windows = d.count * h.count * w.count;
  const tokens = d.side * h.side * w.side;
  const voxels = size.reduce((a, b) => a * b, 1);
  const sources = new Int32Array(batch * windows * tokens);
  const places = new Int32Array(batch * voxels);
  const sides = new Uint8Array(windows * tokens * 3);
  let row = 0;
  for (let item = 0; item < batch; item++)
    for (let window = 0; window < windows; window++)
      for (let token = 0; token < tokens; token++, row++) {
        const block = [
          Math.floor(window / (h.count * w.count)),
          Math.floor(window / w.count) % h.count,
          window % w.count,
        ] as const;
        const within = [
          Math.floor(token / (h.side * w.side)),
          Math.floor(token / w.side) % h.side,
          token % w.side,
        ] as const;
        const at = mapAxes(axes, ({ side, count, shift }, axis) => {
          const rolled = block[axis] * side + within[axis];
          if (item === 0)
            sides[(window * tokens + token) * 3 + axis] = shift > 0 && rolled >= side * count - shift ? 1 : 0;
          return (rolled + shift) % (side * count);
        });
        const isInside = at[0] < size[0] && at[1] < size[1] && at[2] < size[2];
        const source = isInside ? ((item * size[0] + at[0]) * size[1] + at[1]) * size[2] + at[2] : -1;
        sources[row] = source;
        if (isInside) places[source] = row;
      }
  const parts = axes.some(({ shift }) => shift > 0) ? { windows, axes: 3, sides } : undefined;
  return { window, side: [d.side, h.side, w.side], tokens, sources, places, parts };
}

/**
 * Self-attention within (shifted) windows with a bias by relative position (Liu et al. 2021).
 * @param x [B, D, H, W, C]
 * @returns [B, D, H, W, C]
 */
export function windowAttention(
  name: string,
  x: Tensor5D,
  parameters: Parameters,
  heads: number,
  windows: Windows,
): Tensor5D {
  const channels = x.shape[4];
  // [B * windows * tokens, C]
  const rows = permuteRows(x.reshape([-1, channels]), windows.sources, windows.places);
  const qkv = namedLinear(`${name}.qkv`, rows, parameters);
  const table = parameter(parameters, `${name}.relative_position_bias_table`, 2);
  const attended = attention(
    qkv,
    { heads, tokens: windows.tokens, parts: windows.parts },
    positionBias(table, windows),
  );
  // A linear layer treats each row by itself, so it comes after the rows are back, where those beyond the
  // features are gone.
  const back = permuteRows(attended, windows.places, windows.sources);
  return namedLinear(`${name}.proj`, back, parameters).reshape(x.shape);
}

/**
 * The bias of each pair of tokens: [heads, tokens, tokens]. A window that shrank takes the first tokens of
 * the full one's index, as MONAI does.
 */
function positionBias(table: Tensor2D, { window, side }: Windows): Tensor3D {
  const full = window.reduce((a, b) => a * b, 1);
  const index = relativePositions(window);
  // The place in MONAI's order of each token of ours.
  const counted = cellsOf(side).map((cell) => rasterIndex(cell, side));
  const tokens = counted.length;
  const taken = Int32Array.from({ length: tokens * tokens }, (_, pair) => {
    const [i, j] = [itemAt(counted, Math.floor(pair / tokens)), itemAt(counted, pair % tokens)];
    return intAt(index, i * full + j);
  });
  return tf.gather(table, tf.tensor1d(taken, 'int32')).reshape([tokens, tokens, -1]).transpose([2, 0, 1]);
}

/**
 * MONAI's row of the table for each pair of a window's tokens, by how far they are apart on each axis, both
 * counted as MONAI counts them: [tokens * tokens].
 */
function relativePositions(window: SpatialSize): Int32Array {
  const steps = mapAxes(window, (side) => 2 * side - 1);
  const cells = cellsOf(window);
  const index = new Int32Array(cells.length ** 2);
  for (const a of cells) {
    const row = rasterIndex(a, window) * cells.length;
    for (const b of cells) {
      const apart = mapAxes(a, (n, axis) => n - b[axis] + window[axis] - 1);
      index[row + rasterIndex(b, window)] = rasterIndex(apart, steps);
    }
  }
  return index;
}

/** The cells [d, h, w] of a grid in the engine's order. */
function cellsOf([depth, height, width]: SpatialSize): SpatialSize[] {
  return Array.from({ length: depth * height * width }, (_, i) => [
    Math.floor(i / (height * width)),
    Math.floor(i / width) % height,
    i % width,
  ]);
}
