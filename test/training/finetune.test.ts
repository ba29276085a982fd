import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NamedArrays } from '../../src/engine/index.js';
import {
  initialiseParameters,
  isEncoderParameter,
  readSafetensors,
  toPyTorch,
  unet,
} from '../../src/network/index.js';
import { drawnFraction } from '../../src/training/drawn-fraction.js';
import {
  type FinetuneOptions,
  type FinetuneSettings,
  finetune,
  pretrain,
  readMetrics,
  type StepLine,
} from '../../src/training/index.js';
import type { ValidationLine } from '../../src/training/metrics-log.js';
import { prepareOrgans, prepareTumours, smokeFinetuneConfig } from './segmentation-data.js';
import { smokePretrainConfig } from './smoke-data.js';

const folder = mkdtempSync(join(tmpdir(), 'finetune-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let organs: string;
let pretrained: string;

beforeAll(async () => {
  organs = await prepareOrgans(join(folder, 'organs'));
  const settings = await smokePretrainConfig(
    organs,
    'train.steps=2',
    'train.warmupSteps=0',
    'train.validateEvery=0',
  );
  pretrained = (await pretrain({ settings, out: join(folder, 'pretrained'), resume: false, progress: {} }))
    .last;
});

const run = (settings: FinetuneSettings, out: string, extra: Partial<FinetuneOptions> = {}) =>
  finetune({ settings, out: join(folder, out), resume: false, progress: {}, ...extra });
const linesOf = (out: string) => readMetrics(join(folder, out));
const stepsOf = (out: string) => linesOf(out).filter((line): line is StepLine => 'losses' in line);
const validationsOf = (out: string) =>
  linesOf(out).filter((line): line is ValidationLine => 'validation' in line);
const lossesOf = (out: string) =>
  stepsOf(out).map(({ step, loss, losses, lr, gradientNorm }) => ({ step, loss, losses, lr, gradientNorm }));
const fileOf = (out: string, name: string) => readFileSync(join(folder, out, 'checkpoints', name));
const weightsOf = (file: string) => readSafetensors(file);
const stateOf = (out: string) =>
  JSON.parse(fileOf(out, 'state.json').toString()) as {
    cases: string[];
    best: { step: number; value: number };
  };
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** One update whose learning rate is 0 as a float32, so that what is written are the weights at step 0. */
const stillStep = [
  'train.steps=1',
  'train.learningRate=1.0e-50',
  'train.warmupSteps=0',
  'train.weightDecay=0',
  'train.validateEvery=0',
];

const sameArrays = (found: NamedArrays, expected: NamedArrays, names: readonly string[]) =>
  names.every((name) =>
    Buffer.from(found[name]!.data.buffer).equals(Buffer.from(expected[name]!.data.buffer)),
  );

it('refuses windows that cannot fit before it begins, not at its first validation', async () => {
  const settings = await smokeFinetuneConfig(organs, 'inference.window=[4096,4096,4096]');
  await expect(run(settings, 'vast')).rejects.toThrow(
    /inference\.window \[4096,4096,4096\] .* needs at least/,
  );
  expect(existsSync(join(folder, 'vast'))).toBe(false);
});

describe('fine-tuning', () => {
  it('learns: the loss falls, Dice on the training cases rises, and the best weights stay', async () => {
    const length = [
      'train.steps=45',
      'train.warmupSteps=5',
      'train.learningRate=5.0e-3',
      'train.checkpointEvery=45',
    ];
    const result = await run(
      await smokeFinetuneConfig(organs, ...length, 'train.validateEvery=9', 'data.validateOn=training'),
      'learns',
    );
    const lines = stepsOf('learns');
    expect(lines).toHaveLength(45);
    expect(Object.keys(lines[0]!.losses).sort()).toEqual(['crossEntropy', 'dice']);
    for (const { loss, losses } of lines) expect(loss).toBeCloseTo(losses.dice! + losses.crossEntropy!, 5);
    const losses = lines.map(({ loss }) => loss);
    expect(mean(losses.slice(-10))).toBeLessThan(0.7 * mean(losses.slice(0, 10)));

    const dice = validationsOf('learns').map(({ step, validation }) => [step, validation.dice!] as const);
    expect(dice.map(([step]) => step)).toEqual([9, 18, 27, 36, 45]);
    expect(dice.at(-1)![1]).toBeGreaterThan(dice[0]![1]);
    expect(dice.at(-1)![1]).toBeGreaterThan(0.8);
    for (const { validation } of validationsOf('learns')) {
      expect(Object.keys(validation)).toEqual(['dice', 'dice liver', 'dice tumour']);
      expect(validation.dice).toBeCloseTo((validation['dice liver']! + validation['dice tumour']!) / 2, 10);
    }
    const [bestStep, bestDice] = dice.reduce((best, found) => (found[1] > best[1] ? found : best));
    expect(result.best).toEqual({
      file: join(folder, 'learns', 'checkpoints', 'best.safetensors'),
      step: bestStep,
      value: bestDice,
    });
    expect((await weightsOf(result.best!.file)).metadata.step).toBe(String(bestStep));
    const { metadata } = await weightsOf(result.last);
    expect(JSON.parse(metadata.scheme!)).toEqual({
      kind: 'classes',
      names: ['liver', 'tumour'],
      values: [[1], [2]],
    });
    expect(JSON.parse(metadata.network!)).toMatchObject({ name: 'unet', inChannels: 1, outChannels: 3 });
    expect(JSON.parse(metadata.preprocessing!)).toMatchObject({ intensity: 'ct-window', spacing: null });
  });

  it('continues an interrupted run bit for bit, also when it was stopped at a step whose validation was due', async () => {
    const settings = await smokeFinetuneConfig(organs);
    await run(settings, 'uninterrupted');
    expect(validationsOf('uninterrupted').map(({ step }) => step)).toEqual([6, 12]);
    for (const stopAt of [6, 7]) {
      const out = `stopped-at-${stopAt}`;
      const stop = new AbortController();
      const stopped = run(settings, out, {
        signal: stop.signal,
        progress: { onStep: ({ step }) => step === stopAt && stop.abort() },
      });
      await expect(stopped).rejects.toMatchObject({
        exitCode: 130,
        message: new RegExp(`stopped after step ${stopAt} of 12, state saved`),
      });
      const { best } = await run(settings, out, { resume: true });
      expect(lossesOf(out)).toEqual(lossesOf('uninterrupted'));
      expect(validationsOf(out)).toEqual(validationsOf('uninterrupted'));
      expect(best).toMatchObject(stateOf('uninterrupted').best);
      for (const name of ['last.safetensors', 'best.safetensors', 'step-12.optimizer.safetensors']) {
        expect(fileOf(out, name).equals(fileOf('uninterrupted', name))).toBe(true);
      }
    }
  });

  it('mentions classes that no label holds, and labels that hold none, of training and of validation', async () => {
    const notes = async (holds: (i: number, value: number) => boolean) => {
      const prepared = await prepareOrgans(join(folder, `holding-${count++}`), holds);
      const said: string[] = [];
      const settings = await smokeFinetuneConfig(
        prepared,
        ...stillStep.filter((setting) => !setting.startsWith('train.validateEvery')),
        'train.validateEvery=1',
      );
      await run(settings, `noted-${count}`, { progress: { onNote: (sentence) => said.push(sentence) } });
      return said;
    };
    let count = 0;
    expect(await notes(() => true)).toEqual([]);
    expect(await notes((i, value) => value === 1 || i < 4)).toEqual([
      'none of the 2 validation labels holds tumour: the network cannot be chosen by it',
    ]);
    expect(await notes((_, value) => value === 1)).toEqual([
      'none of the 4 training labels holds tumour: the network cannot learn it',
      'none of the 2 validation labels holds tumour: the network cannot be chosen by it',
    ]);
    expect(await notes(() => false)).toEqual([
      expect.stringMatching(
        /^none of the 4 training labels holds any of liver, tumour, they are empty: a Dice of this run means nothing/,
      ),
      expect.stringMatching(/^none of the 2 validation labels holds any of liver, tumour, they are empty/),
    ]);
  });

  it('is refused with the settings of another run, other weights to start from included', async () => {
    await run(await smokeFinetuneConfig(organs, ...stillStep), 'guarded');
    const resumed = run(await smokeFinetuneConfig(organs, ...stillStep), 'guarded', {
      resume: true,
      init: pretrained,
    });
    await expect(resumed).rejects.toMatchObject({
      exitCode: 2,
      message: /config.yaml says init null, but ".*last.safetensors" is asked for/,
    });
  });

  it('says when there is no validation case to choose the best weights by', async () => {
    const unheld = await prepareTumours(join(folder, 'unheld'));
    const index = JSON.parse(readFileSync(join(unheld, 'index.json'), 'utf8')) as {
      cases: { split: string }[];
    };
    const without = { ...index, cases: index.cases.filter(({ split }) => split === 'training') };
    writeFileSync(join(unheld, 'index.json'), JSON.stringify(without));
    await expect(run(await smokeFinetuneConfig(unheld), 'unheld-run')).rejects.toMatchObject({
      exitCode: 3,
      message: /has no validation case: set data.validateOn to training, or train.validateEvery to 0/,
    });
  });
});

describe('the weights that fine-tuning starts from', () => {
  const network = unet({
    inChannels: 1,
    outChannels: 3,
    features: [8, 8, 8, 16, 16, 8],
    pools: [2, 2, 2, 2],
    dropout: 0.1,
  });
  const names = network.specs.map(({ name }) => name);
  const isLast = (name: string) => name.startsWith(network.lastLayer);

  const random = initialiseParameters(network.specs, 1);
  const fresh = Object.fromEntries(
    network.specs.map(({ name, layout }) => [name, toPyTorch(random[name]!, layout)]),
  );

  it('are the random ones of the seed, from scratch', async () => {
    const { last } = await run(await smokeFinetuneConfig(organs, ...stillStep), 'scratch');
    const { arrays } = await weightsOf(last);
    expect(Object.keys(arrays).sort()).toEqual([...names].sort());
    expect(sameArrays(arrays, fresh, names)).toBe(true);
    expect(stateOf('scratch').cases).toEqual(['organs/a', 'organs/b', 'organs/c', 'organs/d']);
  });

  it('are the pre-trained ones but for the last layer, which is new; the heads of pre-training are left behind', async () => {
    const { last } = await run(await smokeFinetuneConfig(organs, ...stillStep), 'from-pretrained', {
      init: pretrained,
    });
    const [{ arrays }, { arrays: before }] = await Promise.all([weightsOf(last), weightsOf(pretrained)]);
    expect(Object.keys(before).filter((name) => !names.includes(name)).length).toBeGreaterThan(0);
    expect(Object.keys(arrays).sort()).toEqual([...names].sort());
    const kept = names.filter((name) => !isLast(name));
    expect(kept).toHaveLength(names.length - 2);
    expect(sameArrays(arrays, before, kept)).toBe(true);
    expect(sameArrays(arrays, fresh, names.filter(isLast))).toBe(true);
    expect(sameArrays(arrays, fresh, kept)).toBe(false);
  });

  it('stay in the encoder where its rate is 0, while the decoder learns', async () => {
    const steps = ['train.steps=2', 'train.warmupSteps=0', 'train.validateEvery=0', 'train.encoderRate=0'];
    const { last } = await run(await smokeFinetuneConfig(organs, ...steps), 'frozen', { init: pretrained });
    const [{ arrays }, { arrays: before }] = await Promise.all([weightsOf(last), weightsOf(pretrained)]);
    const [encoder, others] = [true, false].map((is) =>
      names.filter((name) => isEncoderParameter(network, name) === is),
    ) as [string[], string[]];
    expect(sameArrays(arrays, before, encoder)).toBe(true);
    // A bias before an instance norm has no gradient.
    for (const name of others)
      if (name in before && name.endsWith('.weight'))
        expect(sameArrays(arrays, before, [name]), name).toBe(false);
  });

  it.each([
    [
      'other widths',
      ['network.features=[8,8,8,16,32,8]'],
      /parameter .* has shape \[.*\], but the network's is \[.*\]: set network.features and/,
    ],
    ['no file', [], /none.safetensors/],
  ])('are refused in one sentence with %s', async (name, overrides, message) => {
    const init = name === 'no file' ? join(folder, 'none.safetensors') : pretrained;
    const error = await run(await smokeFinetuneConfig(organs, ...stillStep, ...overrides), `wrong-${name}`, {
      init,
    }).catch((thrown) => thrown);
    expect(error).toMatchObject({ exitCode: 3, message });
    expect(error.message).not.toContain('\n');
  });

  it('have their first layer repeated for scans of another number of channels, which the run folder says, and how the scans differ is told', async () => {
    const tumours = await prepareTumours(join(folder, 'channels'));
    const notes: string[] = [];
    await run(await smokeFinetuneConfig(tumours, ...stillStep), 'more-channels', {
      init: pretrained,
      progress: { onNote: (sentence) => notes.push(sentence) },
    });
    expect(notes.join('\n')).toMatch(
      /were trained on other scans \(.*intensity: the window \[.*\] HU there, "z-score.*" here\): features may not carry over/,
    );
    const { adapted } = JSON.parse(readFileSync(join(folder, 'more-channels', 'transfer.json'), 'utf8'));
    expect(adapted).toEqual([{ name: 'conv_0.conv_0.conv.weight', from: 1, to: 2 }]);
  });
});

describe('fine-tuning on a share of the cases', () => {
  it('trains on those that the seed draws', async () => {
    await run(await smokeFinetuneConfig(organs, ...stillStep, 'data.fraction=0.5'), 'half');
    const all = ['a', 'b', 'c', 'd'].map((name) => ({ id: `organs/${name}`, dataset: 'organs' }));
    expect(stateOf('half').cases).toEqual(drawnFraction(all, 0.5, 1));
    expect(stateOf('half').cases).toHaveLength(2);
  });
});

describe('fine-tuning on regions that overlap', () => {
  const regions = 'data.regions={WT: [1, 2, 4], TC: [1, 4], ET: [4]}';
  let tumours: string;
  beforeAll(async () => {
    tumours = await prepareTumours(join(folder, 'tumours'));
  });

  it('runs over several z-scored channels, with Dice + binary cross-entropy and Dice of each region', async () => {
    const length = ['train.steps=24', 'train.learningRate=5.0e-3', 'train.validateEvery=24'];
    const { last } = await run(await smokeFinetuneConfig(tumours, regions, ...length), 'regions');
    const lines = stepsOf('regions');
    expect(Object.keys(lines[0]!.losses).sort()).toEqual(['binaryCrossEntropy', 'dice']);
    expect(mean(lines.slice(-6).map(({ loss }) => loss))).toBeLessThan(
      mean(lines.slice(0, 6).map(({ loss }) => loss)),
    );
    const [{ validation }] = validationsOf('regions') as [ValidationLine];
    expect(Object.keys(validation)).toEqual(['dice', 'dice WT', 'dice TC', 'dice ET']);
    expect(validation['dice WT']!).toBeGreaterThan(0.3);
    const { metadata, arrays } = await weightsOf(last);
    expect(JSON.parse(metadata.scheme!)).toEqual({
      kind: 'regions',
      names: ['WT', 'TC', 'ET'],
      values: [[1, 2, 4], [1, 4], [4]],
    });
    expect(arrays['final_conv.weight']!.shape.slice(0, 2)).toEqual([3, 8]);
  });

  it('refuses a region of a value that is no class', async () => {
    const settings = await smokeFinetuneConfig(tumours, 'data.regions={WT: [1, 2, 3]}');
    await expect(run(settings, 'wrong-region')).rejects.toMatchObject({
      exitCode: 2,
      message: /data.regions.WT has the label value 3, but the dataset's are 1, 2, 4/,
    });
  });
});
