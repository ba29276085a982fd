import { compile, createState, lossAndGradients, type NamedArrays, tf } from '../../src/engine/index.js';
import { initialiseParameters, type Network } from '../../src/network/index.js';
import type { PretextMethod } from '../../src/pretext/index.js';
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
      const norms = Object.fromEntries(
        Object.entries(gradients).map(([name, gradient]) => [`gradient ${name}`, gradient.square().sum()]),
      );
      return { ...terms, ...norms, seen: tf.clone(seen), prediction: tf.clone(prediction) };
    },
    { name: 'losses', inputs: method.inputs, state, precision: 'float32' },
  );
  const values = await step.run(inputs, 9);
  state.dispose();
  const { seen, prediction, ...rest } = values;
  const names = Object.keys(rest).filter((name) => name.startsWith('gradient '));
  const reached = names.filter((name) => rest[name]![0]! > 0).map((name) => name.slice('gradient '.length));
  return {
    specs,
    reached,
    seen: seen!,
    prediction: prediction!,
    total: rest.total![0]!,
    reconstruction: rest.reconstruction![0]!,
  };
}
