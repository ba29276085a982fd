import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomStream } from '../../dist/random/streams.js';
import { commands, timesOf, usual } from './commands.mjs';
import { oneOf } from './mutations.mjs';
import { againArgs, badEnd, contentOf, differenceOf, makeWorld, run } from './world.mjs';

const signals = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSTOP', 'two'];

/** What becomes of a system call: the process ends before or after it, it does half, or it fails. */
const outcomes = ['kill', 'kill', 'after', 'short', 'EIO', 'ENOSPC'];

/**
 * Ends commands at random moments and at chosen system calls, lets calls fail, stops and continues commands, or starts
 * two of one at once; runs the same command again, and compares all that it leaves with an undisturbed run, bit for bit.
 */
export async function kills({ count, seed, first = 0, only, onProgress = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-kills-'));
  const chosen = only?.split(',') ?? usual;
  const rows = chosen.map((command) => ({
    command,
    rounds: 0,
    ended: 0,
    failed: 0,
    finished: 0,
    faults: [],
  }));
  // What takes long has its turn less often.
  const turns = [chosen, chosen, chosen].flatMap((names, i) =>
    i === 0 ? names : names.filter((name) => !commands[name].slow),
  );
  try {
    const shim = compileShim(folder);
    const { seconds, truth } = await makeWorld(folder, chosen);
    const calls = {};
    for (let round = first; round < first + count; round++) {
      const random = randomStream(seed, 'phantom', round);
      const name = turns[round % turns.length];
      const row = rows.find(({ command }) => command === name);
      const out = join(folder, `round-${round}`, name.replace(/\W+/g, '-'));
      mkdirSync(dirname(out));
      const command = commands[name];
      const args = command.args(folder, out);
      command.begin?.(folder, out);
      row.rounds++;
      let how;
      let results;
      if (shim && random.integer(2)) {
        calls[name] ??= await callsOf(name, folder, shim);
        const call = oneOf(random, Object.keys(calls[name]));
        const drawn = oneOf(random, outcomes);
        const outcome = drawn === 'short' && call !== 'write' ? 'EIO' : drawn;
        how = `${call}:${1 + random.integer(calls[name][call])}:${outcome}`;
        results = [await run(args, { env: { ...shimmed(shim, dirname(out)), HYBRIDMIM_FAULT: how } })];
      } else {
        const signal = oneOf(random, signals);
        const after = 1000 * seconds[name] * 1.1 * random.uniform();
        how = `${signal} after ${Math.round(after)} ms`;
        results = await (signal === 'two'
          ? Promise.all([0, 1].map(() => run(args)))
          : Promise.all([disturbed(args, signal, after)]));
      }
      const fault = (why) => row.faults.push({ command: name, round, how, why });
      const expected = contentOf(join(truth, name), timesOf(name));
      for (const result of results) {
        const end = endOf(result, how);
        row[end === 'fault' ? 'finished' : end]++;
        if (end === 'fault')
          fault(badEnd(result) ?? `exit code ${result.code}: ${result.stderr.slice(-300)}`);
      }
      const left = results.some(({ code }) => code === 0) ? contentOf(out, timesOf(name)) : undefined;
      const early = left && differenceOf(withoutPartial(left), expected);
      if (early) fault(`it says that all is well, but ${early}`);
      const again = left ? { code: 0 } : await run(againArgs(command, folder, out));
      if (again.code !== 0 && !/has finished|is finished|already/.test(again.stderr))
        fault(`again: exit code ${again.code}: ${again.stderr.slice(-300)}`);
      // A file that could not be removed is left to the next command.
      const now = contentOf(out, timesOf(name));
      const difference = differenceOf(how.startsWith('unlink') ? withoutPartial(now) : now, expected);
      if (difference) fault(`after it ran again, ${difference}`);
      rmSync(dirname(out), { recursive: true, force: true });
      const found = row.faults.filter((one) => one.round === round);
      onProgress(
        { round, command: name, how, ends: results.map((result) => endOf(result, how)), faults: found },
        rows,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}

/** How a disturbed command ended: `ended` from outside, `failed` in a sentence, `finished`, or else a `fault`. */
function endOf(result, how) {
  const { code, signal } = result;
  // Before the program listens, the system ends it as it ends any.
  if (signal === 'SIGKILL' || (signal && how.startsWith(signal)) || code === 130) return 'ended';
  if (code === 0) return 'finished';
  // One of two finds that the other is there, and a process that its parent waits for may be the one that ends.
  if (badEnd(result) === undefined && !/^SIG/.test(how)) return 'failed';
  return 'fault';
}

const withoutPartial = (content) =>
  Object.fromEntries(Object.entries(content).filter(([name]) => !/\.partial($|\/)/.test(name)));

/** A library that disturbs system calls; undefined where there is no compiler. */
function compileShim(folder) {
  const shim = join(folder, 'system-calls.so');
  const source = fileURLToPath(new URL('system-calls.c', import.meta.url));
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl'], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  return shim;
}

const shimmed = (shim, below) => ({ LD_PRELOAD: shim, HYBRIDMIM_FAULT_BELOW: below });

/** How often a command calls the system for what it writes, by the name of the call. */
async function callsOf(name, folder, shim) {
  const below = join(folder, 'counted');
  mkdirSync(below, { recursive: true });
  const out = join(below, name.replace(/\W+/g, '-'));
  commands[name].begin?.(folder, out);
  const counts = join(folder, 'counts');
  rmSync(counts, { force: true });
  await run(commands[name].args(folder, out), {
    env: { ...shimmed(shim, below), HYBRIDMIM_FAULT_COUNTS: counts },
  });
  rmSync(below, { recursive: true });
  const calls = {};
  for (const call of readFileSync(counts, 'utf8').trim().split('\n')) calls[call] = (calls[call] ?? 0) + 1;
  return calls;
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
