import { itemAt } from '../at.js';
import type { Tensor, Tensor1D, Tensor2D, Tensor5D } from '../engine/index.js';
import type { SpatialSize } from './axis-order.js';
import type { ParameterSpec } from './parameters.js';

/** Parameters by name, in the engine's layout: variables of a state, or plain tensors. */
export type Parameters = Readonly<Record<string, Tensor>>;

/** How one forward pass treats dropout. */
export interface Pass {
  /** Dropout is active only while training. */
  readonly training: boolean;
  /**
   * Two passes of one step with the same key drop the same elements; with different keys, independent ones.
   * 0..2^12.
   */
  readonly dropoutKey: number;
  /**
   * [B, D, H, W, 1] 1 where the input is masked; a network of tokens then zeroes every token that lies wholly
   * in it.
   */
  readonly masked?: Tensor5D;
}

/**
 * An array that MONAI's state dict holds beside the parameters: nothing learns it, but
 * `load_state_dict(strict=True)` asks for it.
 */
export interface Constant {
  readonly name: string;
  readonly dtype: 'F32' | 'I64';
  readonly shape: readonly number[];
  /** Why it is no parameter, for reports. */
  readonly why: string;
  /**
   * Its values; of an I64, whole numbers. A file whose values differ is of other settings, unless `ignored`.
   */
  values(): Float32Array;
  /** Whether nothing here depends on its values. */
  readonly ignored: boolean;
}

/** Voxels of the input that the decoder leaves out, on the low and the high side of each axis. */
export interface Margins {
  readonly before: SpatialSize;
  readonly after: SpatialSize;
}

/** Some of the tokens of every item, as many of each. */
export interface KeptTokens {
  readonly perItem: number;
  /** [B * tokens] int32 rows of [B * tokens, C]: those that are kept, item by item, then all others. */
  readonly order: Tensor1D;
  /** [B * tokens] int32 the inverse: where in `order` each row is. */
  readonly places: Tensor1D;
}

/** An encoder that can compute some of its tokens without the others. */
export interface TokenEncoder {
  /** Side of a token in voxels. */
  readonly side: number;
  /** The latent of the tokens that are kept, item by item: [B * kept.perItem, latentChannels]. */
  encodeKept(images: Tensor5D, kept: KeptTokens, parameters: Parameters, pass: Pass): Tensor2D;
}

/** A network as its parameter list and two pure functions; nothing is kept between calls. */
export interface Network {
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly dropout: number;
  readonly specs: readonly ParameterSpec[];
  /** What MONAI's state dict has beside them. */
  readonly constants: readonly Constant[];
  /** Channels of the latent, the last level of `encode`. */
  readonly latentChannels: number;
  /** Voxels of the input per cell of the latent, along each axis. */
  readonly latentStride: number;
  /** The only size of images that it takes; absent: any that its strides allow. */
  readonly imageSize?: SpatialSize;
  /** Margins of a partial decode must be multiples of this many voxels. */
  readonly marginStride: number;
  /** Prefix of the names of the last layer, which fine-tuning replaces. */
  readonly lastLayer: string;
  /** Prefixes of the names of the encoder, which can be loaded by itself. */
  readonly encoder: readonly string[];
  /** Weights whose inputs are the channels of the image. */
  readonly firstLayers: readonly string[];
  /**
   * Bytes that a training pass of a batch keeps of the encoder for its gradients: the least that a step
   * needs.
   */
  encoderBytes(batch: number, size: SpatialSize): number;
  /** Absent where a convolution or an attention window needs the neighbours of a token. */
  readonly tokens?: TokenEncoder;
  /** Feature maps from fine to coarse; the last one is the latent. Input [B, D, H, W, inChannels]. */
  encode(images: Tensor5D, parameters: Parameters, pass: Pass): readonly Tensor5D[];
  /** Levels of `encode` to [B, D', H', W', outChannels], D' = D less both margins. */
  decode(levels: readonly Tensor5D[], parameters: Parameters, pass: Pass, margins?: Margins): Tensor5D;
}

/** Whether a parameter is one of the encoder's. */
export const isEncoderParameter = ({ encoder }: Network, name: string): boolean =>
  encoder.some((prefix) => name.startsWith(`${prefix}.`));

/** The network's output for images: [B, D', H', W', outChannels], D' = D less both margins. */
export function logitsOf(
  network: Network,
  images: Tensor5D,
  parameters: Parameters,
  pass: Pass,
  margins?: Margins,
): Tensor5D {
  return network.decode(network.encode(images, parameters, pass), parameters, pass, margins);
}

/** The latent, the last of an encoder's levels. Throws WorkError where there are none. */
export const latentOf = (levels: readonly Tensor5D[]): Tensor5D => itemAt(levels, levels.length - 1);

/** A pass that drops nothing: for prediction and validation. */
export const STILL: Pass = { training: false, dropoutKey: 0 };
