import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { WorkError } from '../errors.js';
import { freePort } from './free-port.js';

export interface LaunchOptions {
  readonly ranks: number;
  /** The program and the arguments that every rank is started with. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Passed on to all ranks, once each. */
  readonly signals: readonly NodeJS.Signals[];
  /** Lines of ranks other than 0. */
  onLine(line: string): void;
}

/** What ended the ranks. */
export interface LaunchResult {
  readonly exitCode: number;
}

/** Milliseconds that the other ranks have to end by themselves when one is gone. */
const graceMs = 6000;

/**
 * Starts ranks of one command on this machine, each as a process of its own with a GPU of its own where there are several,
 * and waits for them. Rank 0 has the terminal; the lines of the others begin with their rank.
 * @returns the exit code of the first rank that failed, else 0
 */
export async function launchRanks({
  ranks,
  entry,
  args,
  signals,
  onLine,
}: LaunchOptions): Promise<LaunchResult> {
  const port = await freePort('127.0.0.1');
  const common = {
    ...process.env,
    WORLD_SIZE: String(ranks),
    LOCAL_WORLD_SIZE: String(ranks),
    MASTER_ADDR: '127.0.0.1',
    MASTER_PORT: String(port),
    HYBRIDMIM_TOKEN: randomBytes(16).toString('hex'),
    HYBRIDMIM_LAUNCHER: String(process.pid),
  };
  // Groups of their own: Ctrl-C comes to this process alone, which passes it on once.
  const children = Array.from({ length: ranks }, (_, rank) =>
    spawn(process.execPath, [entry, ...args], {
      detached: true,
      stdio: rank === 0 ? ['inherit', 'inherit', 'inherit', 'ipc'] : ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...common, RANK: String(rank), LOCAL_RANK: String(rank) },
    }),
  );
  for (const [rank, { stdout, stderr }] of children.entries())
    for (const stream of [stdout, stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => onLine(`[rank ${rank}] ${line}`));
  const pass = (signal: NodeJS.Signals) => {
    for (const child of children) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  let failed: { readonly exitCode: number } | undefined;
  const endOthers = () => {
    for (const child of children) if (isRunning(child)) child.kill('SIGKILL');
  };
  await Promise.all(
    children.map(async (child, rank) => {
      const { code, signal } = await endOf(child);
      if (code === 0 || failed) return;
      failed = { exitCode: code ?? 1 };
      if (code !== null) return void setTimeout(endOthers, graceMs).unref();
      const gone = `rank ${rank} was ended by ${signal}`;
      onLine(gone);
      for (const other of children) if (isRunning(other) && other.connected) other.send(gone);
      setTimeout(endOthers, graceMs).unref();
    }),
  );
  for (const signal of signals) process.off(signal, pass);
  return failed ?? { exitCode: 0 };
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new WorkError(`a rank could not be started: ${cause.message}`)));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}
