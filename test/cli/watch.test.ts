import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sparkline, watchText } from '../../src/cli/watch-text.js';
import { lockFolder } from '../../src/folder-lock.js';
import { followMetrics, type MetricsLine, readRunStatus } from '../../src/training/index.js';
import { temporaryFolder } from '../temporary-folder.js';
import { lastLine, runCli } from './run-cli.js';

const folder = temporaryFolder();

const stepLine = (step: number, loss: number): MetricsLine => ({
  ...{ step, loss, losses: { dice: loss }, lr: 1e-4, gradientNorm: 1 },
  ...{ seconds: 2, waitSeconds: 0.5 },
});
const validation = (step: number): MetricsLine => ({
  step,
  validation: { dice: 0.81234, 'dice liver': null },
});

describe('what watching a run shows', () => {
  it('is the step, the loss, the rate with the time left, and the last validation', () => {
    const lines = [
      ...Array.from({ length: 60 }, (_, i) => stepLine(i + 1, 4 / (i + 1))),
      validation(40),
      validation(60),
    ];
    expect(watchText({ run: 'runs/a', lines, steps: 1060, ended: undefined, width: 60 }).split('\n')).toEqual(
      [
        'runs/a: step 60 of 1,060 (5 %)',
        expect.stringMatching(/^loss {2}█[▁-█]{20,} 4\.000 at first, 0\.08\d+ now$/),
        'rate  2.00 s a step, 25 % of it waiting for data, 33 min left',
        'validation after step 60: dice 0.8123, dice liver -',
      ],
    );
  });

  it('says how the run ended, and nothing of time left then', () => {
    const text = watchText({
      run: 'r',
      lines: [stepLine(3, 1)],
      steps: 9,
      ended: 'the loss is no number',
      width: 80,
    });
    expect(text.endsWith('waiting for data\nthe loss is no number')).toBe(true);
  });

  it('says that a run has not begun', () => {
    expect(watchText({ run: 'r', lines: [], steps: undefined, ended: undefined, width: 80 })).toBe(
      'r: not begun',
    );
  });

  it('draws bars from the lowest to the highest mean, and a flat line of equal values', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([7, 7, 0, 0], 2)).toBe('█▁');
    expect(sparkline([5, 5, 5], 10)).toBe('▁▁▁');
    expect(sparkline([1], -3)).toBe('▁');
  });
});

describe('following metrics', () => {
  const line = (step: number) => `${JSON.stringify(stepLine(step, 1))}\n`;
  const steps = (look: () => readonly MetricsLine[]) => look().map(({ step }) => step);

  it('takes in what is appended, whole lines only, and begins anew when the log is written anew', () => {
    const look = followMetrics(folder);
    expect(steps(look)).toEqual([]);
    const file = join(folder, 'metrics.jsonl');
    writeFileSync(file, line(1) + line(2).slice(0, 9));
    expect(steps(look)).toEqual([1]);
    appendFileSync(file, line(2).slice(9) + line(3));
    expect(steps(look)).toEqual([1, 2, 3]);
    writeFileSync(join(folder, 'new'), line(1) + line(2) + line(5) + line(6));
    renameSync(join(folder, 'new'), file);
    expect(steps(look)).toEqual([1, 2, 5, 6]);
  });
});

describe('hybridmim watch', () => {
  const run = join(folder, 'run');
  const log = (level: number, msg: string, facts = {}) =>
    appendFileSync(join(run, 'log.jsonl'), `${JSON.stringify({ level, ...facts, msg })}\n`);

  it('follows a run until it ends', async () => {
    mkdirSync(run);
    writeFileSync(join(run, 'config.yaml'), 'seed: 0\n');
    log(30, 'started', { steps: 2 });
    writeFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify(stepLine(1, 1))}\n`);
    const release = await lockFolder(run, 'busy');
    expect(await readRunStatus(run)).toEqual({ steps: 2, ended: undefined, killed: false });
    const once = await runCli(['watch', run, '--once']);
    expect([once.code, once.stdout.split('\n')[0]]).toEqual([0, `${run}: step 1 of 2 (50 %)`]);
    const watched = runCli(['watch', run, '--interval', '0.1']);
    setTimeout(() => {
      appendFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify(stepLine(2, 0.5))}\n`);
      log(30, 'finished', { steps: 2 });
    }, 1500);
    const { code, stdout } = await watched;
    expect([code, lastLine(stdout)]).toEqual([0, 'finished']);
    expect(stdout).toContain('step 2 of 2 (100 %)');
    await release();
  });

  it('prints how a run stands as one record, for programs', async () => {
    const { code, stdout } = await runCli(['watch', run, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      run,
      step: 2,
      steps: 2,
      last: stepLine(2, 0.5),
      validated: null,
      ended: 'finished',
      killed: false,
    });
    const begun = join(folder, 'begun');
    mkdirSync(begun);
    writeFileSync(join(begun, 'config.yaml'), 'seed: 0\n');
    writeFileSync(join(begun, 'metrics.jsonl'), `${JSON.stringify(validation(40))}\n`);
    expect(JSON.parse((await runCli(['watch', begun, '--json'])).stdout)).toMatchObject({
      step: 0,
      steps: null,
      last: null,
      validated: validation(40),
    });
  });

  it('is told why a run stopped, until it is resumed', async () => {
    log(50, 'stopped after step 2 of 4');
    expect((await readRunStatus(run)).ended).toBe('stopped after step 2 of 4');
    log(30, 'started', { steps: 4 });
    const release = await lockFolder(run, 'busy');
    expect(await readRunStatus(run)).toEqual({ steps: 4, ended: undefined, killed: false });
    await release();
  });

  it('is told that a run was killed, when nobody keeps its folder and its log says no end', async () => {
    const { ended, killed } = await readRunStatus(run);
    expect(killed).toBe(true);
    expect(ended).toMatch(/^killed after step 2: its log says no reason, .* --resume goes on/);
    const { code, stdout } = await runCli(['watch', run, '--interval', '0.1']);
    expect([code, lastLine(stdout)]).toEqual([0, ended]);
    const report = await runCli(['report', '--from', folder, '--out', join(folder, 'report.html')]);
    expect(report.stderr).toContain(`the run ${run} was killed after step 2`);
  });

  it.each([
    [['watch', folder], 3, 'is no run folder'],
    [['watch', run, '--interval', '0'], 2, '--interval is 0, but must be above 0'],
  ])('refuses %j', async (args, code, message) => {
    const ended = await runCli(args);
    expect(ended.code).toBe(code);
    expect(lastLine(ended.stderr)).toContain(message);
  });
});
