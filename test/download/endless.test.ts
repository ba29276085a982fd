import { statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fetchArchive } from '../../src/download/fetch-archive.js';
import { WorkError } from '../../src/errors.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
const piece = Buffer.alloc(2 ** 20);

/** Sends bytes for as long as somebody takes them, and never says how many. */
const server = createServer((_, response) => {
  const send = () => {
    while (!response.destroyed && response.write(piece));
    response.once('drain', send);
  };
  send();
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it('an archive without an end is held against the disk while it comes', async () => {
  const { port } = server.address() as AddressInfo;
  const asked: [number, number][] = [];
  const file = join(folder, 'endless.tar');
  const fetched = fetchArchive({
    url: `http://127.0.0.1:${port}/endless.tar`,
    file,
    patience: { retries: 0, firstPauseMs: 1, idleMs: 10_000 },
    onSize: async (toDownload, size) => {
      asked.push([toDownload, size]);
      if (asked.length === 2) throw new WorkError('it takes more than is free');
    },
    onBytes: () => {},
    onNote: () => {},
  });
  await expect(fetched).rejects.toThrow('it takes more than is free');
  expect(asked.map(([toDownload]) => toDownload)).toEqual([0, 0]);
  expect(asked[0]![1]).toBeGreaterThanOrEqual(2 ** 26);
  expect(asked[1]![1]).toBeGreaterThanOrEqual(2 ** 27);
  expect(statSync(file).size).toBeLessThan(2 ** 27 + 2 ** 24);
});
