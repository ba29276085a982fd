import { existsSync, mkdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { planProject, runProject, writePlan } from '../../src/project/index.js';
import { writeNifti } from '../../src/volume/index.js';
import { asLabel, temporaryFolder, volumeOf } from '../dataset/generated-data.js';
import { longTests } from '../long-tests.js';
import { lastLine, runCli } from './run-cli.js';

const folder = temporaryFolder();
const project = join(folder, 'project');
const set = ['train.steps=2', 'train.warmupSteps=1'];
const short = set.flatMap((override) => ['--set', override]);

beforeAll(async () => {
  for (const part of ['images', 'labels']) mkdirSync(join(folder, 'scans', part), { recursive: true });
  mkdirSync(join(folder, 'labelled'));
  const inside = (p: readonly number[]) => p.every((n) => n > 5 && n < 14);
  for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const value = (x: number, y: number, z: number) =>
      (inside([x, y, z]) ? 700 : 300) + ((x * 7 + y + i) % 9);
    await writeNifti(join(folder, 'scans', 'images', `${name}.nii.gz`), volumeOf([20, 20, 20], value));
    const label = volumeOf([20, 20, 20], (x, y, z) => (inside([x, y, z]) ? 1 : 0));
    if (i < 3) await writeNifti(join(folder, 'scans', 'labels', `${name}.nii.gz`), asLabel(label));
    if (i > 1) continue;
    await writeNifti(join(folder, 'labelled', `${name}.nii.gz`), volumeOf([20, 20, 20], value));
    await writeNifti(join(folder, 'labelled', `${name}_seg.nii.gz`), asLabel(label));
  }
});

describe('from a folder of scans to a report', () => {
  it('plans by steps that were taken on this machine, below the memory that it may take', async () => {
    const args = ['plan', join(folder, 'scans'), '--out', project, '--memory', '2GiB', '--hours', '0.01'];
    const { code, stdout } = await runCli([...args, '--classes', '1=cube', '--json']);
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(plan).toMatchObject({ schema: 1, fingerprint: { modality: 'mr', scans: 5, labelled: 3 } });
    expect(plan.expected.memoryBytes).toBeLessThan(2 * 2 ** 30);
    expect(plan.expected.memoryBytes).toBeGreaterThan(2e8);
    for (const file of plan.files) expect(existsSync(file)).toBe(true);
    const again = await runCli(args);
    expect([again.code, lastLine(again.stderr)]).toEqual([
      2,
      expect.stringContaining('already holds a plan'),
    ]);
  });

  it('runs all steps, stops at Ctrl-C, goes on, and does nothing again that is finished', async () => {
    let sent = false;
    const stopped = await runCli(['run', project, ...short], (text, kill) => {
      if (sent || !text.includes('pre-training into')) return;
      sent = true;
      kill('SIGINT');
    });
    expect(stopped.code).toBe(130);
    const steps: string[] = [];
    const goesOn = () => runProject({ project, set, onStep: (step) => steps.push(step) });
    const { evaluations, report } = await goesOn();
    expect(steps.map((step) => step.split(' ')[0])).toEqual([
      'preparing',
      'pre-training',
      'fine-tuning',
      'evaluating',
      'writing',
    ]);
    expect(report).toBe(join(project, 'report.html'));
    expect(evaluations.map(({ evaluation }) => [evaluation.weights, evaluation.cases.length])).toEqual([
      [{ checkpoint: 'last', chosenOnTheseCases: false }, 1],
    ]);
    const times = () =>
      ['report.html', 'runs/finetune/evaluation.json', 'runs/pretrain/checkpoints/state.json'].map(
        (file) => statSync(join(project, file)).mtimeMs,
      );
    const before = times();
    steps.length = 0;
    await goesOn();
    expect(times()).toEqual(before);
    const made = () => steps.filter((step) => /^(?:evaluating|writing)/.test(step)).length;
    expect(made()).toBe(0);
    // The clock was set back since: what is dated later than now cannot be compared.
    const later = new Date(Date.now() + 3_600_000);
    for (const file of ['report.html', 'runs/finetune/evaluation.json'])
      utimesSync(join(project, file), later, later);
    await goesOn();
    expect(made()).toBe(2);
  });

  it('says what came out, and where, when all is done', async () => {
    const { code, stdout, stderr } = await runCli(['run', project, ...short]);
    expect([code, stderr.match(/prepare 5\/5 .*unchanged/)?.length]).toEqual([0, 1]);
    expect(stdout).toMatch(/\| cube/);
    expect(lastLine(stdout)).toBe(join(project, 'report.html'));
  });

  it.skipIf(!longTests)(
    'evaluates every labelled scan once in folds, after a pre-training without them',
    async () => {
      const { evaluations } = await runProject({ project, set, folds: 3 });
      const held = evaluations.map(({ evaluation }) => evaluation.cases.map(({ id }) => id));
      expect(held.map(({ length }) => length)).toEqual([1, 1, 1]);
      expect(held.flat().sort()).toEqual(['scans/a', 'scans/b', 'scans/c']);
      const log = readFileSync(join(project, 'runs', 'pretrain-unlabelled', 'config.yaml'), 'utf8');
      expect(log).toMatch(/split: unlabelled/);
      const all = join(folder, 'all-labelled');
      await writePlan(
        await planProject({
          ...{ out: all, memoryBytes: 2 ** 33, hours: 1, seed: 0 },
          take: async () => ({ seconds: 0.01, peakBytes: 1 }),
          folders: [join(folder, 'labelled')],
        }),
      );
      await expect(runProject({ project: all, set, folds: 2 })).rejects.toThrow(
        /every scan has a label, so that each is held out in one fold: leave --folds out, or give --share-pretraining/,
      );
      expect(existsSync(join(all, 'runs'))).toBe(false);
    },
  );

  it('takes the run as weights, and says what a run would take without writing', async () => {
    const [dry, wrong] = [join(folder, 'dry'), join(folder, 'wrong')];
    const finetune = ['finetune', '--config', join(project, 'finetune.yaml'), ...short];
    const tried = await runCli([
      ...finetune,
      ...['--init', join(project, 'runs', 'pretrain'), '--out', dry, '--dry-run', '--json'],
    ]);
    expect(JSON.parse(tried.stdout)).toMatchObject({ cases: 2, steps: 2, refused: null });
    expect(existsSync(dry)).toBe(false);
    const typo = await runCli([...finetune, '--init', 'typo.safetensors', '--out', wrong]);
    expect([typo.code, lastLine(typo.stderr)]).toEqual([
      3,
      'hybridmim: the weights file typo.safetensors does not exist: give a .safetensors file or the folder of a run',
    ]);
    expect(existsSync(wrong)).toBe(false);
    const out = join(folder, 'predictions');
    const input = join(folder, 'scans', 'images');
    const run = ['predict', '--weights', join(project, 'runs', 'finetune'), '--input', input, '--out', out];
    const predicted = await runCli([...run, '--dry-run', '--json']);
    expect(JSON.parse(predicted.stdout)).toMatchObject({ schema: 1, scans: 5 });
    expect(existsSync(out)).toBe(false);
  });

  it('refuses a CT before a network of MR, and a folder without a plan', async () => {
    const ct = join(folder, 'ct.nii.gz');
    await writeNifti(
      ct,
      volumeOf([20, 20, 20], (x) => (x < 4 ? -1000 : 40)),
    );
    const refused = await runCli([
      ...['predict', '--run', join(project, 'runs', 'finetune'), '--input', ct],
      ...['--out', join(folder, 'ct-label.nii.gz')],
    ]);
    expect([refused.code, lastLine(refused.stderr)]).toEqual([
      3,
      `hybridmim: ${ct} has values from -1000 to 40, as CT has, but the network was trained on MR: give a network of CT, or say with --preset how the scan is to be prepared`,
    ]);
    const missing = await runCli(['run', join(folder, 'scans')]);
    expect([missing.code, lastLine(missing.stderr)]).toEqual([
      2,
      expect.stringContaining('holds no plan (plan.json)'),
    ]);
  });
});
