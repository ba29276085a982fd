import { attention, dropout, type Tensor2D } from '../engine/index.js';
import type { Parameters, Pass } from './network.js';
import { linear, normalisation, type ParameterSpec } from './parameters.js';
import {
  dropAt,
  namedLayerNorm,
  namedLinear,
  perceptron,
  perceptronParameters,
} from './transformer-layers.js';

/** Parameters of a block, under the names and in the order of MONAI's `TransformerBlock`. */
export function transformerBlockParameters(name: string, width: number, mlpDim: number): ParameterSpec[] {
  return [
    ...perceptronParameters(`${name}.mlp`, width, mlpDim),
    ...normalisation(`${name}.norm1`, width),
    ...linear(`${name}.attn.out_proj`, width, width),
    ...linear(`${name}.attn.qkv`, width, 3 * width, false),
    ...normalisation(`${name}.norm2`, width),
  ];
}

export interface BlockOptions {
  readonly heads: number;
  /** Tokens of one item: each attends to all of its item. */
  readonly tokens: number;
  readonly dropout: number;
  /** Place of the block among those of its pass, 0 to 63, so that each drops elements of its own. */
  readonly index: number;
}

/**
 * Pre-norm block of a transformer (Dosovitskiy et al. 2020): attention, then a perceptron, each added to its
 * input. [B * tokens, C] to the same.
 */
export function transformerBlock(
  name: string,
  x: Tensor2D,
  parameters: Parameters,
  { heads, tokens, dropout: rate, index }: BlockOptions,
  pass: Pass,
): Tensor2D {
  const qkv = namedLinear(`${name}.attn.qkv`, namedLayerNorm(`${name}.norm1`, x, parameters), parameters);
  const attended = attention(qkv, { heads, tokens, drop: dropAt(rate, pass, index, 0) });
  const output = dropAt(rate, pass, index, 1);
  const y = x.add<Tensor2D>(
    dropout(namedLinear(`${name}.attn.out_proj`, attended, parameters), output.rate, output.key),
  );
  const normed = namedLayerNorm(`${name}.norm2`, y, parameters);
  return y.add(
    perceptron(`${name}.mlp`, normed, parameters, dropAt(rate, pass, index, 2), dropAt(rate, pass, index, 3)),
  );
}
