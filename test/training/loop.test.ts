import { describe, expect, it } from 'vitest';
import type { CropBatch } from '../../src/dataset/index.js';
import { runTrainingLoop, type TrainingLoop } from '../../src/training/loop.js';
import type { MetricsLine } from '../../src/training/metrics-log.js';
import { allReplicas } from '../../src/training/replicas.js';

/** A loop whose step costs nothing: what happened when is written to `told`. `scores` are those of the validations, in order. */
function loopOf(
  scores: readonly number[],
  extra: Partial<TrainingLoop> & { readonly totals?: readonly number[]; readonly lines?: MetricsLine[] } = {},
) {
  const told: string[] = [];
  const { totals, lines = [], ...replaced } = extra;
  const left = [...scores];
  const tell = (what: string) => async (step: number) => {
    told.push(`${what} ${step}`);
  };
  const batch: CropBatch = {
    images: new Float32Array(1),
    provenance: [{ caseId: 'ct/a', start: [1, 2, 3] }],
    waitSeconds: 0,
  };
  const loop: TrainingLoop = {
    firstStep: 0,
    schedule: { steps: 8, warmupSteps: 0, peak: 1 },
    seed: 0,
    train: {
      run: async ({ learningRate }) => {
        const step = told.filter((event) => event.startsWith('step')).length;
        told.push(`step ${loop.firstStep + step + 1}`);
        return {
          total: Float32Array.of(totals?.[step] ?? 1),
          gradientNorm: Float32Array.of(learningRate![0]!),
        };
      },
    },
    loader: { cases: [], channels: 1, batch: async () => batch, close: async () => {} },
    replicas: allReplicas(1),
    inputsOf: () => ({}),
    validateEvery: 2,
    validate: async () => {
      const score = left.shift()!;
      told.push('validation');
      return { values: { dice: score }, score };
    },
    best: null,
    saveBest: tell('best'),
    checkpointEvery: 4,
    notFiniteSteps: 0,
    checkpoint: tell('checkpoint'),
    metrics: { append: (line) => lines.push(line), picture: () => {}, lines: () => lines, flush: () => {} },
    progress: {},
    ...replaced,
  };
  return { loop, told, lines };
}

describe('the training loop', () => {
  it('validates and checkpoints when it is due and at the end, and saves the best weights only when they are better', async () => {
    const { loop, told } = loopOf([0.3, 0.7, 0.7, 0.5]);
    await runTrainingLoop(loop);
    expect(told).toEqual([
      ...[
        'step 1',
        'step 2',
        'validation',
        'best 2',
        'step 3',
        'step 4',
        'validation',
        'best 4',
        'checkpoint 4',
      ],
      ...['step 5', 'step 6', 'validation', 'step 7', 'step 8', 'validation', 'checkpoint 8'],
    ]);
    expect(loop.best).toEqual({ step: 4, value: 0.7 });
  });

  it('validates and checkpoints at the end also where that is no multiple', async () => {
    const { loop, told } = loopOf([0.1], {
      validateEvery: 5,
      checkpointEvery: 5,
      schedule: { steps: 3, warmupSteps: 0, peak: 1 },
    });
    await runTrainingLoop(loop);
    expect(told).toEqual(['step 1', 'step 2', 'step 3', 'validation', 'best 3', 'checkpoint 3']);
  });

  it('stops after the step at hand with its state saved, leaves a validation that is due, and makes up for it when resumed', async () => {
    const stop = new AbortController();
    const first = loopOf([0.3], {
      signal: stop.signal,
      progress: { onStep: ({ step }) => step === 4 && stop.abort() },
    });
    await expect(runTrainingLoop(first.loop)).rejects.toThrow(
      'stopped after step 4 of 8, state saved: continue with the same command and --resume',
    );
    expect(first.told.slice(-2)).toEqual(['step 4', 'checkpoint 4']);
    const second = loopOf([0.7, 0.2, 0.9], { firstStep: 4, best: first.loop.best, lines: [...first.lines] });
    await runTrainingLoop(second.loop);
    expect(second.told.slice(0, 4)).toEqual(['validation', 'best 4', 'checkpoint 4', 'step 5']);
    const validated = second.lines.flatMap((line) => ('validation' in line ? [line.step] : []));
    expect(validated).toEqual([2, 4, 6, 8]);
    const third = loopOf([0.2, 0.9], { firstStep: 4, lines: second.lines.filter(({ step }) => step <= 4) }); // it was made up for
    await runTrainingLoop(third.loop);
    expect(third.told[0]).toBe('step 5');
  });

  it('does nothing for a run that is complete', async () => {
    const { loop, told } = loopOf([], { firstStep: 8 });
    await runTrainingLoop(loop);
    expect(told).toEqual([]);
  });

  it.each([
    [
      'a loss',
      { totals: [1, Number.NaN] },
      [0.1],
      /^step 2 gave a number that is not finite \(total NaN, gradientNorm .*\) on the crops ct\/a from voxel/,
    ],
    [
      'a validation',
      {},
      [Number.NaN],
      /^the validation after step 2 gave a number that is not finite: lower train.learningRate, then resume/,
    ],
  ])('stops at %s that is no number, before it is saved', async (_, extra, scores, message) => {
    const { loop, told } = loopOf(scores, { ...extra, checkpointEvery: 1 });
    await expect(runTrainingLoop(loop)).rejects.toMatchObject({ exitCode: 1, message });
    expect(told.filter((event) => /best|checkpoint/.test(event))).toEqual(['checkpoint 1']);
  });

  it('passes over as many steps in a row that are not finite as it may, names them and keeps them out of the metrics', async () => {
    const notes: string[] = [];
    const totals = [1, Number.NaN, Number.NaN, 1, Number.POSITIVE_INFINITY, 1, 1, 1];
    const progress = { onNote: (sentence: string) => notes.push(sentence) };
    const { loop, told, lines } = loopOf([0.1, 0.2, 0.3, 0.4], { totals, notFiniteSteps: 2, progress });
    await runTrainingLoop(loop);
    expect(told.filter((event) => /checkpoint/.test(event))).toEqual(['checkpoint 4', 'checkpoint 8']);
    expect(lines.flatMap((line) => ('loss' in line ? [line.step] : []))).toEqual([1, 4, 6, 7, 8]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^step 2 .*total NaN.* on the crops ct\/a .*: it is passed over, 1 of at most 2 in a row$/,
      ),
      expect.stringMatching(/^step 3 .* 2 of at most 2/),
      expect.stringMatching(/^step 5 .*total Infinity.* 1 of at most 2/),
    ]);
    const third = loopOf([0.1, 0.2], { totals: [1, ...Array(7).fill(Number.NaN)], notFiniteSteps: 2 });
    await expect(runTrainingLoop(third.loop)).rejects.toThrow(
      /^step 4 .*, after 2 others in a row: look at these scans/,
    );
    expect(third.told.filter((event) => /checkpoint/.test(event))).toEqual([]);
  });

  it('feeds the learning rate of the schedule, and tells it with the step', async () => {
    const { loop, lines } = loopOf([], {
      validateEvery: 0,
      schedule: { steps: 4, warmupSteps: 2, peak: 0.5 },
    });
    await runTrainingLoop(loop);
    expect(lines.map((line) => 'lr' in line && [line.step, line.lr])).toEqual([
      [1, 0.25],
      [2, 0.5],
      [3, 0.5],
      [4, 0.25],
    ]);
    expect(lines.map((line) => 'lr' in line && line.gradientNorm)).toEqual([0.25, 0.5, 0.5, 0.25]);
  });
});
