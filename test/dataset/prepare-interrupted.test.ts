import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets, readPreparedIndex } from '../../src/dataset/index.js';
import { InterruptedError } from '../../src/errors.js';
import { datasetIndex, labelledCase, temporaryFolder, writeCase, writeJson } from './generated-data.js';
import { preparedHashes } from './prepared-hashes.js';

const folder = temporaryFolder();
const names = ['a', 'b', 'c', 'd', 'e', 'f'];
let datasetsFile: string;
let whole: Record<string, string>;
const outFolder = (name: string) => join(folder, name);
const prepare = (out: string, extra: object = {}) =>
  prepareDatasets({ datasetsFile, out: outFolder(out), workers: 1, ...extra });

beforeAll(async () => {
  for (const [i, name] of names.entries())
    await writeCase(folder, name, [40 + i, 37, 35], { spacing: [1, 1.5, 2] });
  const cases = names.map((name) => labelledCase(name));
  datasetsFile = writeJson(
    join(folder, 'datasets.json'),
    datasetIndex(cases, { spacing: [0.8, 1, 1.5], foregroundThreshold: -1000 }),
  );
  expect((await prepare('whole')).prepared).toBe(names.length);
  whole = preparedHashes(outFolder('whole'));
});

/** Nothing but whole cases and the index, as after a run that nobody interrupted. */
function expectWholeFolder(out: string): void {
  expect(preparedHashes(outFolder(out))).toEqual(whole);
  const listing = (name: string) =>
    readdirSync(outFolder(name), { recursive: true, encoding: 'utf8' }).sort();
  expect(listing(out)).toEqual(listing('whole'));
}

describe('preparing', () => {
  it('gives the same bytes with one thread and with three', async () => {
    const { index, prepared } = await prepare('threads', { workers: 3 });
    expect(prepared).toBe(names.length);
    expectWholeFolder('threads');
    expect(index).toEqual(await readPreparedIndex(outFolder('whole')));
  });

  it.each([1, 2])(
    'continues after an interruption where it was, with a limit of %i threads',
    async (workers) => {
      const out = `interrupted-${workers}`;
      const stop = new AbortController();
      const stopped = prepare(out, {
        workers,
        signal: stop.signal,
        onProgress: ({ done }: { done: number }) => done === 3 && stop.abort(),
      });
      await expect(stopped).rejects.toBeInstanceOf(InterruptedError);
      await expect(stopped).rejects.toMatchObject({
        exitCode: 130,
        // with two threads the other case may just have been finished as well
        message: /^prepare was interrupted after [34] of 6 cases: run the same command again to continue$/,
      });
      const { prepared, unchanged } = await prepare(out, { workers });
      expect(unchanged).toBeGreaterThanOrEqual(3);
      expect(prepared + unchanged).toBe(names.length);
      expectWholeFolder(out);
    },
  );

  it('does nothing after a signal that was given before it began', async () => {
    await expect(prepare('early', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      exitCode: 130,
      message: /after 0 of 6 cases/,
    });
    expect(preparedHashes(outFolder('early'))).toEqual({});
  });

  // The killed process leaves a lock that goes stale after 10 s, for which the second run waits.
  it('gives the files of an uninterrupted run when it is killed in the middle and run again', async () => {
    const done = await killedRun('killed', 2);
    const { prepared, unchanged } = await prepare('killed');
    expect(unchanged).toBeGreaterThanOrEqual(done);
    expect(prepared).toBeGreaterThan(0);
    expectWholeFolder('killed');
  });

  it('waits for another run in the same folder, and then finds everything done', async () => {
    const [first, second] = await Promise.all([prepare('shared'), prepare('shared')]);
    expect([first.prepared, second.prepared].sort()).toEqual([0, names.length]);
    expectWholeFolder('shared');
  });
});

/** Runs prepare in a process of its own and kills it with SIGKILL while it works on what comes after `after` cases. */
async function killedRun(out: string, after: number): Promise<number> {
  const entry = pathToFileURL(join('dist', 'dataset', 'index.js')).href;
  const code = `import { prepareDatasets } from ${JSON.stringify(entry)};
    await prepareDatasets({ datasetsFile: ${JSON.stringify(datasetsFile)}, out: ${JSON.stringify(outFolder(out))}, workers: 1,
      onProgress: ({ done }) => console.log(done) });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let done = 0;
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      done = Number(chunk.toString().trim().split('\n').at(-1));
      if (done >= after) setTimeout(() => child.kill('SIGKILL'), Math.random() * 20);
    });
    child.on('exit', (_, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error('prepare ended before it was killed')),
    );
  });
  return done;
}
