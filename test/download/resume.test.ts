import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DataError, InterruptedError, UsageError, WorkError } from '../../src/errors.js';
import { randomStream } from '../../src/random/streams.js';
import { temporaryFolder } from '../temporary-folder.js';
import { archiveServer } from './archive-server.js';
import {
  download,
  filesBelow,
  folderName,
  impatient,
  md5Of,
  type SmallTask,
  sha256Of,
  smallTask,
} from './small-task.js';

const folder = temporaryFolder();
let task: SmallTask;
const place = (out: string) => join(folder, out, folderName);
const partialFile = (out: string) => `${place(out)}.tar.part`;
const kept = (out: string) => readFileSync(partialFile(out));

beforeAll(async () => {
  task = await smallTask(folder);
});

/** The dataset is there, with the archive that was asked to be kept, and nothing else. */
function expectWhole(out: string, { archive, files }: SmallTask = task): void {
  expect(filesBelow(place(out))).toEqual(files);
  expect(readFileSync(`${place(out)}.tar`).equals(archive)).toBe(true);
  expect(readdirSync(join(folder, out)).sort()).toEqual([folderName, `${folderName}.tar`]);
}

describe('a download that is cut off', () => {
  it.each([1, 2, 3])('ends with the same bytes after 20 cuts in random places, seed %i', async (seed) => {
    const out = `cut-${seed}`;
    const cuts = randomStream(seed, 'crop');
    const server = await archiveServer(task.archive, {
      cutAfter: (request, bytes) => (request < 20 ? cuts.integer(Math.ceil(bytes / 6)) : undefined),
      partialFile: partialFile(out),
    });
    const onDisk = [0];
    const run = () =>
      download({ out: join(folder, out), mirror: server.address, keepArchive: true }, task.archive);
    for (let cut = 0; cut < 20; cut++) {
      await expect(run()).rejects.toBeInstanceOf(WorkError);
      expect(existsSync(place(out))).toBe(false);
      expect(task.archive.subarray(0, kept(out).length).equals(kept(out))).toBe(true);
      onDisk.push(kept(out).length);
    }
    expect(await run()).toMatchObject({ files: 5, checksum: md5Of(task.archive) });
    expectWhole(out);
    // Each try went on from the one before: nothing was sent twice.
    expect(server.sent).toBe(task.archive.length);
    expect(server.requests.map(({ range }) => range)).toEqual(
      onDisk.map((bytes) => (bytes === 0 ? null : `bytes=${bytes}-`)),
    );
  });

  it('is tried again by itself, with pauses that grow, and goes on where it was', async () => {
    const server = await archiveServer(task.archive, {
      status: (request) => [503, undefined, 429, undefined][request],
      cutAfter: (request) => (request === 1 || request === 3 ? 100_000 : undefined),
      partialFile: partialFile('again'),
    });
    const notes: string[] = [];
    const patience = { ...impatient, retries: 4 };
    await download(
      {
        out: join(folder, 'again'),
        mirror: server.address,
        keepArchive: true,
        patience,
        onNote: (note) => notes.push(note),
      },
      task.archive,
    );
    expectWhole('again');
    expect(notes).toEqual([
      'answered 503, 0 B are here: next try in 0.001 s',
      expect.stringMatching(/^dropped the connection \(.+\), 97\.7 KiB are here: next try in 0\.002 s$/),
      'answered 429, 97.7 KiB are here: next try in 0.004 s',
      expect.stringMatching(/^dropped the connection \(.+\), 195\.3 KiB are here: next try in 0\.008 s$/),
    ]);
    expect(server.requests.map(({ range }) => range)).toEqual([
      null,
      null,
      'bytes=100000-',
      'bytes=100000-',
      'bytes=200000-',
    ]);
  });

  it('is given up after the last retry, with a sentence that says how to go on', async () => {
    const server = await archiveServer(task.archive, { status: () => 500 });
    const patience = { ...impatient, retries: 3 };
    await expect(
      download({ out: join(folder, 'down'), mirror: server.address, patience }, task.archive),
    ).rejects.toMatchObject({
      message: `${new URL(server.address).host} answered 500, however often it was tried; 0 B of ${server.address}/${folderName}.tar are here: run the same command again, and it goes on from there`,
      exitCode: 1,
    });
    expect(server.requests).toHaveLength(4);
  });

  it('is not given up as long as it gets on', async () => {
    const large = await smallTask(join(folder, 'large'), 2_000_000);
    const server = await archiveServer(large.archive, {
      cutAfter: (request) => (request < 3 ? 1_100_000 : undefined),
      partialFile: partialFile('getting-on'),
    });
    const patience = { ...impatient, retries: 1 };
    await download(
      { out: join(folder, 'getting-on'), mirror: server.address, keepArchive: true, patience },
      large.archive,
    );
    expectWhole('getting-on', large);
    expect(server.requests).toHaveLength(4);
  });

  it('counts a connection that brings nothing as dropped', async () => {
    const server = await archiveServer(task.archive, {
      stallAfter: (request) => (request === 0 ? 50_000 : undefined),
    });
    const notes: string[] = [];
    const patience = { retries: 1, firstPauseMs: 1, idleMs: 1500 };
    await download(
      {
        out: join(folder, 'stalled'),
        mirror: server.address,
        keepArchive: true,
        patience,
        onNote: (note) => notes.push(note),
      },
      task.archive,
    );
    expectWhole('stalled');
    expect(notes).toEqual(['sent nothing for 1.5 s, 48.8 KiB are here: next try in 0.001 s']);
    expect(server.requests[1]?.range).toBe('bytes=50000-');
  });

  it('says that a proxy is set which Node does not use', async () => {
    const patience = { ...impatient, idleMs: 1000 };
    const run = () =>
      download({ out: join(folder, 'proxy'), mirror: 'http://127.0.0.1:9', patience }, task.archive);
    await expect(run()).rejects.toThrow(/^127\.0\.0\.1:9 cannot be reached \(.+\).*goes on from there$/);
    process.env.HTTPS_PROXY = 'http://proxy:3128';
    try {
      await expect(run()).rejects.toThrow(
        /goes on from there; HTTPS_PROXY is set, but Node uses it only with /,
      );
    } finally {
      delete process.env.HTTPS_PROXY;
    }
  });
});

/** Cut after 200,000 bytes the first time; afterwards as `later` says. */
async function cutOnce(out: string, first: Parameters<typeof archiveServer>[1], later: typeof first) {
  const server = await archiveServer(task.archive, {
    cutAfter: (request) => (request === 0 ? 200_000 : undefined),
    partialFile: partialFile(out),
    ...first,
  });
  const notes: string[] = [];
  const run = (archive: Buffer) =>
    download(
      {
        out: join(folder, out),
        mirror: server.address,
        keepArchive: true,
        onNote: (note) => notes.push(note),
      },
      archive,
    );
  await expect(run(task.archive)).rejects.toBeInstanceOf(WorkError);
  expect(kept(out)).toHaveLength(200_000);
  Object.assign(server.behaviour, later);
  return { server, notes, run };
}

describe('the second try', () => {
  it('starts over where the server knows no ranges', async () => {
    const { server, run } = await cutOnce('no-ranges', { ranges: false }, {});
    await run(task.archive);
    expectWhole('no-ranges');
    expect(server.requests[1]).toMatchObject({ range: 'bytes=200000-', ifRange: '"first"' });
    expect(server.sent).toBe(200_000 + task.archive.length);
  });

  describe.each([
    ['an ETag', { etag: '"first"' }, { etag: '"second"' }, '"first"', 300_000],
    [
      'a weak ETag and a date',
      { etag: 'W/"1"', lastModified: 'Sun, 01 Feb 2026 00:00:00 GMT' },
      { etag: 'W/"2"', lastModified: 'Mon, 02 Feb 2026 00:00:00 GMT' },
      'Sun, 01 Feb 2026 00:00:00 GMT',
      300_000,
    ],
    [
      'a date alone',
      { etag: null, lastModified: 'Sun, 01 Feb 2026 00:00:00 GMT' },
      { lastModified: 'Mon, 02 Feb 2026 00:00:00 GMT' },
      'Sun, 01 Feb 2026 00:00:00 GMT',
      300_000,
    ],
    ['its size alone', { etag: null }, {}, null, 300_600],
  ])('of a file that the server knows by %s', (name, before, after, ifRange, bytes) => {
    it.each([
      ['honours', true],
      ['ignores', false],
    ])('starts over when it has changed and the server %s the condition', async (how, conditions) => {
      const out = `changed ${name} ${how}`;
      const other = await smallTask(join(folder, 'sources', out), bytes, 9);
      const { server, run } = await cutOnce(
        out,
        { ...before, conditions },
        { ...after, content: other.archive },
      );
      await run(other.archive);
      expectWhole(out, other);
      expect(server.requests[1]).toMatchObject({ range: 'bytes=200000-', ifRange });
    });

    it('goes on when it is the same', async () => {
      const out = `same ${name}`;
      const { server, notes, run } = await cutOnce(out, before, {});
      await run(task.archive);
      expectWhole(out);
      expect(server.sent).toBe(task.archive.length);
      expect(notes).toEqual([]);
    });
  });

  it('says that the archive changed where it has to ask again for that', async () => {
    const other = await smallTask(join(folder, 'said'), 300_100);
    const later = { content: other.archive, etag: '"second"' };
    const { server, notes, run } = await cutOnce('told', { conditions: false }, later);
    await run(other.archive);
    expect(notes).toEqual(['the archive on the server is not the one that was begun: starting over']);
    expect(server.requests.map(({ range }) => range)).toEqual([null, 'bytes=200000-', null]);
  });

  it('starts over when the address is another one', async () => {
    const { run } = await cutOnce('moved', {}, {});
    const other = await smallTask(join(folder, 'elsewhere'), 300_100);
    const mirror = await archiveServer(other.archive);
    await download({ out: join(folder, 'moved'), mirror: mirror.address, keepArchive: true }, other.archive);
    expectWhole('moved', other);
    expect(mirror.requests).toEqual([{ path: `/msd/${folderName}.tar`, range: null, ifRange: null }]);
    await expect(run(other.archive)).rejects.toBeInstanceOf(UsageError);
  });

  it('keeps what is here while another address only refuses', async () => {
    const { server, run } = await cutOnce('refused', {}, {});
    const empty = await archiveServer(task.archive, { status: () => 404 });
    await expect(
      download({ out: join(folder, 'refused'), mirror: empty.address }, task.archive),
    ).rejects.toBeInstanceOf(WorkError);
    await run(task.archive);
    expectWhole('refused');
    expect(server.sent).toBe(task.archive.length);
  });

  it('starts over when the note on what was begun is damaged', async () => {
    const { server, run } = await cutOnce('damaged', {}, {});
    writeFileSync(`${partialFile('damaged')}.json`, '{"schema": 1, "url"');
    await run(task.archive);
    expectWhole('damaged');
    expect(server.requests[1]?.range).toBe(null);
  });

  it('finds by the answer 416 that everything is here, where the server never says the size', async () => {
    const all = task.archive.length;
    const { server, run } = await cutOnce('no-size', { length: false }, { cutAfter: () => all - 200_000 });
    await expect(run(task.archive)).rejects.toBeInstanceOf(WorkError);
    expect(kept('no-size')).toHaveLength(all);
    await run(task.archive);
    expectWhole('no-size');
    expect(server.requests[2]?.range).toBe(`bytes=${all}-`);
    expect(server.sent).toBe(all);
  });

  it('does not take an end that comes too early for the end of the archive', async () => {
    const all = task.archive.length;
    const { server, run } = await cutOnce(
      'early-end',
      {},
      {
        content: task.archive.subarray(0, 250_000),
        length: false,
        headers: { 'content-range': `bytes 200000-${all - 1}/${all}` },
      },
    );
    await expect(run(task.archive)).rejects.toThrow(/dropped the connection \(too early\)/);
    Object.assign(server.behaviour, { content: task.archive, headers: {} });
    await run(task.archive);
    expectWhole('early-end');
    expect(server.requests[2]?.range).toBe('bytes=250000-');
  });

  it('starts over by the answer 416 when the archive has become smaller', async () => {
    const small = await smallTask(join(folder, 'smaller'), 10_000);
    const later = { content: small.archive, etag: '"second"' };
    const { server, run } = await cutOnce('shrunk', { conditions: false }, later);
    await run(small.archive);
    expectWhole('shrunk', small);
    expect(server.requests.map(({ range }) => range)).toEqual([null, 'bytes=200000-', null]);
  });
});

describe('a download that is stopped', () => {
  it.each(['download', 'check', 'unpack'] as const)(
    'while it is at "%s" says so, leaves no dataset, and goes on later',
    async (stage) => {
      const out = `stopped-${stage}`;
      const server = await archiveServer(task.archive);
      const stop = new AbortController();
      const options = { out: join(folder, out), mirror: server.address, keepArchive: true };
      const stopped = download(
        {
          ...options,
          signal: stop.signal,
          onProgress: (progress) => progress.stage === stage && stop.abort(),
        },
        task.archive,
      );
      await expect(stopped).rejects.toBeInstanceOf(InterruptedError);
      await expect(stopped).rejects.toMatchObject({
        message: `interrupted: what is here of ${folderName} is kept; run the same command again, and it goes on from there`,
        exitCode: 130,
      });
      expect(existsSync(place(out))).toBe(false);
      await download(options, task.archive);
      expectWhole(out);
      expect(server.requests).toHaveLength(stage === 'download' ? 2 : 1);
    },
  );

  it('by another process that downloads the same finds the dataset there', async () => {
    const server = await archiveServer(task.archive);
    const options = { out: join(folder, 'both'), mirror: server.address, keepArchive: true };
    const both = await Promise.allSettled([download(options, task.archive), download(options, task.archive)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: expect.any(UsageError),
    });
    expectWhole('both');
    expect(server.requests).toHaveLength(1);
  });
});

describe('a wrong checksum', () => {
  it('is refused, and nothing is left, so that the next try starts over', async () => {
    const server = await archiveServer(task.archive);
    const out = join(folder, 'wrong');
    const published = download({ out, mirror: server.address, checksum: undefined }, task.archive);
    await expect(published).rejects.toBeInstanceOf(DataError);
    await expect(published).rejects.toThrow(
      `${server.address}/${folderName}.tar has ${md5Of(task.archive)}, but md5:9d24dba78a72977dbd1d2e110310f31b is expected, ` +
        'so that it is damaged or another archive: it was removed; run the same command again, or name another place by --mirror',
    );
    expect(readdirSync(out)).toEqual([]);
    await download({ out, mirror: server.address, keepArchive: true }, task.archive);
    expectWhole('wrong');
    expect(server.requests.map(({ range }) => range)).toEqual([null, null]);
  });

  it('is found in bytes that were damaged on disk between two tries', async () => {
    const { run } = await cutOnce('rotten', {}, {});
    const damaged = kept('rotten');
    damaged.writeUInt8(255 - damaged.readUInt8(1000), 1000);
    writeFileSync(partialFile('rotten'), damaged);
    await expect(run(task.archive)).rejects.toBeInstanceOf(DataError);
    expect(readdirSync(join(folder, 'rotten'))).toEqual([]);
    await run(task.archive);
    expectWhole('rotten');
  });

  it('of an archive that was there before leaves it alone; with the right one, nothing is downloaded', async () => {
    const server = await archiveServer(task.archive);
    const out = join(folder, 'own');
    const other = Buffer.from('an archive of somebody');
    mkdirSync(out);
    writeFileSync(`${place('own')}.tar`, other);
    const refused = download({ out, mirror: server.address, keepArchive: true }, task.archive);
    await expect(refused).rejects.toBeInstanceOf(DataError);
    await expect(refused).rejects.toThrow(
      `${place('own')}.tar was here already and has ${md5Of(other)}, but ${md5Of(task.archive)} is expected: ` +
        'remove it to download it anew, or state its checksum by --checksum',
    );
    expect(readFileSync(`${place('own')}.tar`).equals(other)).toBe(true);
    writeFileSync(`${place('own')}.tar`, task.archive);
    await download(
      { out, mirror: server.address, keepArchive: true, checksum: sha256Of(task.archive) },
      other,
    );
    expectWhole('own');
    expect(server.requests).toEqual([]);
  });
});
