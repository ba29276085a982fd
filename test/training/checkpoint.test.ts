import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NamedArrays } from '../../src/engine/index.js';
import { convolution, initialiseParameters, readSafetensors } from '../../src/network/index.js';
import { zeroMoments } from '../../src/training/adamw.js';
import {
  dropLaterCheckpoints,
  findCheckpoint,
  finishCheckpoint,
  loadCheckpoint,
  type RunFacts,
  readRunState,
  saveBest,
  saveCheckpoint,
} from '../../src/training/checkpoint.js';

let run: string;
beforeEach(async () => {
  run = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  await mkdir(join(run, 'checkpoints'));
});
afterEach(() => rmSync(run, { recursive: true, force: true }));

const specs = convolution('conv', 3, 2, 4);
/** Parameters and moments that differ from step to step. */
const valuesAt = (step: number): NamedArrays => {
  const moments = Object.entries(zeroMoments(specs)).map(([name, { shape, data }]) => [
    name,
    { shape, data: data.map((_, i) => step + i / 8) },
  ]);
  return { ...initialiseParameters(specs, step), ...Object.fromEntries(moments) };
};
const facts = (step: number): RunFacts => ({
  step,
  seed: 3,
  schedule: { steps: 9, warmupSteps: 2, peak: 0.1 },
  cases: ['ct/a', 'ct/b'],
  best: { step: 1, value: 0.5 },
});
const save = (step: number) => {
  const read = async (names: readonly string[]): Promise<NamedArrays> =>
    Object.fromEntries(names.map((name) => [name, valuesAt(step)[name]!]));
  return saveCheckpoint(run, facts(step), read, specs, { producer: 'test' });
};
const file = (name: string) => join(run, 'checkpoints', name);
const load = async () => loadCheckpoint(run, (await readRunState(run))!, specs);

describe('a checkpoint', () => {
  it('gives back every parameter, every moment and the facts of the run', async () => {
    expect(await readRunState(run)).toBeUndefined();
    await save(4);
    expect(await readRunState(run)).toMatchObject({ schema: 1, ...facts(4) });
    const loaded = await load();
    const saved = valuesAt(4);
    expect(Object.keys(loaded).sort()).toEqual(Object.keys(saved).sort());
    expect(loaded).toEqual(saved);
  });

  it('holds the weights in the layout of PyTorch, with the step', async () => {
    await save(4);
    const { arrays, metadata } = await readSafetensors(file('last.safetensors'));
    expect(Object.keys(arrays)).toEqual(['conv.weight', 'conv.bias']);
    expect(arrays['conv.weight']!.shape).toEqual([4, 2, 3, 3, 3]);
    expect(metadata).toEqual({ producer: 'test', step: '4', axisOrder: 'xyz' });
  });

  it('shares no file with another: last and best weights are whole by themselves', async () => {
    await save(4);
    await saveBest(run, valuesAt(4), specs, { step: '4' });
    for (const name of readdirSync(join(run, 'checkpoints')))
      expect([name, statSync(file(name)).nlink]).toEqual([name, 1]);
    writeFileSync(file('step-4.safetensors'), 'spoilt');
    for (const name of ['last', 'best'])
      expect((await readSafetensors(file(`${name}.safetensors`))).arrays).toHaveProperty(['conv.weight']);
  });

  it('stands beside the one before, and clears what is older and what a killed run left of another', async () => {
    await save(1);
    await save(2);
    writeFileSync(file('step-3.safetensors'), 'half of a checkpoint that state.json never named');
    expect(await load()).toEqual(valuesAt(2));
    await saveBest(run, valuesAt(2), specs, { step: '2' });
    await save(4);
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual([
      'best.safetensors',
      'last.safetensors',
      'state.json',
      'step-2.json',
      'step-2.optimizer.safetensors',
      'step-2.safetensors',
      'step-4.json',
      'step-4.optimizer.safetensors',
      'step-4.safetensors',
    ]);
    const { ino } = statSync(file('last.safetensors'));
    expect(ino).not.toBe(statSync(file('step-4.safetensors')).ino); // whole by itself
    expect(readFileSync(file('last.safetensors')).equals(readFileSync(file('step-4.safetensors')))).toBe(
      true,
    );
    expect(await load()).toEqual(valuesAt(4));
    expect((await readSafetensors(file('best.safetensors'))).metadata.step).toBe('2');
  });

  it('clears weights that a killed run left half written', async () => {
    writeFileSync(file('best.safetensors.4f1c.partial'), 'half');
    await save(2);
    expect(readdirSync(join(run, 'checkpoints')).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('is the one before as long as state.json has not been replaced', async () => {
    await save(2);
    const state = readFileSync(file('state.json'));
    const kept = ['step-2.safetensors', 'step-2.optimizer.safetensors'].map(
      (name) => [name, readFileSync(file(name))] as const,
    );
    await save(4);
    for (const [name, bytes] of [...kept, ['state.json', state] as const]) writeFileSync(file(name), bytes); // as before its last step
    expect(await load()).toEqual(valuesAt(2));
  });

  it.each([
    [
      'a file that changed',
      () => writeFileSync(file('step-2.safetensors'), 'x'),
      /step-2.safetensors is damaged: its checksum is not the one in state.json/,
    ],
    [
      'a file cut off',
      () => truncateSync(file('step-2.optimizer.safetensors'), 100),
      /step-2.optimizer.safetensors is damaged/,
    ],
    [
      'a file that is gone',
      () => rmSync(file('step-2.safetensors')),
      /step-2.safetensors cannot be read \(ENOENT\): begin the run again/,
    ],
    [
      'a state that is cut off',
      () => truncateSync(file('state.json'), 30),
      /state.json is damaged .*: begin the run again in another folder/,
    ],
    [
      'a state of another version',
      () => writeFileSync(file('state.json'), '{"schema": 2}'),
      /state.json is damaged \(schema\)/,
    ],
  ])('is refused with %s', async (_, damage, message) => {
    await save(2);
    damage();
    await expect(load()).rejects.toMatchObject({ exitCode: 3, message });
  });
});

/** Turns one bit in the middle of a file. */
function turnBit(name: string, place = Math.floor(statSync(file(name)).size / 2)): void {
  const bytes = readFileSync(file(name));
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  writeFileSync(file(name), bytes);
}

describe('what others read of a checkpoint', () => {
  const copies = ['last.safetensors', 'state.json'];
  it.each([
    ['is missing', () => copies.map((name) => rmSync(file(name)))],
    ['is damaged', () => copies.map((name) => truncateSync(file(name), 30))],
    [
      'is that of the one before, since the run ended after the record',
      async () => {
        const before = copies.map((name) => [name, readFileSync(file(name))] as const);
        await save(4);
        for (const [name, bytes] of before) writeFileSync(file(name), bytes);
      },
    ],
  ])('is written anew where it %s', async (_, spoil) => {
    await save(3);
    await spoil();
    const { state } = await findCheckpoint(run);
    if (!state) throw new Error('there is a checkpoint');
    await finishCheckpoint(run, state);
    expect(await readRunState(run)).toEqual(state);
    const weights = file(`step-${state.step}.safetensors`);
    expect(readFileSync(file('last.safetensors')).equals(readFileSync(weights))).toBe(true);
    const { mtimeMs } = statSync(file('last.safetensors'));
    await finishCheckpoint(run, state);
    expect(statSync(file('last.safetensors')).mtimeMs).toBe(mtimeMs);
  });

  it('goes with what is older, also where the run ended before it was removed', async () => {
    await save(1);
    const old = readdirSync(join(run, 'checkpoints')).filter((name) => name.startsWith('step-1.'));
    const bytes = old.map((name) => [name, readFileSync(file(name))] as const);
    await save(2);
    await save(3);
    for (const [name, content] of bytes) writeFileSync(file(name), content);
    const { state } = await findCheckpoint(run);
    if (state) await finishCheckpoint(run, state);
    const steps = new Set(readdirSync(join(run, 'checkpoints')).map((name) => /^step-\d/.exec(name)?.[0]));
    expect([...steps].filter(Boolean).sort()).toEqual(['step-2', 'step-3']);
  });

  it('stays as it is where nothing is wrong with it', async () => {
    await save(3);
    const times = () => copies.map((name) => statSync(file(name)).mtimeMs);
    const before = times();
    const { state } = await findCheckpoint(run);
    if (state) await finishCheckpoint(run, state);
    expect(times()).toEqual(before);
  });
});

describe('the latest checkpoint that is whole', () => {
  it('is none before the first, and the latest where all are', async () => {
    expect(await findCheckpoint(run)).toEqual({ state: undefined, torn: [] });
    await save(2);
    await save(4);
    expect(await findCheckpoint(run)).toMatchObject({ state: facts(4), torn: [] });
  });

  it.each([
    ['its weights', () => turnBit('step-4.safetensors'), /step-4.safetensors is damaged: its checksum/],
    ['its moments', () => turnBit('step-4.optimizer.safetensors'), /step-4.optimizer.safetensors is damaged/],
    ['its record', () => turnBit('step-4.json'), /step-4.json is damaged/],
    [
      'a number of its record',
      () => turnBit('step-4.json', readFileSync(file('step-4.json'), 'utf8').indexOf('"value": 0.5') + 11),
      /step-4.json is damaged: its checksum is not that of what it says/,
    ],
    ['its record cut off', () => truncateSync(file('step-4.json'), 100), /step-4.json is damaged/],
    ['its weights gone', () => rmSync(file('step-4.safetensors')), /step-4.safetensors cannot be read/],
  ])('is the one before with a bit turned in %s, which is named', async (_, damage, sentence) => {
    await save(2);
    await save(4);
    damage();
    const { state, torn } = await findCheckpoint(run);
    expect(state).toMatchObject(facts(2));
    expect(torn).toEqual([expect.stringMatching(sentence)]);
    expect(await loadCheckpoint(run, state!, specs)).toEqual(valuesAt(2));
    // The one that goes on from there keeps it, however late the next one comes.
    await dropLaterCheckpoints(run, 2);
    await save(6);
    turnBit('step-6.safetensors');
    expect((await findCheckpoint(run)).state?.step).toBe(2);
  });

  it('is refused in one sentence where none is whole', async () => {
    await save(2);
    await save(4);
    turnBit('step-2.safetensors');
    turnBit('step-4.safetensors');
    await expect(findCheckpoint(run)).rejects.toMatchObject({
      exitCode: 3,
      message:
        /^no checkpoint of .* is whole: .*step-4.safetensors is damaged.*; .*step-2.safetensors is damaged/,
    });
  });

  it('is that of a run of an earlier version, which kept one', async () => {
    await save(2);
    rmSync(file('step-2.json'));
    expect((await findCheckpoint(run)).state).toMatchObject(facts(2));
    await save(4);
    turnBit('step-4.safetensors');
    rmSync(file('step-4.json'));
    expect(readdirSync(join(run, 'checkpoints'))).toContain('step-2.safetensors');
  });

  it('stays where the next one has a number that is not finite', async () => {
    await save(2);
    const broken = (names: readonly string[]): Promise<NamedArrays> => {
      const values = valuesAt(4);
      values['conv.bias']!.data[1] = Number.NaN;
      return Promise.resolve(Object.fromEntries(names.map((name) => [name, values[name]!])));
    };
    const before = readdirSync(join(run, 'checkpoints'));
    const saved = saveCheckpoint(run, facts(4), broken, specs, {});
    await expect(saved).rejects.toMatchObject({
      exitCode: 1,
      message: /after step 4 the parameter conv.bias holds NaN, .*: lower train.learningRate/,
    });
    await expect(
      saveBest(run, await broken(['conv.bias', 'conv.weight']), specs, { step: '4' }),
    ).rejects.toThrow(/after step 4 the parameter conv.bias holds NaN/);
    expect(readdirSync(join(run, 'checkpoints'))).toEqual(before);
    expect(await load()).toEqual(valuesAt(2));
  });
});
