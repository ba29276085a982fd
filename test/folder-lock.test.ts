import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isLocked, lockFolder } from '../src/folder-lock.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const tomorrow = () => new Date(Date.now() + 86_400_000);

/** A folder with a lock of this date, as another process leaves it. */
function locked(name: string, date: Date): { path: string; lock: string } {
  const path = join(folder, name);
  const lock = `${path}.lock`;
  mkdirSync(path);
  mkdirSync(lock);
  utimesSync(lock, date, date);
  return { path, lock };
}

describe('a lock with a date to come, as after a clock was set back', () => {
  it.concurrent('is taken over where nobody renews it', async ({ expect }) => {
    const { path, lock } = locked('left', tomorrow());
    expect(await isLocked(path)).toBe(false);
    const release = await lockFolder(path, 'busy', 2000);
    expect(Math.abs(statSync(lock).mtimeMs - Date.now())).toBeLessThan(5000);
    expect(await isLocked(path)).toBe(true);
    await release();
    expect(existsSync(lock)).toBe(false);
  });

  it.concurrent('holds where a process renews it', async ({ expect }) => {
    const { path, lock } = locked('renewed', tomorrow());
    const taking = lockFolder(path, 'busy', 2000).catch((error: unknown) => error);
    await wait(1000);
    const now = new Date();
    utimesSync(lock, now, now);
    const renewing = setInterval(() => utimesSync(lock, new Date(), new Date()), 500);
    expect(await taking).toMatchObject({ message: 'busy' });
    clearInterval(renewing);
    expect(existsSync(lock)).toBe(true);
  });
});

describe('what is no lock, but has the name of one', () => {
  it.concurrent.each([
    ['a file', (lock: string) => writeFileSync(lock, '')],
    [
      'a folder with a file',
      (lock: string) => {
        mkdirSync(lock);
        writeFileSync(join(lock, 'mine'), 'x');
      },
    ],
  ])('is named, and stays: %s', async (name, make) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    const lock = `${path}.lock`;
    mkdirSync(path);
    make(lock);
    const longAgo = new Date('2020-01-01');
    utimesSync(lock, longAgo, longAgo);
    await expect(lockFolder(path, 'busy', 2000)).rejects.toThrow(
      `${lock} is none of this program's locks: move it away`,
    );
    expect(existsSync(lock)).toBe(true);
  });
});
