import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomStream } from '../../dist/random/streams.js';
import { commands, timesOf, usual } from './commands.mjs';
import { oneOf } from './mutations.mjs';
import { againArgs, badEnd, contentOf, differenceOf, makeWorld, run } from './world.mjs';

const signals = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGSTOP', 'two', 'clock'];

/** Seconds that a clock is put forward or back: an hour, a year, and to before 1970. */
const jumps = [3600, -3600, 31_536_000, -31_536_000, -2_147_483_648];

/** What becomes of a system call: the process ends before or after it, it does half, or it fails. */
const outcomes = ['kill', 'kill', 'after', 'short', 'EIO', 'ENOSPC'];

/**
 * Ends commands at random moments and at chosen system calls, lets calls fail, stops and continues commands, starts
 * two of one at once, or puts the clock forward or back; runs the same command again where it did not end well, and
 * compares all that it leaves with an undisturbed run, bit for bit.
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
        const signal = oneOf(random, shim ? signals : signals.slice(0, -1));
        const after = Math.round(1000 * seconds[name] * 1.1 * random.uniform());
        const jump = signal === 'clock' ? oneOf(random, jumps) : 0;
        how = `${signal} ${jump || ''} after ${after} ms`;
        if (signal === 'two') results = await Promise.all([0, 1].map(() => run(args)));
        else if (jump)
          results = [await run(args, { env: { LD_PRELOAD: shim, HYBRIDMIM_CLOCK: `${after}:${jump}` } })];
        else results = [await disturbed(args, signal, after)];
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
      const backwards = how.startsWith('clock') && timeBackwards(out, results);
      if (backwards) fault(`a time is below 0: ${backwards}`);
      const early = left && differenceOf(withoutPartial(left), expected);
      if (early) fault(`it says that all is well, but ${early}`);
      const again = left ? { code: 0 } : await run(againArgs(command, folder, out));
      if (again.code !== 0 && !/has finished|is finished|already/.test(again.stderr))
        fault(`again: exit code ${again.code}: ${again.stderr.slice(-300)}`);
      // A file that could not be removed is left to the next command.
      const now = contentOf(out, timesOf(name));
      const compared = stopsInGoodOrder.test(how) ? withoutEarlierCheckpoints : (content) => content;
      const difference = differenceOf(
        compared(how.startsWith('unlink') ? withoutPartial(now) : now),
        compared(expected),
      );
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
  if (badEnd(result) === undefined && !/^(SIG|clock)/.test(how)) return 'failed';
  return 'fault';
}

/** A span of time below 0, in a run's records or in what a command says; undefined where there is none. */
function timeBackwards(out, results) {
  const records = existsSync(out)
    ? readdirSync(out, { recursive: true })
        .filter((name) => name.endsWith('metrics.jsonl'))
        .map((name) => readFileSync(join(out, name), 'utf8'))
    : [];
  const said = results.map(({ stdout, stderr }) => `${stdout}\n${stderr}`);
  return [...records, ...said]
    .map((text) => /"\w*[sS]econds":-[^,}]*|(?<![\w.])-\d[\d.]* (s|min|h)\b|\bNaN\b/.exec(text)?.[0])
    .find((found) => found !== undefined);
}

/** A run that is told to stop saves the step that it stops after, and keeps that beside its last one. */
const stopsInGoodOrder = /^SIG(INT|TERM|HUP)/;

function withoutEarlierCheckpoints(content) {
  const stepOf = (name) => /^(.*checkpoints\/)step-(\d+)\./.exec(name);
  const last = {};
  for (const name of Object.keys(content)) {
    const [, folder, step] = stepOf(name) ?? [];
    if (folder !== undefined) last[folder] = Math.max(last[folder] ?? 0, Number(step));
  }
  return Object.fromEntries(
    Object.entries(content).filter(([name]) => {
      const [, folder, step] = stepOf(name) ?? [];
      return folder === undefined || Number(step) === last[folder];
    }),
  );
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
