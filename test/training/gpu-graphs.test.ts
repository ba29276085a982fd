import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finetuneConfig, loadConfig, loadTask, pretrainConfig } from '../../src/config/index.js';
import type { Devices } from '../../src/engine/devices.js';
import {
  type CompiledStep,
  compile,
  createState,
  devices,
  type Precision,
  type State,
} from '../../src/engine/index.js';
import { labelScheme } from '../../src/inference/index.js';
import { initialiseParameters, logitsOf, STILL, stepInput } from '../../src/network/index.js';
import { randomStream } from '../../src/random/streams.js';
import { correctionsAt, momentNames, zeroMoments } from '../../src/training/adamw.js';
import { type StepOfRun, wholeBatch } from '../../src/training/estimate-step.js';
import type { LearningTask } from '../../src/training/index.js';
import { compileTrainingStep } from '../../src/training/training-step.js';
import { gpu, kernelTable, runNodes, tracedState, wrongOnGpu } from '../engine/gpu-graph.js';

/** Sizes with every kind of node: the masks of large crops are alike. */
const small = ['data.cropSize=[64,64,64]'];

const files = (folder: string) =>
  readdirSync(join('configs', folder)).map((name) => join('configs', folder, name));

async function pretraining(file: string, ...set: string[]): Promise<StepOfRun> {
  const network = file.includes('mae-unetr') ? ['network.imageSize=[64,64,64]'] : [];
  const method = file.includes('hybridmim') ? ['method.region=32'] : [];
  const overrides = set.length > 0 ? set : [...small, 'train.batchSize=2', ...network, ...method];
  const settings = await loadConfig(pretrainConfig, file, overrides);
  return { kind: 'pretrain', settings, channels: file.includes('brats') ? 4 : 1 };
}

async function finetuning(file: string): Promise<StepOfRun> {
  const isUnetr = file.endsWith('-unetr.yaml') && !file.includes('swin');
  const size = ['inference.window=[64,64,64]', ...(isUnetr ? ['network.imageSize=[64,64,64]'] : [])];
  const settings = await loadConfig(finetuneConfig, file, [...small, 'train.batchSize=1', ...size]);
  const task = /^(?<task>btcv|brats|msd-liver|msd-spleen)/.exec(basename(file))?.groups?.task ?? '';
  const { classes, regions } = await loadTask(task);
  return {
    kind: 'finetune',
    settings,
    channels: task === 'brats' ? 4 : 1,
    scheme: labelScheme(classes, regions),
  };
}

/** Shapes of parameters, with those of their moments where they are trained. */
function shapesOf({ parameters }: LearningTask, withMoments: boolean) {
  return Object.fromEntries(
    parameters.flatMap(({ name, shape }) =>
      [name, ...(withMoments ? momentNames([name]) : [])].map((variable) => [variable, { shape }] as const),
    ),
  );
}

function trainingStep(step: StepOfRun, precision: Precision, state: State): CompiledStep {
  const { task } = wholeBatch(step);
  return compileTrainingStep({
    name: task.name,
    specs: task.parameters,
    inputs: task.inputs,
    state,
    precision,
    optimizer: step.settings.train,
    losses: (inputs, parameters) => task.losses(inputs, parameters, true),
  });
}

function inferenceStep(step: StepOfRun, precision: Precision, state: State): CompiledStep {
  const { network, inputs } = wholeBatch(step).task;
  return compile(
    (fed, parameters) => ({ logits: logitsOf(network, stepInput(fed, 'images', 5), parameters, STILL) }),
    { name: 'inference', inputs: { images: inputs.images! }, state, precision, mode: 'inference' },
  );
}

/** What is wrong with the nodes that a GPU would run, each kind once, and how many they are. */
function lookedAt(step: StepOfRun, precision: Precision, mode: 'training' | 'inference') {
  const state = tracedState(shapesOf(wholeBatch(step).task, mode === 'training'), gpu);
  try {
    const compiled = (mode === 'training' ? trainingStep : inferenceStep)(step, precision, state);
    const nodes = runNodes(compiled);
    const wrong = nodes.map((node) => wrongOnGpu(state.inGraph!.graph, node));
    return { nodes, wrong: [...new Set(wrong)].filter((sentence) => sentence !== undefined) };
  } finally {
    state.dispose();
  }
}

/** Loss terms and gradient norm of a step that is written for this machine's CPU or for a GPU, and runs here. */
async function losses(step: StepOfRun, precision: Precision, target?: Devices) {
  const { task } = wholeBatch(step);
  const values = { ...initialiseParameters(task.parameters, 0), ...zeroMoments(task.parameters) };
  const state = createState(values, { engine: 'graph', threads: 1, ...(target && { target }) });
  try {
    const compiled = trainingStep(step, precision, state);
    const stream = randomStream(0, 'crop');
    const masks = task.inputsBesideCrops(0);
    const crops = Object.entries(task.inputs)
      .filter(([name]) => !(name in masks))
      .map(([name, { shape }]) => {
        const length = shape.reduce((product, n) => product * n, 1);
        return [name, Float32Array.from({ length }, () => stream.uniform())] as const;
      });
    const fed = { ...Object.fromEntries(crops), ...masks, ...correctionsAt(1) };
    const outputs = await compiled.run({ ...fed, learningRate: Float32Array.of(1e-3) }, 7);
    return Object.fromEntries(Object.entries(outputs).map(([name, [value]]) => [name, value ?? Number.NaN]));
  } finally {
    state.dispose();
  }
}

describe('the table of kernels', () => {
  it('is of the library that set-up places for a GPU', () => {
    const pinned = readFileSync('scripts/tensorflow-cuda.txt', 'utf8');
    expect(pinned).toContain(
      `tensorflow==${kernelTable.library.version} --hash=sha256:${kernelTable.library.sha256}\n`,
    );
  });
});

describe('on a GPU', () => {
  const traced = new Map<string, ReturnType<typeof lookedAt>>();
  /** Steps that differ in the names of their data alone are traced once. */
  const once = (step: StepOfRun, precision: Precision, mode: 'training' | 'inference') => {
    const { network, data, train } = step.settings;
    const what = step.kind === 'finetune' ? step.scheme.kind : step.settings.method;
    const key = JSON.stringify([
      mode,
      precision,
      network,
      data.cropSize,
      train.batchSize,
      step.channels,
      what,
    ]);
    const found = traced.get(key) ?? lookedAt(step, precision, mode);
    traced.set(key, found);
    return found;
  };

  describe.each(['float32', 'bfloat16'] as const)('in %s', (precision) => {
    it.each(files('pretrain'))(
      'every node of a step of %s has a kernel that leaves its data there',
      async (file) => {
        const { nodes, wrong } = once(await pretraining(file), precision, 'training');
        expect(wrong).toEqual([]);
        expect(nodes.length).toBeGreaterThan(1000);
      },
    );

    it.each(files('finetune'))('so has every node of a step of %s, and of its inference', async (file) => {
      const step = await finetuning(file);
      expect(once(step, precision, 'training').wrong).toEqual([]);
      expect(once(step, precision, 'inference').wrong).toEqual([]);
    });
  });

  it.each([
    ['float32', 1e-5],
    ['bfloat16', 1e-2], // whose products round otherwise on processors without it
  ] as const)('a step in %s computes what it does on a CPU', async (precision, tolerance) => {
    const narrow = 'network.features=[8,8,16,32,64,8]';
    // The deepest level is as deep as its filters: below that oneDNN's bfloat16 kernel is wrong, which a CPU goes around.
    const sizes = ['data.cropSize=[48,48,48]', 'train.batchSize=1', narrow];
    const step = await pretraining('configs/pretrain/simmim-unet-ct.yaml', ...sizes);
    const onCpu = await losses(step, precision);
    const onGpu = await losses(step, precision, { ...devices(), ...gpu });
    expect(Object.keys(onGpu)).toEqual(Object.keys(onCpu));
    for (const [name, loss] of Object.entries(onCpu))
      expect([name, onGpu[name]! / loss]).toEqual([name, expect.closeTo(1, -Math.log10(2 * tolerance))]);
  });

  it('a step of HybridMIM with SwinUNETR at the paper’s sizes has fewer than 10,000 nodes', async () => {
    const step = await pretraining('configs/pretrain/hybridmim-swin-ct.yaml', 'train.batchSize=4');
    const { nodes, wrong } = lookedAt(step, 'float32', 'training');
    expect(nodes.length).toBeLessThan(10_000);
    expect(wrong).toEqual([]);
  });
});
