import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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
 * @param steps   of the run; its last two checkpoints are no more than ten steps apart
 * @param results a file of what was found; beside it the run stays, and the next call goes on with both
 */
export async function bits({ count, seed, steps = 6, results, onProgress = () => {} }) {
  const folder = results
    ? `${results}.run-of-${steps}-steps`
    : mkdtempSync(join(tmpdir(), 'hybridmim-bits-'));
  const before = results && existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [];
  const done = before.map((line) => JSON.parse(line));
  const rows = [];
  try {
    const truth = join(folder, 'truth');
    const run0 = join(truth, 'finetune');
    if (!existsSync(join(run0, 'config.yaml'))) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      await makeWorld(folder, ['prepare']);
    }
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
    const made = await run(againArgs(training, folder, run0));
    if (made.code !== 0 && !/has finished|is finished/.test(made.stderr))
      throw new Error(`the run of ${steps} steps ended with ${made.code}: ${made.stderr}`);
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
      const found = done.find((one) =>
        isDeepStrictEqual([one.file, one.bits, one.seed, one.steps], [name, count, seed, steps]),
      );
      if (found) {
        rows.push(found);
        continue;
      }
      rmSync(spoiltRun, { recursive: true, force: true });
      const row = {
        ...{ file: name, seed, steps },
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
      const [left, expected] = [contentOf(spoiltRun), contentOf(run0)];
      if (name.startsWith(`step-${steps}.`) || /^(last|state)\./.test(name)) {
        const difference = differenceOf(left, expected);
        if (difference) fault('the middle', `after --resume ${difference}`);
      }
      rmSync(spoiltRun, { recursive: true });
      if (results) appendFileSync(results, `${JSON.stringify(row)}\n`);
      onProgress(row);
    }
  } finally {
    if (!results) rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}
