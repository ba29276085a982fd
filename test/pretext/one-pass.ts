import { compile, createState, lossAndGradients, type NamedArrays, tf } from '../../src/engine/index.js';
import { initialiseParameters, type Network } from '../../src/network/index.js';
import type { PretextMethod } from '../../src/pretext/index.js';
import { randomStream } from '../../src/random/streams.js';
import { trainableParameters } from '../../src/training/pretraining-task.js';

/** Losses, which parameters a gradient reaches, and the reconstruction, of one step of a method without dropout. */
export async function onePass(
  network: Network,
  method: PretextMethod,
  inputs: Readonly<Record<string, Float32Array | Int32Array>>,
  weights: NamedArrays = {},
) {
  const specs = trainableParameters(network, method);
  const state = createState({ ...initialiseParameters(specs, 3), ...weights }, { engine: 'graph' });
  const step = compile(
    (fed, variables) => {
      const { terms, gradients } = lossAndGradients(() => method.losses(fed, variables, false), variables);
      const { seen, prediction } = method.reconstruct(fed, variables);
      const norms = Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [`gradient ${name}`, gradient.square().sum()]));
      return { ...terms, ...norms, seen: tf.clone(seen), prediction: tf.clone(prediction) };
    },
    { name: 'losses', inputs: method.inputs, state, precision: 'float32' },
  );
  const values = await step.run(inputs, 9);
  state.dispose();
  const { seen, prediction, ...rest } = values;
  const names = Object.keys(rest).filter((name) => name.startsWith('gradient '));
  const reached = names.filter((name) => rest[name]![0]! > 0).map((name) => name.slice('gradient '.length));
  return { specs, reached, seen: seen!, prediction: prediction!, total: rest.total![0]!, reconstruction: rest.reconstruction![0]! };
}

/** Uniform values in [0, 1), the same ones for the same seed. */
export function noise(length: number, seed: number): Float32Array {
  const stream = randomStream(seed, 'phantom');
  return Float32Array.from({ length }, () => stream.uniform());
}

export const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * Which values of a crop are masked, by its definition.
 * @param patchMask [B, D / patch, H / patch, W / patch]
 * @returns of each value of [B, D, H, W, C], in order
 */
export function maskedValues(
  patchMask: Float32Array,
  batch: number,
  crop: readonly [number, number, number],
  channels: number,
  patch: number,
): boolean[] {
  const [ph, pw] = [crop[1] / patch, crop[2] / patch];
  const perItem = (crop[0] / patch) * ph * pw;
  const masked: boolean[] = [];
  for (let b = 0; b < batch; b++) {
    for (let z = 0; z < crop[0]; z++) {
      for (let y = 0; y < crop[1]; y++) {
        for (let x = 0; x < crop[2]; x++) {
          const at = b * perItem + (Math.floor(z / patch) * ph + Math.floor(y / patch)) * pw + Math.floor(x / patch);
          for (let c = 0; c < channels; c++) masked.push(patchMask[at] === 1);
        }
      }
    }
  }
  return masked;
}
