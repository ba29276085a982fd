import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig, pretrainConfig, readPreset } from '../src/config/index.js';
import { readDatasetFile, readPreparedIndex } from '../src/dataset/index.js';
import { readEvaluation } from '../src/evaluation/index.js';
import { jsonOrUndefined, parsedJson } from '../src/json.js';
import { readSafetensors } from '../src/network/index.js';
import { collectReport } from '../src/report-sources/index.js';
import { linesOfFile, readText, readTextIfAny } from '../src/text-file.js';
import { readRunState } from '../src/training/checkpoint.js';
import { readMetrics, readRunConfig, readRunStatus } from '../src/training/index.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();

/** A file of zeros that takes no room on the disk: more than a string of JavaScript holds. */
function vast(name: string, gibibytes = 3): string {
  const file = join(folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '');
  truncateSync(file, gibibytes * 2 ** 30);
  return file;
}

describe('a file that is larger than any of its kind', () => {
  it.each<[string, (file: string) => unknown]>([
    ['datasets.json', readDatasetFile],
    ['config.yaml', (file) => loadConfig(pretrainConfig, file)],
    ['preset.json', readPreset],
    ['evaluation.json', readEvaluation],
    ['prepared/index.json', (file) => readPreparedIndex(join(file, '..'))],
    ['run/config.yaml', (file) => readRunConfig(join(file, '..'))],
    ['run/checkpoints/state.json', (file) => readRunState(join(file, '../..'))],
    ['reported/evaluation.json', (file) => collectReport({ from: join(file, '..') })],
  ])('is refused in a sentence: %s', async (name, read) => {
    const before = process.memoryUsage().rss;
    await expect(read(vast(join('vast', name)))).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(new RegExp(`${name} has more than [\\d.]+ MiB, which no such file has`)),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
  });

  it('is no log either', async () => {
    vast('logs/metrics.jsonl', 0.625);
    vast('logs/log.jsonl', 0.625);
    const before = process.memoryUsage().rss;
    expect(readMetrics(join(folder, 'logs'))).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    expect(await readRunStatus(join(folder, 'logs'))).toMatchObject({ killed: false });
  }, 60_000);

  it('has no weights', async () => {
    const nothing = /is no \.safetensors file that can be read: its header is not a JSON object/;
    await expect(readSafetensors(vast('zeros.safetensors'))).rejects.toThrow(nothing);
  });

  it.skipIf(process.platform === 'win32')('neither is a pipe or a device', async () => {
    const pipe = join(folder, 'pipe.safetensors');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, '/dev/zero'])
      await expect(readSafetensors(file)).rejects.toThrow(
        /it is no file, but a folder, a pipe or a device; make it again/,
      );
    await expect(readText('/dev/zero')).rejects.toThrow(/has more than 64\.0 MiB/);
  });
});

describe('text of a file', () => {
  it('is undefined where there is none, and an error where it cannot be read', async () => {
    expect(await readTextIfAny(join(folder, 'none'))).toBeUndefined();
    expect(await readTextIfAny(join(folder, 'none', 'below'))).toBeUndefined();
    await expect(readTextIfAny(folder)).rejects.toThrow(/cannot be read \(EISDIR\)/);
    await expect(readText(join(folder, 'none'))).rejects.toThrow(/none cannot be read \(ENOENT\)/);
  });

  it('may be as long as it may be, and no byte longer', async () => {
    const file = join(folder, 'ten');
    writeFileSync(file, 'äbcdefghi');
    expect(await readText(file, undefined, 10)).toBe('äbcdefghi');
    await expect(readText(file, undefined, 9)).rejects.toThrow(/has more than 9 B/);
  });
});

describe('lines of a file', () => {
  const file = join(folder, 'lines');

  it('are those of its text, wherever reading stops between them, and know where they end', () => {
    const words = fc.array(fc.stringMatching(/^[a-zä😀 ]*$/u), { maxLength: 30 });
    fc.assert(
      fc.property(words, fc.integer({ min: 60_000, max: 70_000 }), (texts, length) => {
        // One line reaches over the bytes that are read at a time.
        const all = ['x'.repeat(length), ...texts];
        writeFileSync(file, all.map((text) => `${text}\n`).join(''));
        appendFileSync(file, 'cut off');
        const lines = [...linesOfFile(file)];
        expect(lines.map(({ text }) => text)).toEqual(all);
        const from = lines[0]!.end;
        expect([...linesOfFile(file, from)]).toEqual(lines.slice(1));
      }),
    );
  });

  it('are passed over where they are longer than a line of ours', () => {
    writeFileSync(file, `a\n${'x'.repeat(2 ** 20 + 1)}\nb\n`);
    expect([...linesOfFile(file)].map(({ text }) => text)).toEqual(['a', undefined, 'b']);
    rmSync(file);
  });
});

describe('JSON', () => {
  const nested = (depth: number) => `{"a\\"[[[": ${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

  it('may be nested a hundred deep, and no deeper: what walks through it has a stack', () => {
    expect(parsedJson(nested(100))).toBeDefined();
    expect(() => parsedJson(nested(101))).toThrow(/more than 100 deep/);
    expect(jsonOrUndefined('['.repeat(100_000) + ']'.repeat(100_000))).toBeUndefined();
  });

  it('is otherwise what JavaScript takes it for, brackets in strings too', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'));
        const text = JSON.stringify({ value, brackets: '[[{"\\'.repeat(60) });
        expect(parsedJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});
