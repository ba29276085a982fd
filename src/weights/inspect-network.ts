import { loadSettings, predictConfig } from '../config/index.js';
import { countMultiplyAdds } from '../engine/index.js';
import {
  elementCount,
  logitsOf,
  makeNetwork,
  type NetworkName,
  STILL,
  spatialSize,
  toPyTorchShape,
} from '../network/index.js';
import type { Triple } from '../volume/index.js';

export interface InspectOptions {
  readonly network: NetworkName;
  /** Overrides such as `network.featureSize=48`. */
  readonly set: readonly string[];
  readonly inChannels: number;
  readonly outChannels: number;
  /** Voxels [x, y, z] of one image. */
  readonly size: Triple;
}

export interface Inspection {
  readonly schema: 1;
  readonly network: string;
  readonly parameters: number;
  /** Of convolutions and matrix products, forward, for one image of `size`. */
  readonly multiplyAdds: number;
  readonly size: Triple;
  /**
   * Bytes that a training step of one image needs at the least: parameters, gradients and two moments, and
   * what the encoder keeps for its gradients.
   */
  readonly stepBytesAtLeast: number;
  /** In PyTorch's names and axis order. */
  readonly layers: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly parameters: number;
  }[];
  /** What MONAI's state dict has beside the parameters. */
  readonly constants: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly why: string;
  }[];
}

/**
 * A network's parameters and what it costs.
 * @throws UsageError for settings that make no network, ShapeError for a size that it cannot take
 */
export function inspectNetwork({
  network: name,
  set,
  inChannels,
  outChannels,
  size,
}: InspectOptions): Inspection {
  const { network: settings } = loadSettings(predictConfig, [
    `network.name=${name}`,
    ...set,
    `network.name=${name}`,
  ]);
  const network = makeNetwork(settings, { inChannels, outChannels });
  const layers = network.specs.map(({ name: layer, shape, layout }) => ({
    name: layer,
    shape: toPyTorchShape(shape, layout),
    parameters: elementCount(shape),
  }));
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const multiplyAdds = countMultiplyAdds(
    (images, values) => logitsOf(network, images, values, STILL),
    Object.fromEntries(network.specs.map(({ name: of, shape }) => [of, shape])),
    [1, ...spatialSize(size), inChannels],
  );
  return {
    schema: 1,
    network: name,
    parameters,
    multiplyAdds,
    size,
    stepBytesAtLeast: 4 * 4 * parameters + network.encoderBytes(1, spatialSize(size)),
    layers,
    constants: network.constants.map(({ name: of, shape, why }) => ({ name: of, shape, why })),
  };
}
