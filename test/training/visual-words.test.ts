import { existsSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, pretrainConfig } from '../../src/config/index.js';
import { randomStream } from '../../src/random/streams.js';
import { type PretrainSettings, pretrain, readMetrics } from '../../src/training/index.js';
import { chooseWords, type Patient, type VisualWord } from '../../src/training/visual-words/choose-words.js';
import { shrink } from '../../src/training/visual-words/shrunken-scans.js';
import { longTests } from '../long-tests.js';
import { prepareSmokeData } from './smoke-data.js';

const stream = (seed = 0) => randomStream(seed, 'word');
const cropSize = [20, 20, 20] as const;

/** Patients on a line: the distance of two is the difference of their numbers. */
const patients = (count: number, prefix = 'p', offset = 0): Patient[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `${prefix}${i}`,
    size: [40 + i, 50, 60],
    feature: Float32Array.of(i + offset, 1),
  }));

describe('choosing visual words', () => {
  const own = patients(10);
  const heldOut = patients(3, 'h', 0.25);
  const words = chooseWords(own, heldOut, { words: 25, instances: 4, cropSize }, stream(), () => true);

  it('takes the nearest patients by feature, the reference first, and held-out ones likewise', () => {
    for (const { reference, instances, heldOut: others } of words) {
      const place = Number(reference.slice(1));
      const byDistance = own
        .map(({ id }, i) => ({ id, away: Math.abs(i - place) }))
        .sort((a, b) => a.away - b.away);
      expect(instances.map(({ caseId }) => caseId)).toEqual(byDistance.slice(0, 4).map(({ id }) => id));
      expect(instances[0]!.caseId).toBe(reference);
      expect(others).toHaveLength(3);
      expect(others[0]!.caseId).toBe(
        heldOut
          .map(({ id }, i) => ({ id, away: Math.abs(i + 0.25 - place) }))
          .sort((a, b) => a.away - b.away)[0]!.id,
      );
    }
  });

  it('draws every patient for a reference before any comes again', () => {
    const references = words.map(({ reference }) => reference);
    expect(new Set(references.slice(0, 10)).size).toBe(10);
    expect(new Set(references.slice(10, 20)).size).toBe(10);
  });

  it('cuts the same share of the way along each axis from every patient, inside the scan', () => {
    for (const { instances } of words) {
      for (const { caseId, start } of instances) {
        const { size } = own.find(({ id }) => id === caseId)!;
        for (const axis of [0, 1, 2] as const) {
          expect(start[axis]).toBeGreaterThanOrEqual(0);
          expect(start[axis] + cropSize[axis]).toBeLessThanOrEqual(size[axis]);
          const share = (at: number, of: number) => at / (of - cropSize[axis] + 1);
          const first = instances[0]!;
          const firstSize = own.find(({ id }) => id === first.caseId)!.size[axis];
          expect(Math.abs(share(start[axis], size[axis]) - share(first.start[axis], firstSize))).toBeLessThan(
            1 / 20,
          );
        }
      }
    }
  });

  it('puts a scan that is smaller than the crop into its middle', () => {
    const [word] = chooseWords(
      [{ id: 'small', size: [10, 30, 19], feature: Float32Array.of(0) }],
      [],
      { words: 1, instances: 1, cropSize },
      stream(),
      () => true,
    );
    expect([word!.instances[0]!.start[0], word!.instances[0]!.start[2]]).toEqual([-5, 0]);
  });

  it('asks for body, keeps words of one reference apart, and is the same for the same stream', () => {
    const lower = chooseWords(
      patients(1),
      [],
      { words: 6, instances: 1, cropSize },
      stream(),
      (_, start) => start[2] < 20,
    );
    const starts = lower.map(({ instances }) => instances[0]!.start);
    for (const [i, start] of starts.entries()) {
      expect(start[2]).toBeLessThan(20);
      for (const other of starts.slice(0, i))
        expect(Math.hypot(...start.map((at, axis) => at - other[axis]!))).toBeGreaterThanOrEqual(5);
    }
    expect(chooseWords(own, heldOut, { words: 25, instances: 4, cropSize }, stream(), () => true)).toEqual(
      words,
    );
    expect(
      chooseWords(own, heldOut, { words: 25, instances: 4, cropSize }, stream(1), () => true),
    ).not.toEqual(words);
  });
});

describe('a shrunken scan', () => {
  it('has the mean of what each voxel covers, for sizes that do not divide and for smaller ones', () => {
    const ramp = (nx: number, ny: number, nz: number, c = 1) =>
      Float32Array.from({ length: nx * ny * nz * c }, (_, i) => (i % nx) / (nx - 1));
    const half = shrink(ramp(8, 8, 8), [8, 8, 8], 1, 4);
    expect(Array.from(half.subarray(0, 4))).toEqual(
      [0.5, 2.5, 4.5, 6.5].map((value) => Math.round((255 * value) / 7)),
    );
    expect(shrink(ramp(7, 9, 5, 2), [7, 9, 5], 2, 3)).toHaveLength(54);
    expect(Array.from(shrink(ramp(2, 1, 1), [2, 1, 1], 1, 4).subarray(0, 4))).toEqual([0, 0, 255, 255]);
  });
});

describe('pre-training by TransVW', () => {
  const folder = mkdtempSync(join(tmpdir(), 'transvw-'));
  let prepared: string;
  beforeAll(async () => {
    prepared = await prepareSmokeData(folder);
  });
  const method =
    '{name: transvw, words: 3, instances: 4, wordWeight: 0.1, autoEncoder: {side: 16, steps: 6, batchSize: 2, learningRate: 1.0e-3}}';
  const settings = (...overrides: string[]): Promise<PretrainSettings> =>
    loadConfig(pretrainConfig, 'configs/smoke/pretrain.yaml', [
      `data.prepared=${JSON.stringify(prepared)}`,
      'train.threads=1', // two test files run side by side
      `method=${method}`,
      ...overrides,
    ]);
  const run = async (
    out: string,
    extra: Partial<Parameters<typeof pretrain>[0]> = {},
    ...overrides: string[]
  ) =>
    pretrain({
      settings: await settings(...overrides),
      out: join(folder, out),
      resume: false,
      progress: {},
      ...extra,
    });
  const lossesOf = (out: string) =>
    readMetrics(join(folder, out)).flatMap((line) => ('loss' in line ? [line.losses] : []));
  const wordsOf = (out: string) => join(folder, out, 'words', 'words.json');

  it('finds its words, learns to restore and to tell them, and validates on held-out patients', async () => {
    await run('whole', {}, 'train.steps=40', 'train.learningRate=3.0e-3', 'train.validateEvery=20');
    const { words } = JSON.parse(readFileSync(wordsOf('whole'), 'utf8')) as { words: VisualWord[] };
    expect(words.map(({ instances, heldOut }) => [instances.length, heldOut.length])).toEqual([
      [4, 2],
      [4, 2],
      [4, 2],
    ]);
    const losses = lossesOf('whole');
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    for (const name of ['reconstruction', 'word']) {
      const series = losses.map((terms) => terms[name]!);
      expect(mean(series.slice(-8))).toBeLessThan(mean(series.slice(0, 8)));
    }
    expect(readMetrics(join(folder, 'whole')).filter((line) => 'validation' in line)).toHaveLength(2);
  });

  it.runIf(longTests)(
    'resumes its preparation and its training, keeps words that are found, and ends bit for bit the same',
    async () => {
      const quick = ['train.validateEvery=0'];
      await run('uninterrupted', {}, ...quick);
      const stop = new AbortController();
      const inPreparation = run(
        'stopped',
        { signal: stop.signal, progress: { onStep: ({ step }) => step === 3 && stop.abort() } },
        ...quick,
      );
      await expect(inPreparation).rejects.toMatchObject({ exitCode: 130 });
      expect([existsSync(wordsOf('stopped')), existsSync(join(folder, 'stopped', 'config.yaml'))]).toEqual([
        false,
        false,
      ]);
      const again = new AbortController();
      const inTraining = run(
        'stopped',
        {
          signal: again.signal,
          progress: { onStep: ({ step }, steps) => steps === 12 && step === 5 && again.abort() },
        },
        ...quick,
      );
      await expect(inTraining).rejects.toMatchObject({ exitCode: 130 });
      const found = statSync(wordsOf('stopped')).mtimeMs;
      await run('stopped', { resume: true }, ...quick);
      expect(statSync(wordsOf('stopped')).mtimeMs).toBe(found);
      expect(readFileSync(wordsOf('stopped'), 'utf8')).toBe(readFileSync(wordsOf('uninterrupted'), 'utf8'));
      expect(lossesOf('stopped')).toEqual(lossesOf('uninterrupted'));
      const weights = (out: string) => readFileSync(join(folder, out, 'checkpoints', 'last.safetensors'));
      expect(weights('stopped').equals(weights('uninterrupted'))).toBe(true);
    },
    240_000,
  );
});
