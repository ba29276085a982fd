import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CaseResult, summarise } from '../../src/evaluation/index.js';
import { writeEvaluation } from '../../src/report/index.js';
import { temporaryFolder } from '../temporary-folder.js';
import { lastLine, runCli } from './run-cli.js';

const folder = temporaryFolder();
const runs = join(folder, 'runs');

beforeAll(async () => {
  const resultOf = (names: readonly string[]): CaseResult => ({
    id: 'a',
    classes: Object.fromEntries(
      names.map((name) => [name, { dice: 0.955, hd95: 0.4, status: 'ok' as const }]),
    ),
  });
  for (const names of [['liver', 'tumour'], ['spleen']])
    await writeEvaluation(join(runs, `msd-${names[0]}.json`), summarise('t', names, [resultOf(names)]));
});

describe('hybridmim report', () => {
  it("writes the page, the figures, and the paper's tables with results of one name in one row", async () => {
    const [out, tables, figures] = ['report.html', 'tables', 'figures'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const named = ['--name', 'msd-liver=ours', '--name', 'msd-spleen=ours'];
    const { code, stdout } = await runCli([
      'report',
      '--from',
      runs,
      '--out',
      out,
      '--tables',
      tables,
      '--figures',
      figures,
      ...named,
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      report: out,
      runs: 0,
      evaluations: 2,
      cases: 0,
      speed: 0,
    });
    expect(readFileSync(out, 'utf8')).toContain('ours (ours)');
    expect(readFileSync(join(tables, 'table-2.md'), 'utf8')).toMatch(
      /\| ours +\| +95\.50 \| [^\n]*95\.50 \| +0\.40 \|/,
    );
    for (const name of ['dice-over-cases-1.svg', 'dice-over-cases-1.png'])
      expect(existsSync(join(figures, name))).toBe(true);
  });

  it.each([
    [['--from', runs, '--out', 'report.pdf'], 2, 'must end in .html'],
    [['--from', runs, '--name', 'msd-liver'], 2, 'must be PATH=NAME'],
    [['--from', runs, '--cases', '1.5'], 2, '--cases is 1.5'],
    [['--from', join(folder, 'nowhere')], 3, 'cannot be read (ENOENT)'],
  ])('refuses %j', async (args, code, message) => {
    const ended = await runCli(['report', ...args]);
    expect(ended.code).toBe(code);
    expect(lastLine(ended.stderr)).toContain(message);
  });
});
