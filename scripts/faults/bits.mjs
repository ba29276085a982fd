import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { HybridMimError } from '../../dist/errors.js';
import { readSafetensors } from '../../dist/network/index.js';
import { randomStream } from '../../dist/random/streams.js';
import { findCheckpoint } from '../../dist/training/checkpoint.js';
import { commands } from './commands.mjs';
import { againArgs, contentOf, differenceOf, makeWorld, run } from './world.mjs';

/**
 * Turns bits of each file of a run's checkpoints in turn, `count` of each: whoever opens the run must refuse the file
 * or get what was written. With one bit of each file turned, the run goes on by the command line and must end as an
 * undisturbed one does.
 * @param steps of the run; its last two checkpoints are no more than ten steps apart
 */
export async function bits({ count, seed, steps = 6, onProgress = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-bits-'));
  const rows = [];
  try {
    const { truth } = await makeWorld(folder, ['prepare']);
    const run0 = join(truth, 'finetune');
    const every = steps > 20 ? (steps - 10) / 2 : 2;
    const settings = [
      `train.steps=${steps}`,
      `train.checkpointEvery=${every}`,
      `train.validateEvery=${every}`,
      'train.batchSize=1',
      'data.cropSize=[8,8,8]',
      'network.pools=[2,2,1,1]',
    ].flatMap((set) => ['--set', set]);
    const training = {
      ...commands.finetune,
      args: (...at) => [...commands.finetune.args(...at), ...settings],
    };
    const made = await run(training.args(folder, run0));
    if (made.code !== 0) throw new Error(`the run of ${steps} steps ended with ${made.code}: ${made.stderr}`);
    onProgress({ steps, faults: [] });
    const names = readdirSync(join(run0, 'checkpoints'));
    const last = (await findCheckpoint(run0)).state;
    const weights = Object.fromEntries(
      await Promise.all(
        ['best', 'last'].map(async (name) => [
          `${name}.safetensors`,
          await readSafetensors(join(run0, 'checkpoints', `${name}.safetensors`)),
        ]),
      ),
    );
    const spoiltRun = join(folder, 'round', 'finetune');
    for (const [f, name] of names.entries()) {
      const row = {
        file: name,
        bits: 0,
        refused: 0,
        same: 0,
        resumed: 0,
        faults: [],
      };
      rows.push(row);
      const fault = (bit, why) => row.faults.push({ file: name, bit, why });
      cpSync(run0, spoiltRun, { recursive: true });
      const file = join(spoiltRun, 'checkpoints', name);
      const whole = readFileSync(file);
      for (let i = 0; i < count; i++) {
        const bit = randomStream(seed, 'phantom', f, i).integer(8 * whole.length);
        const bytes = Buffer.from(whole);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        writeFileSync(file, bytes);
        row.bits++;
        try {
          if (name in weights) {
            if (!isDeepStrictEqual(await readSafetensors(file), weights[name]))
              fault(bit, 'other weights are taken');
            row.same++;
          } else {
            const { state, torn } = await findCheckpoint(spoiltRun);
            if (state.step === steps) {
              if (!isDeepStrictEqual(state, last)) fault(bit, 'another state is taken');
              row.same++;
            } else {
              if (torn.length !== 1 || !torn[0].includes(name.replace(/(step-\d+).*/, '$1')))
                fault(bit, `goes on from step ${state.step}: ${torn}`);
              row.refused++;
            }
          }
        } catch (error) {
          if (!(error instanceof HybridMimError)) fault(bit, error.stack);
          row.refused++;
        }
      }
      const bytes = Buffer.from(whole);
      bytes[whole.length >> 1] ^= 16;
      writeFileSync(file, bytes);
      const resumed = await run(againArgs(training, folder, spoiltRun));
      row.resumed++;
      if (resumed.code !== 0) fault('the middle', `--resume: ${resumed.stderr.slice(-300)}`);
      const [found, expected] = [contentOf(spoiltRun), contentOf(run0)];
      if (name.startsWith(`step-${steps}.`) || /^(last|state)\./.test(name)) {
        const difference = differenceOf(found, expected);
        if (difference) fault('the middle', `after --resume ${difference}`);
      }
      rmSync(spoiltRun, { recursive: true });
      onProgress(row);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}
