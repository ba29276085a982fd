import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NamedArrays } from '../../src/engine/index.js';
import { convolution, initialiseParameters, readSafetensors } from '../../src/network/index.js';
import { zeroMoments } from '../../src/training/adamw.js';
import {
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

  it('takes the place of the one before, and clears what a killed run left of another', async () => {
    await save(2);
    writeFileSync(file('step-3.safetensors'), 'half of a checkpoint that state.json never named');
    expect(await load()).toEqual(valuesAt(2));
    await saveBest(run, valuesAt(2), specs, { step: '2' });
    await save(4);
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual([
      'best.safetensors',
      'last.safetensors',
      'state.json',
      'step-4.optimizer.safetensors',
      'step-4.safetensors',
    ]);
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
