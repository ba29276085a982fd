import { z } from 'zod';
import { itemAt } from '../at.js';
import { maxPool3d, type NamedArrays, nameScope, type Tensor5D, tf } from '../engine/index.js';
import { DataError, ShapeError, UsageError } from '../errors.js';
import { fileShape, fileSize, mapAxes, type SpatialSize } from './axis-order.js';
import {
  deconvolution,
  isComputedAgain,
  type LayerDropout,
  normalisedConvolution,
  normalisedConvolutionParameters,
  pointConvolution,
  repeatLastPlane,
} from './layers.js';
import { latentOf, type Margins, type Network, type Parameters, type Pass } from './network.js';
import { convolution, type ParameterSpec, transposedConvolution } from './parameters.js';
import { count, dropoutRate, type NetworkConfig } from './settings.js';

const pool = z.union([z.literal(1), z.literal(2)]);

/** The settings of UNet; the defaults are MONAI's layout with the widths that method.md chose. */
export const unetSettings = z.strictObject({
  name: z.literal('unet'),
  features: z
    .tuple([count, count, count, count, count, count])
    .readonly()
    .default([64, 64, 128, 256, 512, 64])
    .describe('Channels of the five encoder levels, then of the last decoder level.'),
  pools: z
    .tuple([pool, pool, pool, pool])
    .readonly()
    .default([2, 2, 2, 2])
    .describe(
      "By how much each level below the first is coarser than the one above it. The authors' code has 2, 2, 2, 1: cells of the latent that span 8 voxels.",
    ),
  dropout: dropoutRate.default(0.1).describe('Share of elements dropped after each norm while training.'),
});

export type UNetConfig = NetworkConfig<typeof unetSettings>;

/** The encoder's levels below the first, and the level that each one is pooled from. */
const DOWN_LEVELS = [
  { level: 1, finer: 0 },
  { level: 2, finer: 1 },
  { level: 3, finer: 2 },
  { level: 4, finer: 3 },
] as const;

/** Voxels along one side of a cell of level `k`: with pools of 2, 2, 2, 2 those of the latent span 16. */
const strideOf = ({ pools }: Pick<UNetConfig, 'pools'>, k: number): number =>
  pools.slice(0, k).reduce<number>((stride, factor) => stride * factor, 1);

const latentStrideOf = (config: Pick<UNetConfig, 'pools'>): number => strideOf(config, config.pools.length);

/** UNet in the layout of MONAI 1.6.1's `BasicUNet` (Falk et al. 2019), as a network of this project. */
export function unet(config: UNetConfig): Network {
  const specs = unetParameters(config);
  return {
    name: 'unet',
    inChannels: config.inChannels,
    outChannels: config.outChannels,
    dropout: config.dropout,
    specs,
    constants: [],
    latentChannels: config.features[4],
    latentStride: latentStrideOf(config),
    marginStride: latentStrideOf(config),
    lastLayer: 'final_conv',
    encoder: ['conv_0', 'down_1', 'down_2', 'down_3', 'down_4'],
    firstLayers: ['conv_0.conv_0.conv.weight'],
    encoderBytes: (batch, size) => unetEncoderBytes(config, batch, size),
    encode: (images, parameters, pass) => unetEncode(images, parameters, config, pass),
    decode: (levels, parameters, pass, margins) =>
      unetDecode(levels, parameters, config, { ...pass, ...(margins && { margin: margins }) }),
  };
}

/**
 * Parameters in the order of MONAI's state dict; 5,749,410 at features 32,32,64,128,256,32 with 1 channel in
 * and 2 out.
 * @throws UsageError for a width, channel count or dropout rate that makes no network
 */
export function unetParameters(config: UNetConfig): ParameterSpec[] {
  checkConfig(config);
  const { inChannels, outChannels, features } = config;
  return [
    ...twoConvolutionsParameters('conv_0', inChannels, features[0]),
    ...DOWN_LEVELS.flatMap(({ level, finer }) =>
      twoConvolutionsParameters(`down_${level}.convs`, features[finer], features[level]),
    ),
    ...decoderLevels(config).flatMap(({ name, factor, inputs, upsampled, skip, outputs }) => [
      ...transposedConvolution(`${name}.upsample.deconv`, factor, inputs, upsampled),
      ...twoConvolutionsParameters(`${name}.convs`, skip + upsampled, outputs),
    ]),
    ...convolution('final_conv', 1, features[5], outChannels),
  ];
}

/**
 * Channels and widths of a UNet whose parameters a file holds, in PyTorch's names and axis order:
 * convolutions are [out, in, D, H, W].
 * @throws DataError naming the file and the parameter that is missing
 */
export function unetWidths(arrays: NamedArrays, file: string): Omit<UNetConfig, 'dropout'> {
  const axis = (name: string, which: 0 | 1 | 2): number => {
    const length = arrays[`${name}.weight`]?.shape[which];
    if (length !== undefined) return length;
    throw new DataError(`${file} lacks the parameter ${name}.weight: it is no file of a unet's weights`, {
      file,
      field: `${name}.weight`,
    });
  };
  const poolOf = (level: number): 1 | 2 => {
    const name = `upcat_${level}.upsample.deconv`;
    const side = axis(name, 2);
    if (side === 1 || side === 2) return side;
    throw new DataError(
      `${file} has the parameter ${name}.weight with a kernel of side ${side}, but that of a unet has a side of 1 or 2`,
      { file, field: `${name}.weight`, found: side },
    );
  };
  return {
    inChannels: axis('conv_0.conv_0.conv', 1),
    outChannels: axis('final_conv', 0),
    features: [
      axis('conv_0.conv_0.conv', 0),
      axis('down_1.convs.conv_0.conv', 0),
      axis('down_2.convs.conv_0.conv', 0),
      axis('down_3.convs.conv_0.conv', 0),
      axis('down_4.convs.conv_0.conv', 0),
      axis('final_conv', 1),
    ],
    pools: [poolOf(1), poolOf(2), poolOf(3), poolOf(4)],
  };
}

/**
 * The encoder: two convolutions a level, 2x2x2 maximum pooling between levels whose pool is 2 (a last odd
 * plane is left out).
 * @param images [B, D, H, W, inChannels], each side at least one cell of the latent (16 voxels with pools of
 *   2)
 * @returns five levels, level k [B, D/2^k, H/2^k, W/2^k, features[k]] (pools of 2) rounded down; level 4 is
 *   the latent
 * @throws ShapeError when the channels differ or a side vanishes in pooling
 */
export function unetEncode(
  images: Tensor5D,
  parameters: Parameters,
  config: UNetConfig,
  pass: Pass,
): Tensor5D[] {
  checkImages(images, config);
  const first = nameScope('conv_0', () =>
    twoConvolutions('conv_0', images, parameters, dropouts(config, pass, 0)),
  );
  let finer = first;
  const coarser = DOWN_LEVELS.map(({ level, finer: finerLevel }) => {
    const name = `down_${level}`;
    const pooled = config.pools[finerLevel] === 1 ? finer : nameScope(name, () => maxPool3d(finer));
    finer = nameScope(`${name}.convs`, () =>
      twoConvolutions(`${name}.convs`, pooled, parameters, dropouts(config, pass, level)),
    );
    return finer;
  });
  return [first, ...coarser];
}

/**
 * Float32 bytes of what gradients need of the encoder: of each of its ten convolutions the output, if it is
 * kept, and that after norm and activation.
 */
export function unetEncoderBytes(
  { inChannels, features, pools }: Pick<UNetConfig, 'inChannels' | 'features' | 'pools'>,
  batch: number,
  size: SpatialSize,
): number {
  const valuesOf = (channels: number, level: number) =>
    channels * size.reduce((product, n) => product * Math.floor(n / strideOf({ pools }, level)), 1);
  const values = features.slice(0, 5).map(valuesOf);
  const again = isComputedAgain(inChannels) ? valuesOf(features[0], 0) : 0;
  return 4 * batch * (4 * values.reduce((a, b) => a + b, 0) - again);
}

/** `Pass` and the part of the input to leave out: one number of voxels for all six sides, or one a side. */
export interface UNetDecodeOptions extends Pass {
  readonly margin?: number | Margins;
}

/**
 * The decoder: transposed convolution, concatenation [skip, up], two convolutions a level, then `final_conv`.
 *
 * With a margin only the target region is computed (paper 3.2): every level is cropped by the margin in its
 * cells before anything else runs. Convolutions then see zeros beyond the region's border, and instance norm
 * the region's own statistics, so that the result is close to, but not, the crop of a full decode.
 * @param levels what `unetEncode` returned
 * @returns logits [B, D', H', W', outChannels], D' = D less the margins
 * @throws ShapeError when a margin is no multiple of the latent's cells or leaves nothing
 */
export function unetDecode(
  levels: readonly Tensor5D[],
  parameters: Parameters,
  config: UNetConfig,
  options: UNetDecodeOptions,
): Tensor5D {
  const cropped = levels.map((level, k) =>
    nameScope('target region', () =>
      cropLevel(level, [strideOf(config, k), latentStrideOf(config)], k, marginsOf(options.margin)),
    ),
  );
  let x = latentOf(cropped);
  decoderLevels(config).forEach(({ name, factor }, i) => {
    x = nameScope(name, () => {
      const skip = itemAt(cropped, 3 - i);
      const up = repeatLastPlane(deconvolution(`${name}.upsample.deconv`, x, factor, parameters), skip);
      const joined = tf.concat([skip, up], 4); // [B, D, H, W, skip + upsampled]
      return nameScope('convs', () =>
        twoConvolutions(`${name}.convs`, joined, parameters, dropouts(config, options, 5 + i)),
      );
    });
  });
  return pointConvolution('final_conv', x, parameters);
}

/** Widths of the decoder from coarse to fine; the up-sampling halves the channels, except the last one. */
function decoderLevels({ features, pools }: UNetConfig) {
  return DOWN_LEVELS.toReversed().map(({ level, finer }) => {
    const inputs = features[level];
    return {
      name: `upcat_${level}`,
      factor: pools[finer],
      inputs,
      upsampled: level === 1 ? inputs : Math.floor(inputs / 2),
      skip: features[finer],
      outputs: features[level === 1 ? 5 : finer],
    };
  });
}

function twoConvolutionsParameters(name: string, inputs: number, outputs: number): ParameterSpec[] {
  return [
    ...normalisedConvolutionParameters(`${name}.conv_0`, inputs, outputs),
    ...normalisedConvolutionParameters(`${name}.conv_1`, outputs, outputs),
  ];
}

function twoConvolutions(
  name: string,
  x: Tensor5D,
  parameters: Parameters,
  [first, second]: readonly [LayerDropout, LayerDropout],
): Tensor5D {
  return normalisedConvolution(
    `${name}.conv_1`,
    normalisedConvolution(`${name}.conv_0`, x, parameters, first),
    parameters,
    second,
  );
}

/** The draws of a block's two dropouts; every place of every pass has a key of its own. */
function dropouts(
  config: UNetConfig,
  { training, dropoutKey }: Pass,
  block: number,
): [LayerDropout, LayerDropout] {
  const rate = training ? config.dropout : 0;
  const key = dropoutKey * 64 + block * 2;
  return [
    { rate, key },
    { rate, key: key + 1 },
  ];
}

function marginsOf(margin: number | Margins = 0): Margins {
  if (typeof margin !== 'number') return margin;
  const size: SpatialSize = [margin, margin, margin];
  return { before: size, after: size };
}

function cropLevel(
  level: Tensor5D,
  [stride, latentStride]: readonly [number, number],
  k: number,
  { before, after }: Margins,
): Tensor5D {
  if ([...before, ...after].every((voxels) => voxels === 0)) return level;
  if ([...before, ...after].some((voxels) => voxels < 0 || voxels % latentStride !== 0)) {
    throw new ShapeError(
      `the margins [${fileSize(before)}] and [${fileSize(after)}] (x, y, z) of the target region ` +
        `must be multiples of ${latentStride} voxels`,
    );
  }
  const [batch, depth, height, width, channels] = level.shape;
  const begin = mapAxes(before, (voxels) => voxels / stride);
  const size = mapAxes([depth, height, width], (n, axis) => n - begin[axis] - after[axis] / stride);
  if (size.some((n) => n < 1)) {
    throw new ShapeError(
      `the margins [${fileSize(before)}] and [${fileSize(after)}] leave nothing of level ${k}, ` +
        `which is [${fileShape(level.shape)}] (batch, x, y, z, channels)`,
    );
  }
  return tf.slice(level, [0, ...begin, 0], [batch, ...size, channels]);
}

function checkImages(images: Tensor5D, { inChannels, pools }: UNetConfig): void {
  const latentStride = latentStrideOf({ pools });
  const [, depth, height, width, channels] = images.shape;
  if (channels !== inChannels) {
    throw new ShapeError(
      `unet takes ${inChannels} channels, but the input has ${channels}: ` +
        `[${fileShape(images.shape)}] (batch, x, y, z, channels)`,
      {
        field: 'network.inChannels',
        found: channels,
        expected: inChannels,
      },
    );
  }
  if (Math.min(depth, height, width) < latentStride) {
    throw new ShapeError(
      `unet needs at least ${latentStride} voxels a side, but the input is ` +
        `[${fileSize([depth, height, width])}] (x, y, z)`,
      {
        found: fileSize([depth, height, width]),
      },
    );
  }
}

function checkConfig({ inChannels, outChannels, features, dropout }: UNetConfig): void {
  const counts = {
    inChannels,
    outChannels,
    ...Object.fromEntries(features.map((n, i) => [`features[${i}]`, n])),
  };
  for (const [field, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new UsageError(`network.${field} must be a whole number of channels from 1 up, but is ${value}`, {
        field,
        found: value,
      });
    }
  }
  if (!(dropout >= 0 && dropout < 1)) {
    throw new UsageError(`network.dropout must be at least 0 and below 1, but is ${dropout}`, {
      field: 'dropout',
      found: dropout,
    });
  }
}
