import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { errorCode } from './errors.js';

/*
 * What is half written has a name that says whose it is: of which machine and process. Where that process is gone,
 * nobody will finish it.
 */

/**
 * Removes what killed processes left half written in a folder, not below it. Everybody does so before the
 * first file that he writes there.
 * @param whose `dead`: of processes of this machine that are gone; `all`: of any, by who holds the folder's lock
 */
export function removeLeftovers(folder: string, whose: 'dead' | 'all'): void {
  for (const name of namesIn(folder)) {
    const found = leftover.exec(name)?.groups;
    if (!found) continue;
    if (whose === 'all' || (found.machine === machine && !isAlive(Number(found.pid))))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** The name of a file while it is written: its own, as far as names may be long, machine, process and chance. */
export function partialName(file: string): string {
  const own = Buffer.from(basename(file), 'utf8')
    .subarray(0, 200)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  return join(dirname(file), `${own}.${machine}-${process.pid}-${randomBytes(4).toString('hex')}.partial`);
}

const leftover = /\.(?<machine>[0-9a-f]{8})-(?<pid>[0-9]+)-[0-9a-f]{8}\.partial$/;

/** Tells machines, and containers with process ids of their own, apart. */
const machine = createHash('sha256').update(`${hostname()} ${processIdSpace()}`).digest('hex').slice(0, 8);

function processIdSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return ''; // not Linux: the machine has one
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

const cleared = new Set<string>();

/** Removes what dead processes left in a folder, the first time that this one asks. */
export function clearLeftovers(folder: string): void {
  if (cleared.has(folder)) return;
  cleared.add(folder);
  removeLeftovers(folder, 'dead');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // who writes there says what is wrong with it
  }
}
