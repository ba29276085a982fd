import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type ExperimentResult,
  estimateTable,
  type PlannedCell,
  planCells,
  writeSlurmScripts,
} from '../../src/experiment/index.js';
import { lastLine, runCli } from '../cli/run-cli.js';
import { longTests } from '../long-tests.js';
import { temporaryFolder } from '../temporary-folder.js';
import { itFills, loadTiny, tinyFile } from './tiny-experiment.js';

const folder = temporaryFolder();

itFills('figure4-labels', 'figure5-speed', 'figure6-sizes');

describe.skipIf(!longTests)('an experiment on the command line', () => {
  const out = join(folder, 'resumed');
  const args = ['experiment', '--config', tinyFile('figure5-speed'), '--out', out];
  const armsOf = (...methods: string[]) =>
    `arms=[${methods.map((method) => `{ name: "${method}", network: UNet, method: "${method}" }`).join(', ')}]`;
  const partial = ['subVolume', 'region'].flatMap((key) => ['--set', `methods.HybridMIM.method.${key}=16`]);
  const smaller = [...args, ...partial, '--set', armsOf('ModelGen', 'HybridMIM, not partial', 'HybridMIM')];

  it('that is killed goes on where it was, and repeats no finished cell', async () => {
    const killed = await runCli(smaller, (text, kill) => {
      if (text.includes('HybridMIM, not partial UNet, seed 0 1/4')) kill('SIGKILL');
    });
    expect(killed.code).not.toBe(0);
    const done = join(out, 'pretrain-modelgen-unet-seed-0');
    const before = ['cell.json', 'metrics.jsonl', 'checkpoints/state.json'].map(
      (name) => statSync(join(done, name)).mtimeMs,
    );
    const again = await runCli([...smaller, '--json']);
    expect([again.code, again.stderr.includes('pre-training ModelGen UNet, seed 0 is finished')]).toEqual([
      0,
      true,
    ]);
    expect(
      ['cell.json', 'metrics.jsonl', 'checkpoints/state.json'].map(
        (name) => statSync(join(done, name)).mtimeMs,
      ),
    ).toEqual(before);
    const result = JSON.parse(again.stdout) as ExperimentResult;
    expect(result.pretrainings.map(({ steps }) => steps)).toEqual([4, 4, 4]);
  }, 240_000);

  it('shows a failed cell, runs the others, two at a time, ends with code 1, and tries again only what failed', async () => {
    const failing = [
      ...smaller.map((arg) => (arg === out ? `${out}-failing` : arg)),
      '--jobs',
      '2',
      '--json',
    ];
    const lost = await runCli([...failing, '--set', 'methods.ModelGen.train.learningRate=1.0e30']);
    expect([lost.code, lastLine(lost.stderr)]).toEqual([
      1,
      expect.stringMatching(
        /1 of the runs of tiny-figure5-speed failed, the first, pre-training ModelGen UNet, seed 0: step \d gave a number that is not finite/,
      ),
    ]);
    const { failed, pretrainings } = JSON.parse(lost.stdout) as ExperimentResult;
    expect(failed.map(({ id }) => id)).toEqual(['pretrain-modelgen-unet-seed-0']);
    expect(pretrainings).toHaveLength(2);
    expect(readFileSync(join(`${out}-failing`, 'results.md'), 'utf8')).toMatch(/## Failed/);
  }, 240_000);

  it('that is only to be shown names every run with steps, batch, crop, seed, and time and memory from a measured step', async () => {
    const { code, stdout, stderr } = await runCli([...smaller, '--dry-run', '--json']);
    const { cells } = JSON.parse(stdout) as { cells: PlannedCell[] };
    expect(code).toBe(0);
    expect(cells.map(({ id, steps, batch, crop }) => [id, steps, batch, crop])).toEqual(
      ['modelgen', 'hybridmim-not-partial', 'hybridmim'].map((name) => [
        `pretrain-${name}-unet-seed-0`,
        4,
        2,
        [32, 32, 32],
      ]),
    );
    for (const { seconds, bytes } of cells) {
      expect(seconds).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(1e8); // of a process of its own, program included
    }
    expect(stderr).toMatch(
      /measuring step 2 of 3: pre-training unet by hybridmim, 32 x 32 x 32 \(pre-training HybridMIM, not partial UNet, seed 0\)/,
    );
    expect(stderr).toMatch(/^ {2}[\d.]+ s and \d\.\d GiB with a batch of 2$/m);
    const text = estimateTable(cells);
    expect(text).toMatch(/together \d+ s one after the other on this machine/);
    expect(text.split('\n').filter((line) => line.startsWith('| pre-training'))).toHaveLength(3);
    expect(text).not.toMatch(/of them take up to/);
    expect(estimateTable(cells, 1e8)).toMatch(
      /3 of them take up to \d\.\d GiB of memory, and this machine has 0\.1 GiB: a smaller train\.batchSize takes less/,
    );
  }, 240_000);

  it('that is only to be shown says why a step cannot be measured, and goes on', async () => {
    const large = ['--set', 'pretrain.data.cropSize=[2048,2048,2048]', '--set', armsOf('ModelGen')];
    const { code, stdout } = await runCli([...smaller, ...large, '--dry-run', '--json']);
    const { cells } = JSON.parse(stdout) as { cells: PlannedCell[] };
    expect([code, cells.map(({ seconds, bytes }) => [seconds, bytes])]).toEqual([0, [[null, null]]]);
    expect(cells[0]!.unmeasured).toMatch(
      /a pre-training step needs at least .* GiB of memory, but .* GiB is free/,
    );
  }, 240_000);

  it('is refused with a cell that it does not have', async () => {
    const { code, stderr } = await runCli([...smaller, '--only', 'pretrain-x']);
    expect([code, lastLine(stderr)]).toEqual([
      2,
      expect.stringMatching(/has no cell "pretrain-x"; it has pretrain-modelgen-unet-seed-0/),
    ]);
  });
});

describe('SLURM scripts', () => {
  it('are one array of pre-trainings, one of fine-tunings for each, and depend on what they need', async () => {
    const config = await loadTiny(
      'figure4-labels',
      'arms=[{ name: UNet, network: UNet }, { name: TransVW, network: UNet, method: TransVW }, { name: Own, network: UNet, method: HybridMIM }]',
    );
    const cells = planCells(config, 'out/prepared');
    const scripts = join(folder, 'slurm');
    const submit = readFileSync(
      await writeSlurmScripts({
        name: 'x',
        cells,
        folder: scripts,
        command: ['node', 'bin/it.mjs', '--out', "a b's"],
      }),
      'utf8',
    );
    expect(submit.split('\n').slice(2)).toEqual([
      `prepare=$(sbatch --parsable ${scripts}/prepare.sh)`,
      `pretrain=$(sbatch --parsable --dependency=afterok:$prepare --array=0-1 ${scripts}/pretrain.sh)`,
      `scratch=$(sbatch --parsable --dependency=afterok:$prepare --array=0-1 ${scripts}/scratch.sh)`,
      `finetune_0=$(sbatch --parsable --dependency=afterok:\${pretrain}_0 --array=0-1 ${scripts}/finetune-0.sh)`,
      `finetune_1=$(sbatch --parsable --dependency=afterok:\${pretrain}_1 --array=0-1 ${scripts}/finetune-1.sh)`,
      `sbatch --dependency=afterany:$pretrain:$scratch:$finetune_0:$finetune_1 ${scripts}/collect.sh`,
      '',
    ]);
    const ids = ['pretrain', 'scratch', 'finetune-0', 'finetune-1'].flatMap((name) => {
      const script = readFileSync(join(scripts, `${name}.sh`), 'utf8');
      expect(script).toContain(
        `exec node bin/it.mjs --out 'a b'\\''s' --only "\${cells[$SLURM_ARRAY_TASK_ID]}"`,
      );
      return /cells=\((.*)\)/.exec(script)![1]!.split(' ');
    });
    expect(ids.sort()).toEqual(cells.map(({ id }) => id).sort());
    expect(existsSync(join(scripts, 'logs'))).toBe(true);
  });
});
