import { existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

/** How a server behaves; tests change it between requests. */
export interface Behaviour {
  content: Buffer;
  etag: string | null;
  lastModified: string | null;
  /** Whether `Range` is understood, and whether `If-Range` is. */
  ranges: boolean;
  conditions: boolean;
  /** Whether the size is said. */
  length: boolean;
  /** By the number of a request, from 0: a status in place of an answer. */
  status: (request: number) => number | undefined;
  /**
   * By the number of a request and the bytes to send: after how many the connection ends; undefined: never. It
   * ends when these are in the partial file, so that a test knows what is there whatever the machine's load.
   */
  cutAfter: (request: number, bytes: number) => number | undefined;
  /** The same, after how many nothing more comes. */
  stallAfter: (request: number, bytes: number) => number | undefined;
  /** Headers over all others. */
  headers: Record<string, string>;
  /** Where the client keeps what it has so far. */
  partialFile: string;
}

export interface ArchiveServer {
  /** Of the folder in which the archives are. */
  readonly address: string;
  readonly behaviour: Behaviour;
  /** What was asked, in order. */
  readonly requests: {
    readonly path: string;
    readonly range: string | null;
    readonly ifRange: string | null;
  }[];
  /** Bytes of bodies that were handed to the system. */
  sent: number;
}

/** A real HTTP server on this machine that answers every path with one content. It ends with the test file. */
export async function archiveServer(
  content: Buffer,
  changed: Partial<Behaviour> = {},
): Promise<ArchiveServer> {
  const behaviour: Behaviour = {
    content,
    etag: '"first"',
    lastModified: null,
    ranges: true,
    conditions: true,
    length: true,
    status: () => undefined,
    cutAfter: () => undefined,
    stallAfter: () => undefined,
    headers: {},
    partialFile: '',
    ...changed,
  };
  const requests: ArchiveServer['requests'] = [];
  const server = createServer((request, response) => {
    const { range = null } = request.headers;
    const ifRange = request.headers['if-range']?.toString() ?? null;
    requests.push({ path: request.url ?? '', range, ifRange });
    answer(request, response, requests.length - 1, behaviour, (bytes) => {
      started.sent += bytes;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const started: ArchiveServer = { address: `http://127.0.0.1:${port}/msd`, behaviour, requests, sent: 0 };
  return started;
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  number: number,
  { content, etag, lastModified, ranges, conditions, length, headers, partialFile, ...by }: Behaviour,
  onSent: (bytes: number) => void,
): void {
  const refused = by.status(number);
  if (refused !== undefined) {
    response.writeHead(refused).end();
    return;
  }
  const state = {
    ...(etag !== null && { etag }),
    ...(lastModified !== null && { 'last-modified': lastModified }),
  };
  const condition = request.headers['if-range'];
  const same = !conditions || condition === undefined || [etag, lastModified].includes(condition as string);
  const from = ranges && same ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
  if (from > 0 && from >= content.length) {
    response.writeHead(416, { ...state, 'content-range': `bytes */${content.length}`, ...headers }).end();
    return;
  }
  const body = content.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    ...state,
    ...(length && { 'content-length': body.length }),
    ...(from > 0 && {
      'content-range': `bytes ${from}-${content.length - 1}/${length ? content.length : '*'}`,
    }),
    ...headers,
  });
  const cut = by.cutAfter(number, body.length);
  const stall = by.stallAfter(number, body.length);
  const first = body.subarray(0, cut ?? stall ?? body.length);
  response.write(first, () => {
    onSent(first.length);
    if (cut !== undefined) whenOfSize(partialFile, from + cut, () => response.socket?.destroy());
    else if (stall === undefined) response.end();
  });
}

function whenOfSize(file: string, bytes: number, then: () => void): void {
  if (existsSync(file) && statSync(file).size === bytes) then();
  else setTimeout(() => whenOfSize(file, bytes, then), 5).unref();
}
