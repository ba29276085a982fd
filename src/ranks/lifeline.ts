import { Worker } from 'node:worker_threads';
import { UsageError, WorkError } from '../errors.js';
import { workerEntry } from '../worker-entry.js';
import { freePort } from './free-port.js';
import { libc } from './libc.js';
import type { Facts, FromThread, Start, ToThread } from './messages.js';
import type { RankPlace } from './rank-place.js';

/** All ranks, when they are there. */
export interface Gathered {
  /** `host:port` of TensorFlow's server of each rank. */
  readonly addresses: readonly string[];
  /** What rank 0 says of the run. */
  readonly start: Start;
}

/**
 * What holds the ranks of a run together: each is connected to rank 0 from its start to its end, and all end when one is
 * gone. It works in a thread of its own.
 */
export interface Lifeline extends Pick<RankPlace, 'rank' | 'ranks' | 'localRanks'> {
  /**
   * Waits until all ranks are ready.
   * @param facts settings that must be the same on all
   * @param start what the others are told; of rank 0 alone
   * @throws UsageError where a setting is another than that of rank 0; WorkError where a rank does not come
   */
  gather(facts: Facts, start?: Start): Promise<Gathered>;
  /** Finished steps, for the sentence that ends the process. */
  progress(step: number): void;
  /** Where the sentence goes beside standard error. */
  logTo(file: string): void;
  /** Rejects with a WorkError when another rank is gone. A process that does not end then is ended. */
  readonly lost: Promise<never>;
  /** For whoever tells people of the loss: so that the thread does not. */
  heard(): void;
  /** Tells the others why this rank ends. */
  fail(sentence: string): Promise<void>;
  /** For a rank that is done: rank 0 lets the others go, which wait for it. */
  leave(): Promise<void>;
}

/** Whether a process keeps the run folder and tells people of the run: alone, or as rank 0. */
export const keepsRun = (lifeline: Pick<Lifeline, 'rank'> | undefined): boolean =>
  lifeline === undefined || lifeline.rank === 0;

/** What the thread needs to find rank 0: this alone is known before the settings are read. */
export type Calling = Pick<RankPlace, 'rank' | 'ranks' | 'host' | 'port' | 'token' | 'patience'> & {
  /** The process that started all ranks of this machine, where one did and waits for them. */
  readonly launcher?: number | undefined;
};

let called: Worker | undefined;

/**
 * Calls rank 0, or waits for calls as rank 0. The sooner, the sooner the end of this process is noticed: so the program does
 * it before it loads anything else, and `openLifeline` goes on with it.
 */
export function callEarly(calling: Calling): Worker {
  if (called) return called;
  called = new Worker(new URL(workerEntry(import.meta.url, './lifeline-thread.js')), { workerData: calling });
  called.unref(); // a process that has nothing else to do, as after a wrong flag, ends
  return called;
}

/** Opens the lifeline of this process. */
export async function openLifeline(
  options: Calling & Pick<RankPlace, 'localRanks' | 'ownPort' | 'ownAddress'>,
): Promise<Lifeline> {
  const thread = callEarly(options);
  const post = (message: ToThread) => thread.postMessage(message);
  let onGathered: (gathered: Gathered) => void = () => {};
  let onRefused: (error: Error) => void = () => {};
  let onLeft = () => {};
  let onLost: (error: Error) => void = () => {};
  let refused: UsageError | undefined;
  const lost = new Promise<never>((_, reject) => {
    onLost = reject;
  });
  lost.catch(() => {}); // whoever waits gets the error; nobody may
  thread.on('message', (message: FromThread) => {
    if ('addresses' in message) onGathered(message);
    else if ('left' in message) onLeft();
    else if ('lost' in message) onLost(new WorkError(message.lost));
    else {
      refused = new UsageError(`rank ${options.rank} was refused: ${message.refused}`);
      onRefused(refused);
    }
  });
  thread.on('error', (error) => onLost(error));
  if (options.launcher !== undefined)
    process.on('message', (gone) => {
      if (typeof gone === 'string') post({ gone });
    });
  const left = (message: ToThread) =>
    new Promise<void>((resolve) => {
      onLeft = resolve;
      thread.ref();
      post(message);
    });
  const errorOutput = await ownErrorOutput();
  if (errorOutput !== undefined) post({ errorOutput });
  return {
    rank: options.rank,
    ranks: options.ranks,
    localRanks: options.localRanks,
    gather: async (facts, start = {}) => {
      const port = options.ownPort ?? (await freePort());
      const gathered = new Promise<Gathered>((resolve, reject) => {
        onGathered = resolve;
        onRefused = reject;
        if (refused) reject(refused);
        thread.ref();
        post({ ready: facts, start, port, address: options.ownAddress });
      });
      const { addresses, start: said } = await Promise.race([gathered, lost]).finally(() => thread.unref());
      // Its own server listens on its own port, by whatever address the others reach it.
      const own = addresses.map((address, i) =>
        i === options.rank ? address.replace(/:\d+$/, `:${port}`) : address,
      );
      return { addresses: own, start: said };
    },
    progress: (step) => post({ step }),
    logTo: (log) => post({ log }),
    lost,
    heard: () => post({ heard: true }),
    fail: (sentence) => left({ failed: sentence.slice(0, 4000) }),
    leave: () => Promise.race([left({ leave: true }), lost]),
  };
}

/**
 * A second name for standard error: the first leads nowhere while TensorFlow's library is loaded, and a rank may be lost
 * just then. undefined where the system has no such call.
 */
async function ownErrorOutput(): Promise<number | undefined> {
  const descriptor: number | undefined = (await libc('dup', 'int', ['int']))?.(2);
  return descriptor !== undefined && descriptor >= 0 ? descriptor : undefined;
}
