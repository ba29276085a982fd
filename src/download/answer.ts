import type { FileState, KeptPart } from './partial-file.js';

/** What a server's answer means for a download of which some bytes are kept. */
export type Answer =
  /** The body is the file from byte `from` on. */
  | { readonly kind: 'bytes'; readonly from: number; readonly state: FileState }
  /** What is kept is the whole file. */
  | { readonly kind: 'complete'; readonly state: FileState }
  /** What is kept is of another file than the one that is there now: ask for all of it. */
  | { readonly kind: 'changed' }
  /** The server may answer better later. */
  | { readonly kind: 'busy'; readonly reason: string }
  /** Asking again will not help. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Headers that ask for what is missing, on the condition that the file is still the same. */
export function requestHeaders(kept: KeptPart): Record<string, string> {
  const plain = { 'accept-encoding': 'identity' };
  if (kept.bytes === 0) return plain;
  const strong = kept.etag?.startsWith('W/') ? null : kept.etag; // RFC 9110 13.1.5: If-Range takes no weak one
  const condition = strong ?? kept.lastModified;
  return { ...plain, range: `bytes=${kept.bytes}-`, ...(condition !== null && { 'if-range': condition }) };
}

/** Reads a status and its headers. `kept` is what `requestHeaders` was given. */
export function readAnswer(status: number, headers: Headers, kept: KeptPart): Answer {
  const reason = `answered ${status}`;
  if (status === 408 || status === 429 || status >= 500) return { kind: 'busy', reason };
  if (status === 200) return wholeFile(headers);
  if (status === 206) return restOfFile(headers, kept);
  if (status === 416 && kept.bytes > 0) return nothingLeft(headers, kept);
  return { kind: 'refused', reason };
}

function wholeFile(headers: Headers): Answer {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    return {
      kind: 'refused',
      reason: `sent the archive in the encoding "${encoding}", which was not asked for`,
    };
  return { kind: 'bytes', from: 0, state: stateOf(headers, wholeNumber(headers.get('content-length'))) };
}

function restOfFile(headers: Headers, kept: KeptPart): Answer {
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
  const state = stateOf(headers, wholeNumber(total));
  if (wholeNumber(from) === kept.bytes && sameFile(state, kept))
    return { kind: 'bytes', from: kept.bytes, state };
  return kept.bytes > 0
    ? { kind: 'changed' }
    : { kind: 'refused', reason: 'answered 206, with a part of the file that was not asked for' };
}

function nothingLeft(headers: Headers, kept: KeptPart): Answer {
  const [, total] = /^bytes \*\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
  const state = stateOf(headers, wholeNumber(total) ?? kept.size);
  return state.size === kept.bytes && sameFile(state, kept)
    ? { kind: 'complete', state }
    : { kind: 'changed' };
}

const stateOf = (headers: Headers, size: number | null): FileState => ({
  etag: headers.get('etag'),
  lastModified: headers.get('last-modified'),
  size,
});

/** Whether nothing that both sides know differs. */
function sameFile(now: FileState, before: FileState): boolean {
  const keys = ['etag', 'lastModified', 'size'] as const;
  return keys.every((key) => now[key] === null || before[key] === null || now[key] === before[key]);
}

const wholeNumber = (text: string | null | undefined): number | null =>
  text && /^\d+$/.test(text) ? Number(text) : null;
