import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPreparedIndex } from '../../src/dataset/index.js';
import { type PretrainSettings, pretrain, readMetrics, type StepLine } from '../../src/training/index.js';
import { openRunFolder } from '../../src/training/run-folder.js';
import { longTests } from '../long-tests.js';
import { prepareSmokeData, smokePretrainConfig } from './smoke-data.js';

const folder = mkdtempSync(join(tmpdir(), 'pretrain-'));
let prepared: string;
beforeAll(async () => {
  prepared = await prepareSmokeData(folder);
});

const stepsOf = (run: string) => readMetrics(run).filter((line): line is StepLine => 'losses' in line);
const lossesOf = (run: string) =>
  stepsOf(run).map(({ step, loss, losses, lr, gradientNorm }) => ({ step, loss, losses, lr, gradientNorm }));
const weightsOf = (run: string) => readFileSync(join(run, 'checkpoints', 'last.safetensors'));
const run = (settings: PretrainSettings, out: string, extra: Partial<Parameters<typeof pretrain>[0]> = {}) =>
  pretrain({ settings, out, resume: false, progress: {}, ...extra });

type Uninterrupted = { readonly settings: PretrainSettings; readonly out: string };
const wholeRuns = new Map<string, Promise<Uninterrupted>>();

/** A run of 12 steps that nothing disturbed, checkpoints after every third; made once. */
function uninterrupted(precision: 'float32' | 'bfloat16'): Promise<Uninterrupted> {
  const make = async () => {
    const out = join(folder, `uninterrupted-${precision}`);
    const settings = await smokePretrainConfig(prepared, `precision=${precision}`, 'train.checkpointEvery=3');
    await run(settings, out);
    return { settings, out };
  };
  const whole = wholeRuns.get(precision) ?? make();
  wholeRuns.set(precision, whole);
  return whole;
}

describe('pre-training', () => {
  it('learns, logs, validates, keeps the best and leaves a whole run folder', async () => {
    const out = join(folder, 'whole');
    const seen: number[] = [];
    const pictures: number[] = [];
    const result = await run(
      await smokePretrainConfig(prepared, 'train.steps=24', 'train.warmupSteps=2'),
      out,
      {
        progress: {
          onStep: ({ step }) => seen.push(step),
          onCheckpoint: async (lines) => {
            pictures.push(lines.length);
          },
        },
      },
    );
    const lines = stepsOf(out);
    expect(seen).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    expect(Object.keys(lines[0]!.losses).sort()).toEqual([
      'consistency',
      'contrast',
      'location',
      'number',
      'reconstruction',
    ]);
    const mean = (values: StepLine[]) => values.reduce((sum, { loss }) => sum + loss, 0) / values.length;
    expect(mean(lines.slice(-6))).toBeLessThan(mean(lines.slice(0, 6)));
    expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual([
      'best.safetensors',
      'last.safetensors',
      'state.json',
      'step-20.json',
      'step-20.optimizer.safetensors',
      'step-20.safetensors',
      'step-24.json',
      'step-24.optimizer.safetensors',
      'step-24.safetensors',
    ]);
    expect(readdirSync(out).filter((name) => name.includes('tfevents'))).toHaveLength(1);
    expect(existsSync(join(out, 'config.yaml'))).toBe(true);
    expect(result.best?.step).toBeGreaterThan(0);
    expect(pictures).toHaveLength(6);
  });

  it('continues an interrupted run bit for bit', async () => {
    const { settings, out: whole } = await uninterrupted('float32');
    const out = join(folder, 'interrupted');
    const stop = new AbortController();
    const stopped = run(settings, out, {
      signal: stop.signal,
      progress: { onStep: ({ step }) => step === 7 && stop.abort() },
    });
    await expect(stopped).rejects.toMatchObject({
      exitCode: 130,
      message: /stopped after step 7 of 12, state saved/,
    });
    await run(settings, out, { resume: true });
    expect(lossesOf(out)).toEqual(lossesOf(whole));
    expect(weightsOf(out).equals(weightsOf(whole))).toBe(true);
  });

  it.each(longTests ? (['float32', 'bfloat16'] as const) : (['float32'] as const))(
    'continues bit for bit in %s after kill -9 at a random moment',
    async (precision) => {
      const { settings, out: whole } = await uninterrupted(precision);
      const out = join(folder, `killed-${precision}`);
      await killedRun(settings, out, 1 + Math.floor(Math.random() * 9));
      await run(settings, out, { resume: true });
      expect(lossesOf(out)).toEqual(lossesOf(whole));
      expect(weightsOf(out).equals(weightsOf(whole))).toBe(true);
    },
  );

  it('goes on bit for bit from the checkpoint before one that is torn, and names it', async () => {
    const { settings, out: whole } = await uninterrupted('float32');
    const out = join(folder, 'torn');
    const stop = new AbortController();
    const stopped = run(settings, out, {
      signal: stop.signal,
      progress: { onStep: ({ step }) => step === 8 && stop.abort() },
    });
    await expect(stopped).rejects.toMatchObject({ exitCode: 130 });
    const torn = join(out, 'checkpoints', 'step-8.optimizer.safetensors');
    const bytes = readFileSync(torn);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 64, bytes.length - 9);
    writeFileSync(torn, bytes);
    const notes: string[] = [];
    const starts: number[] = [];
    await run(settings, out, {
      resume: true,
      progress: {
        onNote: (sentence) => notes.push(sentence),
        onStart: ({ firstStep }) => starts.push(firstStep),
      },
    });
    expect(notes).toEqual([
      expect.stringMatching(
        /step-8.optimizer.safetensors is damaged: .*; going on from the checkpoint before it/,
      ),
    ]);
    expect(starts).toEqual([6]);
    expect(readFileSync(join(out, 'log.jsonl'), 'utf8')).toContain('going on from the checkpoint before it');
    expect(lossesOf(out)).toEqual(lossesOf(whole));
    expect(weightsOf(out).equals(weightsOf(whole))).toBe(true);
    for (const name of ['best.safetensors', 'step-9.safetensors', 'step-12.optimizer.safetensors'])
      expect(
        readFileSync(join(out, 'checkpoints', name)).equals(readFileSync(join(whole, 'checkpoints', name))),
      ).toBe(true);
  });

  it('is refused where its held-out batches are more than memory holds', async () => {
    const settings = await smokePretrainConfig(
      prepared,
      'train.batchSize=64',
      'train.validationBatches=10000',
    );
    await expect(run(settings, join(folder, 'many-batches'))).rejects.toMatchObject({
      exitCode: 2,
      message: /^train.validationBatches is 10000, which takes \d.* of memory, but .* is free: ask for fewer/,
      facts: { field: 'train.validationBatches' },
    });
  });

  it('goes on with another rate and for longer where that is allowed, but never for less than it has', async () => {
    const out = join(folder, 'changed');
    await run(await smokePretrainConfig(prepared, 'train.steps=4'), out);
    const changes = ['train.steps=6', 'train.learningRate=0.5', 'train.warmupSteps=0'];
    const longer = await smokePretrainConfig(prepared, ...changes);
    await expect(run(longer, out, { resume: true })).rejects.toMatchObject({ exitCode: 2 });
    const notes: string[] = [];
    const progress = { onNote: (sentence: string) => notes.push(sentence) };
    await run(longer, out, { resume: true, mayChange: true, progress });
    expect(notes).toContainEqual(expect.stringMatching(/^train.learningRate is 0.5 from here on, and was 0/));
    expect(stepsOf(out).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(stepsOf(out)[4]?.lr).toBeGreaterThan(0.01);
    const shorter = run(await smokePretrainConfig(prepared, 'train.steps=5'), out, {
      resume: true,
      mayChange: true,
    });
    await expect(shorter).rejects.toMatchObject({
      exitCode: 2,
      message: /has finished 6 steps, but 5 are asked for/,
    });
    expect(readFileSync(join(out, 'config.yaml'), 'utf8')).toMatch(/steps: 6/);
  });

  it('stops at a number that is not finite with the step, the losses and the crop, and keeps the last checkpoint', async () => {
    const out = join(folder, 'diverged');
    const failing = run(
      await smokePretrainConfig(
        prepared,
        'train.learningRate=1e30',
        'train.warmupSteps=0',
        'train.checkpointEvery=1',
      ),
      out,
    );
    const error = (await failing.catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toMatch(
      /^step \d+ gave a number that is not finite \(.*reconstruction .*\) on the crops ct\/[a-d] from voxel \[[\d,]+\]; ct\//,
    );
    expect(error).toMatchObject({ exitCode: 1 });
    expect(readdirSync(join(out, 'checkpoints'))).toContain('state.json');
  });
});

describe('a run folder', () => {
  let settings: PretrainSettings;
  const out = join(folder, 'guarded');
  beforeAll(async () => {
    settings = await smokePretrainConfig(prepared, 'train.steps=2');
    await run(settings, out);
  });
  /** The finished run of two steps, in a folder of its own. */
  const copied = (name: string) => {
    const copy = join(folder, name);
    cpSync(out, copy, { recursive: true });
    return copy;
  };

  it('is not overwritten, and not resumed with other settings', async () => {
    await expect(run(settings, out)).rejects.toMatchObject({
      exitCode: 2,
      message: /already holds a run: add --resume/,
    });
    const other = await smokePretrainConfig(prepared, 'train.steps=2', 'method.maskRatio=0.5');
    await expect(run(other, out, { resume: true })).rejects.toMatchObject({
      exitCode: 2,
      message: /config.yaml says method.maskRatio 0.4, but 0.5 is asked for/,
    });
    await expect(run(settings, join(folder, 'nothing'), { resume: true })).rejects.toMatchObject({
      exitCode: 2,
      message: /holds no run to resume/,
    });
    await run(await smokePretrainConfig(prepared, 'train.steps=2', 'data.workers=2'), out, { resume: true }); // complete: nothing to do
    expect(stepsOf(out)).toHaveLength(2);
  });

  it('goes on from before a setting was there, as what the run did then, and says where the new default differs', async () => {
    const older = join(folder, 'older');
    const as = (...features: string[]) =>
      smokePretrainConfig(prepared, 'train.steps=2', ...features.map((value) => `method.${value}`));
    await run(await as('subVolumeFeatures=mean', 'contrastFeatures=mean'), older);
    const file = join(older, 'config.yaml');
    const text = readFileSync(file, 'utf8').replace(
      /^ {2}(subVolumeFeatures|contrastFeatures|mask|output): .*\n/gm,
      '',
    );
    writeFileSync(file, text.replace(/^ {2}pools:\n( {4}- 2\n){4}/m, ''));
    expect(readFileSync(file, 'utf8')).not.toMatch(/pools|Features|mask:|output:/);
    await run(await as('subVolumeFeatures=mean', 'contrastFeatures=mean'), older, { resume: true });
    await expect(run(await as(), older, { resume: true })).rejects.toThrow(
      /config.yaml says method.(subVolume|contrast)Features "mean", but "(cells|octants)" is asked for/,
    );
  });

  it('says that a checkpoint is damaged', async () => {
    const damaged = copied('damaged');
    writeFileSync(join(damaged, 'checkpoints', 'step-2.safetensors'), 'x');
    await expect(run(settings, damaged, { resume: true })).rejects.toMatchObject({
      exitCode: 3,
      message: /step-2.safetensors is damaged/,
    });
  });

  it('belongs to one process at a time', async () => {
    const locked = join(folder, 'locked');
    const first = await openRunFolder(locked, { seed: 1 }, false);
    const second = openRunFolder(locked, { seed: 1 }, true);
    await first.release();
    await (await second).release(); // it waited for the first
  });

  it('refuses to resume on other cases', async () => {
    const { cases } = await readPreparedIndex(prepared);
    expect(cases).toHaveLength(6);
    const other = join(folder, 'fewer-cases');
    cpSync(prepared, other, { recursive: true });
    const index = JSON.parse(readFileSync(join(other, 'index.json'), 'utf8')) as { cases: object[] };
    writeFileSync(join(other, 'index.json'), JSON.stringify({ ...index, cases: index.cases.slice(1) }));
    const fewer = { ...settings, data: { ...settings.data, prepared: other } };
    await expect(run(fewer, copied('cases'), { resume: true })).rejects.toMatchObject({
      exitCode: 3,
      message: /was made from \d cases \(.*, but the prepared folder now gives \d/,
    });
  });
});

/** Runs pre-training in a process of its own and kills it with SIGKILL some milliseconds after step `after`. */
async function killedRun(settings: PretrainSettings, out: string, after: number): Promise<void> {
  const entry = pathToFileURL(join('dist', 'training', 'index.js')).href;
  const code = `import { pretrain } from ${JSON.stringify(entry)};
    await pretrain({ settings: ${JSON.stringify(settings)}, out: ${JSON.stringify(out)}, resume: false,
      progress: { onStep: ({ step }) => console.log(step) } });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (Number(chunk.toString().trim().split('\n').at(-1)) >= after)
        setTimeout(() => child.kill('SIGKILL'), Math.random() * 50);
    });
    child.on('exit', (_, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error('the run ended before it was killed')),
    );
  });
}
