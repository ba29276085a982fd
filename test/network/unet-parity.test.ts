import { beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  createState,
  lossAndGradients,
  type NamedArrays,
  type State,
  type Tensor4D,
  type Tensor5D,
} from '../../src/engine/index.js';
import { diceCrossEntropyLoss } from '../../src/losses/index.js';
import { type Parameters, readWeights, toPyTorch, unet } from '../../src/network/index.js';
import { correctionsAt, zeroMoments } from '../../src/training/adamw.js';
import { compileTrainingStep } from '../../src/training/training-step.js';
import { reversedAxes } from './monai-order.js';
import {
  largest,
  type ParityCase,
  readCase,
  referenceFile,
  relativeError,
  weightsFile,
} from './unet-parity.js';

/** A bias before an instance norm, which takes it away again: its gradient is 0, in PyTorch that plus rounding noise. */
const isCancelled = (name: string) => /\.conv_[01]\.conv\.bias$/.test(name);

const cases = ['1-channel-even', '1-channel-odd', '4-channels-even', '4-channels-odd', 'pools-2221'];

describe.each(cases)('UNet beside MONAI BasicUNet, %s', (name) => {
  let parity: ParityCase;
  let initial: NamedArrays;
  let before: Record<string, Float32Array>;
  let after: Record<string, Float32Array>;
  let trained: NamedArrays;
  const losses: number[] = [];

  beforeAll(async () => {
    parity = await readCase(name);
    const { config, facts, engineShape, batches } = parity;
    const [first] = batches as [(typeof batches)[0]];
    const network = unet(config);
    initial = (await readWeights(referenceFile(weightsFile(facts)), network.specs)).values;
    const inputs = {
      images: { shape: [...engineShape, facts.channels], dtype: 'float32' },
      labels: { shape: engineShape, dtype: 'int32' },
    } as const;
    const pass = { training: false, dropoutKey: 0 };
    const logitsOf = (x: Tensor5D, parameters: Parameters) =>
      network.decode(network.encode(x, parameters, pass), parameters, pass);
    const state = createState({ ...initial, ...zeroMoments(network.specs) }, { engine: 'graph' });

    const predict = compile(({ images: x }, variables) => ({ logits: logitsOf(x as Tensor5D, variables) }), {
      name: 'forward pass',
      inputs: { images: inputs.images },
      state,
      precision: 'float32',
    });
    const differentiate = compile(
      ({ images: x, labels: y }, variables) => {
        const parameters = Object.fromEntries(
          network.specs.map((spec) => [spec.name, variables[spec.name] as (typeof variables)[string]]),
        );
        return lossAndGradients(
          () => diceCrossEntropyLoss(logitsOf(x as Tensor5D, parameters), y as Tensor4D) as never,
          parameters,
        ).gradients;
      },
      { name: 'gradients', inputs, state, precision: 'float32' },
    );
    const train = compileTrainingStep({
      name: 'training step',
      specs: network.specs,
      inputs,
      state,
      precision: 'float32',
      optimizer: {
        weightDecay: facts.weightDecay,
        decayNormsAndBiases: true,
        clipNorm: null,
        notFiniteSteps: 0,
      },
      losses: ({ images: x, labels: y }, parameters) => ({
        total: diceCrossEntropyLoss(logitsOf(x as Tensor5D, parameters), y as Tensor4D).total,
      }),
    });
    before = {
      ...(await differentiate.run(first)),
      ...(await predict.run({ images: first.images })),
    } as Record<string, Float32Array>;
    for (const [i, batch] of batches.entries()) {
      const fed = {
        learningRate: Float32Array.of(facts.learningRates[i] as number),
        ...correctionsAt(i + 1),
      };
      losses.push((await train.run({ ...batch, ...fed })).total?.[0] as number);
    }
    after = (await predict.run({ images: first.images })) as Record<string, Float32Array>;
    trained = await parameterValues(state);
  });

  const parameterValues = async (state: State) => {
    const values = await state.read(Object.keys(initial));
    state.dispose();
    return values;
  };
  const expected = (key: string) => (parity.arrays[key] as NamedArrays[string]).data;
  const specs = () => unet(parity.config).specs;
  const inMonaiOrder = (key: string, values: Float32Array) => {
    const spec = specs().find((candidate) => candidate.name === key) as ReturnType<typeof specs>[number];
    return toPyTorch({ shape: spec.shape, data: values }, spec.layout).data;
  };

  const learning = () =>
    specs()
      .map((spec) => spec.name)
      .filter((key) => !isCancelled(key));
  const gradientError = (key: string) =>
    relativeError(inMonaiOrder(key, before[key] as Float32Array), expected(`gradient.${key}`));
  const afterError = (key: string) =>
    relativeError(inMonaiOrder(key, trained[key]?.data as Float32Array), expected(`after.${key}`));
  const movementError = (key: string) => {
    const start = inMonaiOrder(key, initial[key]?.data as Float32Array);
    const moved = (values: Float32Array) => values.map((value, i) => value - (start[i] as number));
    return relativeError(
      moved(inMonaiOrder(key, trained[key]?.data as Float32Array)),
      moved(expected(`after.${key}`)),
    );
  };
  const logitsInMonaiOrder = (logits: Float32Array) =>
    reversedAxes(logits, parity.engineShape, parity.facts.classes);
  const everyStride = (logits: Float32Array) => {
    const { classes, stride } = parity.facts;
    return logitsInMonaiOrder(logits).filter((_, i) => Math.floor(i / classes) % stride === 0);
  };

  it('is fed what the reference was', () => {
    const mean = (values: ArrayLike<number>) =>
      Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
    for (const [end, step] of [0, 9].entries()) {
      expect(mean(parity.batches[step]?.images as Float32Array)).toBeCloseTo(
        parity.facts.means.image[end] as number,
        9,
      );
      expect(mean(parity.batches[step]?.labels as Int32Array)).toBeCloseTo(
        parity.facts.means.label[end] as number,
        9,
      );
    }
  });

  // The bounds below say something of this project only where PyTorch keeps them itself: see the script on how the cases are chosen.
  it('is a problem on which the float32 of PyTorch, in three orders of computing, stays within a tenth of the bounds', () => {
    const orders = Object.values(parity.facts.float32);
    expect(orders).toHaveLength(3);
    for (const strays of orders) {
      expect(strays.gradient).toBeLessThan(1e-4);
      for (const kind of ['logits', 'after', 'logits-after', 'losses'] as const)
        expect(strays[kind]).toBeLessThan(1e-5);
    }
  });

  it('gives the same logits within 1e-4 of the largest', () => {
    expect(relativeError(everyStride(before.logits as Float32Array), expected('logits'))).toBeLessThan(1e-4);
  });

  it.each([0, 1, 2])(
    'gives the same mean logits in every plane across axis %i, so that no voxel goes unseen',
    (axis) => {
      const { shape, classes } = parity.facts;
      const planes = planeMeans(logitsInMonaiOrder(before.logits as Float32Array), shape, classes, axis);
      expect(relativeError(planes, expected(`planes-${axis}`), largest(expected('logits')))).toBeLessThan(
        1e-4,
      );
    },
  );

  it('gives the gradient of Dice + cross-entropy within 1e-3 of the largest of each parameter', () => {
    const errors = Object.fromEntries(learning().map((key) => [key, gradientError(key)]));
    expect(Object.entries(errors).filter(([, error]) => !(error < 1e-3))).toEqual([]);
    expect(Object.keys(errors)).toHaveLength(specs().length - 18); // two norms in each of nine blocks, each with a cancelled bias
  });

  it('gives exactly 0 for a bias that the norm takes away, where PyTorch gives rounding noise', () => {
    const steepest = Math.max(...learning().map((key) => largest(expected(`gradient.${key}`))));
    for (const { name: key } of specs().filter((spec) => isCancelled(spec.name))) {
      expect(largest(before[key] as Float32Array)).toBe(0);
      expect(largest(expected(`gradient.${key}`))).toBeLessThan(1e-5 * steepest);
    }
  });

  it('follows the losses of ten steps of AdamW within 1e-4', () => {
    expect(relativeError(Float32Array.from(losses), expected('losses'))).toBeLessThan(1e-4);
  });

  // The ten steps are on ten batches with a learning rate that warms up to 1e-4. Measured: parameters within 8e-6, logits within 7e-6. A
  // first beta of 0.89, an epsilon of 2e-8 or one inside the bias correction, no bias correction, no decay, or decay through the gradient
  // fails here; what ten steps cannot show, such as the second beta, test/training/adamw-parity.test.ts shows.
  // Adam divides a gradient by its own size, so PyTorch moves a cancelled bias by the sign of its noise, about a learning rate a step.
  // No output depends on it, which the logits after the steps show; those biases are the only parameters left out here.
  it('has every parameter within 1e-4 of its largest value after ten steps of AdamW', () => {
    const errors = learning().map((key) => [key, afterError(key)] as const);
    expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });

  it('has moved every parameter as PyTorch did, within 1e-2 of the largest movement', () => {
    const errors = learning().map((key) => [key, movementError(key)] as const);
    expect(errors.filter(([, error]) => !(error < 1e-2))).toEqual([]); // a movement is 100 to 1000 times smaller than its parameter
  });

  it('gives the same logits within 1e-4 of the largest after those steps', () => {
    expect(relativeError(everyStride(after.logits as Float32Array), expected('logits-after'))).toBeLessThan(
      1e-4,
    );
    expect(relativeError(expected('logits'), expected('logits-after'))).toBeGreaterThan(1e-2); // ten steps are seen in the logits
  });
});

/** [B, x, y, z, C] to [B, C, planes]: means across the two other axes, summed in double precision. */
function planeMeans(
  logits: Float32Array,
  shape: ParityCase['facts']['shape'],
  classes: number,
  axis: number,
): Float32Array {
  const [batch, depth, height, width] = shape;
  const planes = shape[axis + 1] as number;
  const sums = new Float64Array(batch * classes * planes);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          for (let c = 0; c < classes; c++) {
            const plane = [d, h, w][axis] as number;
            const at = (b * classes + c) * planes + plane;
            sums[at] = (sums[at] as number) + (logits[i++] as number);
          }
  const count = (depth * height * width) / planes;
  return Float32Array.from(sums, (sum) => sum / count);
}
