import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets } from '../../src/dataset/index.js';
import { writePhantoms } from '../../src/phantoms/index.js';
import { readMetrics, type StepLine } from '../../src/training/index.js';
import { temporaryFolder, writeJson } from '../dataset/generated-data.js';
import { longTests } from '../long-tests.js';
import { meanOf } from './plain-loops.js';

interface CodeBlock {
  readonly language: string;
  /** The path that the sentence before the block ends with, as in "`src/x.ts`:"; '' where it names none. */
  readonly file: string;
  readonly text: string;
}

const page = readFileSync('docs/new-method.md', 'utf8');
const blocks: readonly CodeBlock[] = Array.from(
  page.matchAll(/(?:`([^`\n]+)`:\n\n)?```(\w+)\n([\s\S]*?)```/g),
  ([, file = '', language = '', text = '']) => ({ file, language, text }),
);
const settings = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'vitest.config.ts'];
const copied = ['src', 'dist', 'bin', 'scripts', 'configs', ...settings]; // dist: so that tsc compiles what is new
const copiedTests = ['test/global-setup.ts', 'test/pretext/one-pass.ts', 'test/pretext/plain-loops.ts'];
const checkout = temporaryFolder();

beforeAll(async () => {
  for (const name of copied)
    cpSync(name, join(checkout, name), { recursive: true, preserveTimestamps: true });
  for (const name of copiedTests) write(name, readFileSync(name, 'utf8'));
  symlinkSync(resolve('node_modules'), join(checkout, 'node_modules'));
  await preparePhantoms(join(checkout, 'prepared'));
  for (const { file, text } of blocks) if (file) write(file, text);
  const registry = 'src/pretext/registry.ts';
  const changes = blocks.filter(({ language }) => language === 'diff');
  write(
    registry,
    changes.reduce((text, change) => changed(text, change.text), readFileSync(registry, 'utf8')),
  );
});

describe('the page on a new pre-training method', () => {
  it('has the method, its test, its configuration, two lines of the registry and the commands', () => {
    expect(blocks.map(({ language, file }) => [language, file])).toEqual([
      ['ts', 'src/pretext/denoising.ts'],
      ['diff', ''],
      ['diff', ''],
      ['yaml', 'denoising.yaml'],
      ['sh', ''],
      ['ts', 'test/pretext/denoising.test.ts'],
      ['sh', ''],
    ]);
  });

  const [build, pretrain, test] = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.trim().split('\n'));

  it('gives a method that compiles without an error', () => {
    carryOut(build);
  });

  it.runIf(longTests)('gives a method that learns in pre-training by its commands', () => {
    carryOut(pretrain);
    const lines = readMetrics(join(checkout, 'runs', 'denoising'));
    const losses = lines.flatMap((line) => ('losses' in line ? [lossOf(line)] : []));
    expect(losses).toHaveLength(40);
    expect(meanOf(losses.slice(-10))).toBeLessThan(0.5 * meanOf(losses.slice(0, 10)));
    expect(lines.flatMap((line) => ('validation' in line ? [line.step] : []))).toEqual([20, 40]);
  });

  it.runIf(longTests)('gives a test that passes', () => {
    carryOut(test);
  });

  it("gives settings that are checked: the page's own key is known, another is not", () => {
    const { code, output } = carriedOut(`${pretrain} --set method.deviations=1`);
    expect(output).toContain('there is no key "method.deviations"; did you mean "method.deviation"?');
    expect(code).toBe(2);
  });
});

const lossOf = ({ loss, losses }: StepLine): number => {
  expect(losses).toEqual({ reconstruction: loss });
  return loss;
};

function write(name: string, text: string): void {
  mkdirSync(dirname(join(checkout, name)), { recursive: true });
  writeFileSync(join(checkout, name), text);
}

/** A text with the added lines (`+`) of a change below those that show the place (` `) and stand in it once. */
function changed(text: string, change: string): string {
  const lines = change.trimEnd().split('\n');
  const kept = lines.filter((line) => line.startsWith(' '));
  expect(lines.filter((line) => !/^[ +]/.test(line))).toEqual([]);
  const before = kept.map((line) => `${line.slice(1)}\n`).join('');
  const after = lines.map((line) => `${line.slice(1)}\n`).join('');
  expect(text.split(before)).toHaveLength(2);
  return text.replace(before, () => after);
}

function carriedOut(command: string | undefined): { code: number | null; output: string } {
  if (!command) throw new Error('docs/new-method.md has fewer commands than this test runs');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: checkout, encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}

function carryOut(command: string | undefined): void {
  const { code, output } = carriedOut(command);
  expect(code, output).toBe(0);
}

/** Two phantoms to learn from and one that is held out, at 6 mm. */
async function preparePhantoms(out: string): Promise<void> {
  const folder = join(checkout, 'phantoms');
  await writePhantoms(folder, 3, 5);
  const cases = ['training', 'training', 'validation'].map((split, i) => ({
    id: `${i}`,
    image: `phantom-0${i + 1}.nii.gz`,
    split,
  }));
  const intensity = { windowHu: [-175, 250], foregroundThreshold: -500 };
  const dataset = { layout: 'files', modality: 'ct', spacing: [6, 6, 6], ...intensity, cases };
  await prepareDatasets({
    datasetsFile: writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: { phantoms: dataset } }),
    out,
    workers: 1,
  });
}
