import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands, timesOf, usual } from './commands.mjs';
import { againArgs, badEnd, contentOf, differenceOf, makeWorld, run } from './world.mjs';

const megabytes = 256;

/**
 * Runs each command on a disk with 0 to 2 times the bytes that it needs, on one that may not be written, and with
 * few files at a time. What it leaves must be whole; with room again, the same command must give what it always does.
 * Of many fullnesses at which it fails, every tenth is tried again with room.
 * @returns undefined where the system lets nobody but its owner mount a disk
 */
export async function disks({ count, only, onProgress = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-disks-'));
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk], { stdio: 'pipe' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const unmount = () => {
    execFileSync('umount', ['-l', disk]);
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => {
      unmount();
      process.exit(130);
    });
  const filler = join(disk, 'filler');
  const free = () => statfsSync(disk).bavail * statfsSync(disk).bsize;
  const leave = (bytes) => {
    rmSync(filler, { force: true });
    writeFileSync(filler, Buffer.alloc(Math.max(0, free() - bytes)));
  };
  const rows = [];
  try {
    const chosen = only?.split(',') ?? usual;
    const { truth } = await makeWorld(folder, chosen);
    for (const name of chosen) {
      const command = commands[name];
      const row = { command: name, fullnesses: 0, refused: 0, finished: 0, needs: 0, faults: [] };
      rows.push(row);
      const times = timesOf(name);
      const expected = contentOf(join(truth, name), times);
      const out = join(disk, name.replace(/\W+/g, '-'));
      // What it works on lies there before, whatever room there is.
      const begin = () => {
        rmSync(filler, { force: true });
        clear(out);
        command.begin?.(folder, out);
      };
      const fault = (where, why) => row.faults.push({ command: name, where, why });
      begin();
      const before = free();
      const undisturbed = await run(command.args(folder, out));
      row.needs = before - free();
      if (undisturbed.code !== 0) fault('undisturbed', undisturbed.stderr.slice(-300));
      begin();
      // Some hold more at a time than they leave: what is enough is looked for.
      for (const most = 16 * row.needs; row.needs < most; row.needs *= 2) {
        leave(2 * row.needs);
        const enough = await run(command.args(folder, out));
        begin();
        if (enough.code === 0) break;
      }
      const tryOnce = async (where, result) => {
        row.fullnesses++;
        const why = badEnd(result);
        if (why) fault(where, why);
        if (result.code === 0) {
          row.finished++;
          const difference = differenceOf(contentOf(out, times), expected);
          if (difference) fault(where, `it says that all is well, but ${difference}`);
          return;
        }
        row.refused++;
        // What has its name must be whole. Files of what goes on are those of an earlier step.
        const difference = command.goesOn
          ? undefined
          : differenceOf(withoutPartial(contentOf(out, times)), expected, { partly: true });
        if (difference) fault(where, `it failed, and ${difference}`);
      };
      for (let i = 0; i < count; i++) {
        const bytes = Math.round((2 * row.needs * i) / Math.max(1, count - 1));
        leave(bytes);
        const ended = await run(command.args(folder, out));
        await tryOnce(`${bytes} bytes free of ${row.needs}`, ended);
        if (ended.code === 0 || (count > 20 && i % 10 !== 0)) {
          begin();
          onProgress(row);
          continue;
        }
        rmSync(filler, { force: true });
        const again = await run(againArgs(command, folder, out));
        const difference =
          again.code === 0 ? differenceOf(contentOf(out, times), expected) : again.stderr.slice(-300);
        if (difference) fault(`${bytes} bytes free, then room`, difference);
        begin();
        onProgress(row);
      }
      rmSync(filler, { force: true });
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const readOnly = await run(command.args(folder, out));
      execFileSync('mount', ['-o', 'remount,rw', disk]);
      if (readOnly.code === 0) fault('read-only', 'it says that all is well');
      else await tryOnce('read-only', readOnly);
      const few = await run(command.args(folder, out), { limits: 'ulimit -n 40' });
      await tryOnce('40 files at a time', few);
      clear(out);
      onProgress(row);
    }
  } finally {
    unmount();
  }
  return rows;
}

const withoutPartial = (content) =>
  Object.fromEntries(Object.entries(content).filter(([name]) => !/\.partial($|\/)|\.lock/.test(name)));

function clear(out) {
  for (const path of [out, `${out}.safetensors`]) rmSync(path, { recursive: true, force: true });
}
