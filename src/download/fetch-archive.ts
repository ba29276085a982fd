import { setTimeout as pause } from 'node:timers/promises';
import { byteSize } from '../byte-size.js';
import { errorCode, WorkError } from '../errors.js';
import { type Answer, readAnswer, requestHeaders } from './answer.js';
import { nothingKept, openPart, readKeptPart, writeRecord } from './partial-file.js';

/** How long a bad connection is put up with. */
export interface Patience {
  /** Tries after a failed one, until the download gets on again. */
  readonly retries: number;
  /** Before the first of them; each later pause is twice as long, up to a minute. */
  readonly firstPauseMs: number;
  /** A connection that brings nothing for so long counts as dropped. */
  readonly idleMs: number;
}

/** A minute of trying, for a server that is restarted or a router that finds its way again. */
export const usualPatience: Patience = { retries: 6, firstPauseMs: 1000, idleMs: 60_000 };

export interface FetchOptions {
  readonly url: string;
  /** Where the bytes go; a record of what they belong to lies beside it. */
  readonly file: string;
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  /**
   * Before new bytes are written: how many are to come, and how large the file is. Where the server does not say it, every
   * now and then: how large it is so far. May throw to refuse it.
   */
  readonly onSize: (toDownload: number, size: number) => Promise<void>;
  /** Bytes on disk; the size of all is null where the server does not say it. */
  readonly onBytes: (bytes: number, size: number | null) => void;
  /** A sentence for people, about a connection that was lost. */
  readonly onNote: (sentence: string) => void;
}

/** How one request ended; `bytes` are on disk. */
type Outcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'dropped'; readonly bytes: number; readonly reason: string };

/**
 * Downloads a file, going on from the bytes that an earlier call left. A file that changed on the server is
 * begun again. Dropped connections and busy servers (408, 429, 5xx) are tried again, with growing pauses.
 * @throws WorkError when the server refuses, or after the last retry; what is on disk stays. The AbortError
 *   of the signal
 */
export async function fetchArchive(options: FetchOptions): Promise<void> {
  const { patience, signal, onNote } = options;
  let [failures, furthest, fresh] = [0, 0, false];
  for (;;) {
    const outcome = await request(options, fresh);
    if (outcome.kind === 'complete') return;
    fresh = outcome.kind === 'changed';
    if (outcome.kind === 'changed') {
      onNote('the archive on the server is not the one that was begun: starting over');
      continue; // a whole file is asked for next, which cannot have changed
    }
    if (outcome.bytes >= furthest + progressBytes) failures = 0;
    furthest = Math.max(furthest, outcome.bytes);
    if (failures === patience.retries) throw lost(options, outcome);
    const waitMs = Math.min(longestPauseMs, patience.firstPauseMs * 2 ** failures++);
    onNote(`${outcome.reason}, ${byteSize(outcome.bytes)} are here: next try in ${waitMs / 1000} s`);
    await pause(waitMs, undefined, { signal });
  }
}

const longestPauseMs = 60_000;

/** New bytes after which a connection counts as one that works. */
const progressBytes = 2 ** 20;

function lost({ url }: FetchOptions, { bytes, reason }: { bytes: number; reason: string }): WorkError {
  return new WorkError(
    `${new URL(url).host} ${reason}, however often it was tried; ${byteSize(bytes)} of ${url} are here: ` +
      `run the same command again, and it goes on from there${proxyHint(process.env)}`,
    { file: url, found: bytes },
  );
}

/** Where a proxy is set that Node does not use, a clause that says so. */
export function proxyHint(environment: NodeJS.ProcessEnv): string {
  const { HTTPS_PROXY, https_proxy, NODE_USE_ENV_PROXY } = environment;
  if (!(HTTPS_PROXY ?? https_proxy) || NODE_USE_ENV_PROXY === '1') return '';
  return '; HTTPS_PROXY is set, but Node uses it only with NODE_USE_ENV_PROXY=1, and only from 22.21 or 24.5 on';
}

/** One request. With `fresh`, for the whole file, whatever is on disk. */
async function request(options: FetchOptions, fresh: boolean): Promise<Outcome> {
  const { url, file, patience, signal } = options;
  const kept = fresh ? nothingKept : await readKeptPart(file, url);
  if (kept.bytes === kept.size) return { kind: 'complete' }; // stopped when only the check was left
  const connection = openConnection(patience.idleMs, signal);
  const dropped = (what: string, error: unknown, bytes: number): Outcome => {
    signal?.throwIfAborted();
    return { kind: 'dropped', bytes, reason: connection.reasonOf(what, error) };
  };
  const sent = fetch(url, { headers: requestHeaders(kept), signal: connection.signal });
  const response = await connection
    .await(sent)
    .catch((error: unknown) => dropped('cannot be reached', error, kept.bytes));
  if ('kind' in response) return response;
  const answer = readAnswer(response.status, response.headers, kept);
  if (answer.kind !== 'bytes') connection.close();
  switch (answer.kind) {
    case 'changed':
      return { kind: 'changed' };
    case 'busy':
      return { kind: 'dropped', bytes: kept.bytes, reason: answer.reason };
    case 'refused':
      throw refusal(url, answer.reason);
    case 'complete':
      await writeRecord(file, url, answer.state);
      return { kind: 'complete' };
    case 'bytes':
      return receive(response, answer, connection, options, dropped);
  }
}

function refusal(url: string, reason: string): WorkError {
  return new WorkError(
    `${url} ${reason}: the archive cannot be had there; check the address, or name another place by --mirror`,
    { file: url, found: reason },
  );
}

/** Writes the body of an answer to disk as it comes. */
async function receive(
  response: Response,
  { from, state }: Extract<Answer, { kind: 'bytes' }>,
  connection: Connection,
  { url, file, onSize, onBytes }: FetchOptions,
  dropped: (what: string, error: unknown, bytes: number) => Outcome,
): Promise<Outcome> {
  const { size } = state;
  const what = 'dropped the connection';
  try {
    const part = await openPart(file, url, from, state);
    let bytes = from;
    let weighed = from;
    try {
      if (size !== null) await onSize(size - from, size); // after old bytes have gone
      onBytes(bytes, size);
      const reader = response.body?.getReader();
      for (;;) {
        const read = reader ? connection.await(reader.read()) : Promise.resolve(noBody);
        const next = await read.catch((error: unknown) => dropped(what, error, bytes));
        if ('kind' in next) return next;
        if (next.done) break;
        await part.add(next.value);
        bytes += next.value.length;
        if (size === null && bytes >= weighed + unknownBytes) {
          await onSize(0, bytes);
          weighed = bytes;
        }
        onBytes(bytes, size);
      }
    } finally {
      await part.close();
    }
    if (size !== null && bytes !== size) return dropped(what, new Error('too early'), bytes);
    await writeRecord(file, url, { ...state, size: bytes });
    return { kind: 'complete' };
  } finally {
    connection.close();
  }
}

/** Bytes after which a file whose size nobody says is held against what is free: it may have no end. */
const unknownBytes = 2 ** 26;

const noBody = { done: true, value: undefined } as const;

interface Connection {
  readonly signal: AbortSignal;
  /** Waits for something from the network; closes the connection where nothing comes. */
  await<T>(work: Promise<T>): Promise<T>;
  /** What went wrong with the server, and the error as its reason. */
  reasonOf(what: string, error: unknown): string;
  close(): void;
}

function openConnection(idleMs: number, signal: AbortSignal | undefined): Connection {
  const own = new AbortController();
  let stalled = false;
  return {
    signal: signal ? AbortSignal.any([signal, own.signal]) : own.signal,
    await: async (work) => {
      const timer = setTimeout(() => {
        stalled = true;
        own.abort();
      }, idleMs);
      try {
        return await work;
      } finally {
        clearTimeout(timer);
      }
    },
    reasonOf: (what, error) =>
      stalled ? `sent nothing for ${idleMs / 1000} s` : `${what} (${causeOf(error)})`,
    close: () => own.abort(),
  };
}

/** `fetch` says only that it failed; why is in the cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return errorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
}
