import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { mergeShards, parseShard, prepareDatasets, prepareShard } from '../../../src/dataset/index.js';
import { itemsOfShard } from '../../../src/dataset/prepare/shards.js';
import { InterruptedError, UsageError, WorkError } from '../../../src/errors.js';
import { datasetIndex, labelledCase, temporaryFolder, writeCase, writeJson } from '../generated-data.js';
import { preparedHashes } from '../prepared-hashes.js';

const folder = temporaryFolder();
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
let datasetsFile: string;
const outFolder = (name: string) => join(folder, name);
const listing = (name: string) => readdirSync(outFolder(name), { recursive: true, encoding: 'utf8' }).sort();
const shard = (out: string, index: number, extra: object = {}) =>
  prepareShard({ datasetsFile, out: outFolder(out), workers: 1, ...extra }, { index, count: 3 });
const merge = (out: string) => mergeShards({ datasetsFile, out: outFolder(out) });

beforeAll(async () => {
  for (const [i, name] of names.entries())
    await writeCase(folder, name, [40 + i, 37, 35], { spacing: [1, 1.5, 2] });
  writeFileSync(join(folder, 'broken.nii.gz'), 'no scan');
  const cases = [...names.map((name) => labelledCase(name)), { id: 'broken', image: 'broken.nii.gz' }];
  datasetsFile = writeJson(
    join(folder, 'datasets.json'),
    datasetIndex(cases, { spacing: [0.8, 1, 1.5], foregroundThreshold: -1000 }),
  );
  expect(await prepareDatasets({ datasetsFile, out: outFolder('whole'), workers: 1 })).toMatchObject({
    prepared: 7,
    exitCode: 3,
  });
});

describe('shards of the work', () => {
  it('give the files and the index of one run, in any order and at once, a case that cannot be used included', async () => {
    const [third, first] = await Promise.all([shard('merged', 3), shard('merged', 1)]);
    const second = await shard('merged', 2);
    expect(
      [first, second, third].map(({ prepared, skipped, exitCode }) => [prepared, skipped.length, exitCode]),
    ).toEqual([
      [3, 0, 0],
      [2, 1, 3],
      [2, 0, 0],
    ]);
    expect(readdirSync(outFolder('merged'))).not.toContain('index.json');
    const merged = await merge('merged');
    expect(merged).toMatchObject({ prepared: 0, unchanged: 7, exitCode: 3 });
    expect(merged.skipped.map(({ id }) => id)).toEqual(['ct/broken']);
    expect(preparedHashes(outFolder('merged'))).toEqual(preparedHashes(outFolder('whole')));
    expect(listing('merged')).toEqual(listing('whole'));
    expect(readFileSync(merged.indexFile, 'utf8')).toBe(
      readFileSync(join(outFolder('whole'), 'index.json'), 'utf8'),
    );
    expect(await merge('merged')).toEqual(merged); // a second merge finds the same
  });

  it('are not merged while one is missing or was interrupted, which goes on where it was', async () => {
    const stop = new AbortController();
    const stopped = shard('partly', 1, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toBeInstanceOf(InterruptedError);
    await shard('partly', 2);
    const early = merge('partly');
    await expect(early).rejects.toBeInstanceOf(WorkError);
    await expect(early).rejects.toThrow(
      /partly lacks [345] of 8 cases, the first is ct\/.: run every shard to its end/,
    );
    expect((await shard('partly', 1)).unchanged).toBeGreaterThan(0);
    await shard('partly', 3);
    await merge('partly');
    expect(listing('partly')).toEqual(listing('whole'));
    expect(preparedHashes(outFolder('partly'))).toEqual(preparedHashes(outFolder('whole')));
  });

  it('leave what another shard is writing alone, and clear away what they were killed at', async () => {
    await shard('alone', 1);
    const half = (name: string) => `ct/${name}.image.hmv.01234567-89ab-cdef-0123-456789abcdef.partial`;
    for (const name of ['a', 'b']) writeFileSync(join(outFolder('alone'), half(name)), 'half');
    await shard('alone', 1); // has a, d and g
    expect(listing('alone')).toContain(half('b'));
    expect(listing('alone')).not.toContain(half('a'));
  });

  it('have every item in one of them, however many there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 }), (items, count) => {
        const all = Array.from({ length: items }, (_, i) => i);
        const parts = Array.from({ length: count }, (_, i) => itemsOfShard(all, { index: i + 1, count }));
        expect(parts.flat().sort((a, b) => a - b)).toEqual(all);
        expect(
          Math.max(...parts.map(({ length }) => length)) - Math.min(...parts.map(({ length }) => length)),
        ).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('are named by a part and how many there are, and nothing else', () => {
    expect(parseShard('2/16')).toEqual({ index: 2, count: 16 });
    for (const wrong of ['0/3', '4/3', '1', '1/0', 'a/b', '1/3/5', '-1/3'])
      expect(() => parseShard(wrong), wrong).toThrow(UsageError);
  });
});
