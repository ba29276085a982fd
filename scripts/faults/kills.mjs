import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { randomStream } from '../../dist/random/streams.js';
import { oneOf } from './mutations.mjs';
import { againArgs, badEnd, commands, contentOf, differenceOf, makeWorld, run } from './world.mjs';

const signals = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSTOP', 'two'];

/**
 * Ends commands at random moments, stops and continues them, or starts two of one at once; runs the same command
 * again, and compares all that it leaves with an undisturbed run, bit for bit.
 */
export async function kills({ count, seed, only, onProgress = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-kills-'));
  const chosen = only?.split(',') ?? Object.keys(commands);
  const rows = chosen.map((command) => ({
    command,
    rounds: 0,
    ended: 0,
    finished: 0,
    faults: [],
  }));
  try {
    const { seconds, truth } = await makeWorld(folder, chosen);
    for (let round = 0; round < count; round++) {
      const random = randomStream(seed, 'phantom', round);
      const name = chosen[round % chosen.length];
      const signal = oneOf(random, signals);
      const row = rows.find(({ command }) => command === name);
      const out = join(folder, `round-${round}`, name);
      mkdirSync(join(folder, `round-${round}`));
      const after = 1000 * seconds[name] * 1.1 * random.uniform();
      const fault = (why) => row.faults.push({ command: name, round, signal, after: Math.round(after), why });
      row.rounds++;
      const command = commands[name];
      const results =
        signal === 'two'
          ? await Promise.all([0, 1].map(() => run(command.args(folder, out))))
          : [await disturbed(command.args(folder, out), signal, after)];
      for (const result of results) {
        const { code, signal: by } = result;
        // Before the program listens, the system ends it as it ends any.
        const early = by === signal && ['SIGTERM', 'SIGINT', 'SIGHUP'].includes(signal);
        if (by === 'SIGKILL' || early) row.ended++;
        else if (code === 130) row.ended++;
        else {
          const why = badEnd(result);
          if (why) fault(why);
          if (signal !== 'two' && code !== 0) fault(`exit code ${code}: ${result.stderr.slice(-300)}`);
          row.finished++;
        }
      }
      const again =
        results.some(({ code }) => code === 0) && signal === 'two'
          ? { code: 0 }
          : await run(againArgs(command, folder, out));
      if (again.code !== 0 && !/has finished|is finished|already/.test(again.stderr))
        fault(`again: exit code ${again.code}: ${again.stderr.slice(-300)}`);
      const difference = differenceOf(contentOf(out), contentOf(join(truth, name)));
      if (difference) fault(`after it ran again, ${difference}`);
      rmSync(join(folder, `round-${round}`), { recursive: true, force: true });
      onProgress(round + 1, rows);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}

async function disturbed(args, signal, after) {
  return run(args, {
    during: async (child) => {
      await wait(after);
      child.kill(signal);
      if (signal !== 'SIGSTOP') return;
      await wait(1500);
      child.kill('SIGCONT');
    },
  });
}
