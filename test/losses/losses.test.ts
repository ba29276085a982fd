import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compile, createState, lossAndGradients, type Scalar, type Tensor } from '../../src/engine/index.js';
import {
  type ConsistencyKind,
  consistencyLoss,
  contrastiveLoss,
  diceBinaryCrossEntropyLoss,
  diceCrossEntropyLoss,
  locationLoss,
  numberLoss,
  type ReconstructionDistance,
  reconstructionLoss,
} from '../../src/losses/index.js';
import { countedVoxels } from '../../src/training/segmentation-task.js';

type Inputs = Readonly<Record<string, Tensor>>;
type Options = Readonly<Record<string, string | number>>;
type Terms = { readonly total: Scalar } & Readonly<Record<string, Scalar>>;

/** Every loss under the name and with the inputs and options that `test/parity/losses/make_loss_references.py` gives it. */
const losses: Readonly<Record<string, (inputs: Inputs, options: Options) => Terms>> = {
  reconstruction: ({ prediction, images, mask }, { distance }) => ({
    total: reconstructionLoss(
      prediction as never,
      images as never,
      mask as never,
      distance as ReconstructionDistance,
    ),
  }),
  number: ({ logits, counts }) => ({ total: numberLoss(logits as never, counts as never) }),
  location: ({ logits, locations }) => ({ total: locationLoss(logits as never, locations as never) }),
  consistency: ({ numbers, locations }, { kind }) => ({
    total: consistencyLoss(numbers as never, locations as never, kind as ConsistencyKind),
  }),
  contrast: ({ first, second }, { temperature }) => ({
    total: contrastiveLoss(first as never, second as never, temperature as number),
  }),
  diceCrossEntropy: ({ logits, labels }) => ({ ...diceCrossEntropyLoss(logits as never, labels as never) }),
  diceBinaryCrossEntropy: ({ logits, regions }) => ({
    ...diceBinaryCrossEntropyLoss(logits as never, regions as never),
  }),
  // As `make_ignored_references.py` has them: -1 where a voxel is to be ignored.
  ignoredDiceCrossEntropy: ({ logits, labels }) => ({
    ...diceCrossEntropyLoss(
      logits as never,
      labels as never,
      countedVoxels('classes', labels as never) as never,
    ),
  }),
  ignoredDiceBinaryCrossEntropy: ({ logits, regions }) => ({
    ...diceBinaryCrossEntropyLoss(
      logits as never,
      regions as never,
      countedVoxels('regions', regions as never) as never,
    ),
  }),
};

const numbers = z.array(z.number());
const references = z
  .array(
    z.object({
      loss: z.string(),
      name: z.string(),
      options: z.record(z.string(), z.union([z.string(), z.number()])),
      inputs: z.record(
        z.string(),
        z.object({ shape: z.array(z.int()), dtype: z.enum(['float32', 'int32']), values: numbers }),
      ),
      terms: z.record(z.string(), z.number()),
      gradients: z.record(z.string(), numbers),
    }),
  )
  .parse(
    ['losses', 'ignored'].flatMap(
      (file) => JSON.parse(readFileSync(`test/parity/losses/${file}.json`, 'utf8')) as unknown[],
    ),
  );

/** The loss and its gradients: what has a gradient in the reference is a variable here, the rest is fed. */
async function computed(reference: (typeof references)[number], engine: 'graph' | 'eager') {
  const entries = Object.entries(reference.inputs);
  const learns = ([name]: (typeof entries)[number]) => name in reference.gradients;
  const state = createState(
    Object.fromEntries(
      entries
        .filter(learns)
        .map(([name, { shape, values }]) => [name, { shape, data: Float32Array.from(values) }]),
    ),
    { engine },
  );
  const fed = entries.filter((entry) => !learns(entry));
  const step = compile(
    (inputs, variables) => {
      const { terms, gradients } = lossAndGradients(
        () =>
          (losses[reference.loss] as (typeof losses)[string])({ ...inputs, ...variables }, reference.options),
        variables,
      );
      return {
        ...terms,
        ...Object.fromEntries(
          Object.entries(gradients).map(([name, gradient]) => [`gradient ${name}`, gradient]),
        ),
      };
    },
    { name: reference.loss, inputs: Object.fromEntries(fed), state, precision: 'float32' },
  );
  const values = await step.run(
    Object.fromEntries(
      fed.map(([name, { dtype, values: v }]) => [
        name,
        dtype === 'int32' ? Int32Array.from(v) : Float32Array.from(v),
      ]),
    ),
  );
  state.dispose();
  return values;
}

describe.each(['graph', 'eager'] as const)(
  'losses and their gradients equal PyTorch in double precision, %s engine',
  (engine) => {
    it.each(references.map((reference) => [reference.loss, reference.name, reference] as const))(
      '%s: %s',
      async (_, __, reference) => {
        const values = await computed(reference, engine);
        for (const [term, expected] of Object.entries(reference.terms)) {
          expect(Math.abs((values[term]?.[0] as number) - expected)).toBeLessThan(
            1e-5 * Math.max(1, Math.abs(expected)),
          );
        }
        for (const [input, expected] of Object.entries(reference.gradients)) {
          const found = values[`gradient ${input}`] ?? new Float32Array(expected.length); // no entry: the loss does not reach it
          const scale = Math.max(...expected.map(Math.abs));
          const error = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] as number))));
          expect(found).toHaveLength(expected.length);
          expect(error).toBeLessThanOrEqual(1e-4 * scale);
        }
      },
    );
  },
);

it('has no gradient where a voxel is ignored, and one where it counts', async () => {
  for (const reference of references.filter(({ loss }) => loss.startsWith('ignored'))) {
    const gradient = (await computed(reference, 'graph'))['gradient logits'] as Float32Array;
    const { values } = reference.inputs.labels ?? reference.inputs.regions!;
    const each = gradient.length / values.length; // a label a voxel, or one a logit
    const ignored = (i: number) => values[Math.floor(i / each)] === -1;
    expect(gradient.every((value, i) => !ignored(i) || value === 0)).toBe(true);
    expect(gradient.filter((value, i) => !ignored(i) && value === 0)).toHaveLength(0);
  }
});

it('every loss is held to a reference', () => {
  expect(new Set(references.map(({ loss }) => loss))).toEqual(new Set(Object.keys(losses)));
});
