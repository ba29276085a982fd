import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { prepareDatasets } from '../../src/dataset/index.js';
import { type CaseResult, summarise } from '../../src/evaluation/index.js';
import { paperFigure, writeEvaluation, writeReport } from '../../src/report/index.js';
import { collectReport } from '../../src/report-sources/index.js';
import { writeNifti } from '../../src/volume/index.js';
import {
  asLabel,
  datasetIndex,
  labelledCase,
  nestedBoxes,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
const prepared = join(folder, 'prepared');
const size = [24, 22, 20] as const;

const resultOf = (id: string, dice: number): CaseResult => ({
  id,
  classes: { liver: { dice, hd95: 2, status: 'ok' }, tumour: { dice: 0, hd95: null, status: 'missed' } },
});
const evaluation = (...cases: CaseResult[]) => summarise('task', ['liver', 'tumour'], cases);

beforeAll(async () => {
  for (const name of ['a', 'b']) await writeCase(folder, name, size);
  const cases = ['a', 'b'].map((name) => labelledCase(name, { split: 'test' }));
  await prepareDatasets({
    datasetsFile: writeJson(join(folder, 'datasets.json'), datasetIndex(cases)),
    out: prepared,
    workers: 1,
  });
  const run = join(runs, 'first');
  mkdirSync(join(run, 'predictions'), { recursive: true });
  writeFileSync(
    join(run, 'config.yaml'),
    stringify({ data: { prepared, fraction: 0.2 }, network: { name: 'unet' }, init: 'weights.safetensors' }),
  );
  const steps = [1, 2].map((step) => ({
    step,
    loss: 1 / step,
    losses: { dice: 1 / step },
    lr: 1e-4,
    gradientNorm: 1,
    seconds: 1,
    waitSeconds: 0,
  }));
  writeFileSync(
    join(run, 'metrics.jsonl'),
    `${steps.map((line) => JSON.stringify(line)).join('\n')}\n{"step": 3, "lo`,
  );
  await writeEvaluation(
    join(run, 'evaluation-test.json'),
    evaluation(resultOf('ct/a', 0.5), resultOf('ct/b', 0.4)),
  );
  await writeEvaluation(join(run, 'evaluation-training.json'), evaluation(resultOf('ct/a', 0.99)));
  for (const name of ['a', 'b'])
    await writeNifti(
      join(run, 'predictions', `${name}.nii.gz`),
      asLabel(volumeOf([...size], nestedBoxes([...size]))),
    );
  await writeEvaluation(join(runs, 'others', 'unetr.json'), evaluation(resultOf('x', 0.7)));
  writeJson(join(runs, 'others', 'evaluation-broken.json'), { schema: 1, task: 3 });
  writeJson(join(runs, 'others', 'anything.json'), { hello: 1 });
  writeJson(join(run, 'evaluation-test.summary.json'), {
    foreground_mean: {},
    mean: {},
    metric_per_case: [],
  }); // as nnU-Net writes it
  const measured = {
    network: 'unet',
    method: 'hybridmim',
    precision: 'float32',
    region: [64, 64, 64],
    stepMs: { median: 5, min: 4, max: 6 },
  };
  writeJson(join(runs, 'speed.json'), { schema: 1, machine: {}, results: [measured] });
});

describe('the folder of an experiment', () => {
  it("gives the arm of each of its runs, and the paper's figure that it is drawn as, which the page shows", async () => {
    const from = join(folder, 'experiment');
    writeJson(join(from, 'cell', 'cell.json'), {
      schema: 1,
      paperTable: 4,
      result: { arm: 'HybridMIM(Swin)' },
    });
    await writeEvaluation(join(from, 'cell', 'evaluation-validation.json'), evaluation(resultOf('a', 0.5)));
    const point = { row: '32-16-96', share: 1, dice: 0.8, seconds: 12.5 };
    const figure = paperFigure(6, [point]);
    writeJson(join(from, 'results.json'), { schema: 1, name: 'sizes', runs: [], figure });
    writeJson(join(from, 'none', 'results.json'), { schema: 1, name: 'table', runs: [], figure: null });
    const content = await collectReport({ from });
    expect(content.evaluations.map(({ arm, table }) => [arm, table])).toEqual([['HybridMIM(Swin)', 4]]);
    expect(content.paperFigures).toEqual([figure]);
    expect(content.notes).toEqual([]);
    const page = join(folder, 'experiment.html');
    await writeReport(page, content);
    expect(readFileSync(page, 'utf8')).toMatch(/The paper&#39;s figures|The paper's figures/);
    expect(readFileSync(page, 'utf8')).toMatch(
      /32-16-96: Dice 80.00 %, published Dice 85.57 %, 12.50 s a step, published 0.68 s a step/,
    );
  });
});

describe('what a report is collected from', () => {
  it('is every run, evaluation and measurement under the folder, by path', async () => {
    const { runs: found, evaluations, speed, notes } = await collectReport({ from: runs });
    expect(found.map(({ name, lines }) => [name, lines.length])).toEqual([['first', 2]]);
    expect(
      evaluations.map(({ name, split, network, fraction, pretrained }) => [
        name,
        split,
        network,
        fraction,
        pretrained,
      ]),
    ).toEqual([
      ['first, test cases', 'test', 'unet', 0.2, true],
      ['first, training cases', 'training', 'unet', 0.2, true],
      [join('others', 'unetr'), undefined, undefined, undefined, undefined],
    ]);
    expect(speed).toEqual([
      {
        network: 'unet',
        method: 'hybridmim',
        precision: 'float32',
        region: '64x64x64',
        medianMs: 5,
        minMs: 4,
        maxMs: 6,
      },
    ]);
    expect(notes).toEqual([
      `${join(runs, 'others', 'evaluation-broken.json')} is no evaluation: task is wrong`,
    ]);
  });

  it('shows names that are given in place of paths', async () => {
    const names = new Map([
      ['first', 'HybridMIM'],
      [join('others', 'unetr'), 'UNETR'],
    ]);
    const { runs: found, evaluations } = await collectReport({ from: runs, names });
    expect(found[0]!.name).toBe('HybridMIM');
    expect(evaluations.map(({ name }) => name)).toEqual([
      'HybridMIM, test cases',
      'HybridMIM, training cases',
      'UNETR',
    ]);
  });

  it('reads the scan, the reference and the prediction of a held-out case, but of no training case', async () => {
    const { cases } = await collectReport({ from: runs });
    expect(cases.map(({ id, name, result }) => [id, name, result.classes.liver!.dice])).toEqual([
      ['ct/a', 'first, test cases', 0.5],
      ['ct/b', 'first, test cases', 0.4],
    ]);
    const { image, reference, prediction } = await cases[0]!.load();
    expect([image.size, prediction.size]).toEqual([[...size], [...size]]);
    expect([...reference.data]).toEqual([...prediction.data]);
    expect(cases[0]!.classes).toEqual([
      { name: 'liver', values: [1] },
      { name: 'tumour', values: [2] },
    ]);
  });

  it('becomes a page that names a case whose files are gone', async () => {
    const content = await collectReport({ from: runs });
    const gone = {
      ...content.cases[0]!,
      load: () => Promise.reject(new (class extends Error {})('not ours')),
    };
    await expect(writeReport(join(folder, 'r.html'), { ...content, cases: [gone] })).rejects.toThrow(
      'not ours',
    );
    writeFileSync(join(runs, 'first', 'predictions', 'a.nii.gz'), 'no volume');
    await writeReport(join(folder, 'r.html'), content);
    const page = readFileSync(join(folder, 'r.html'), 'utf8');
    expect(page).toContain('ct/a, first, test cases is not shown: ');
    expect(page.match(/<script type="application\/json"/g)).toHaveLength(1);
  });

  it('shows the case of each run where two of one name share it', async () => {
    for (const run of ['first', 'second']) {
      mkdirSync(join(folder, 'twins', run, 'predictions'), { recursive: true });
      writeFileSync(
        join(folder, 'twins', run, 'config.yaml'),
        stringify({ data: { prepared }, network: { name: 'unet' } }),
      );
      await writeEvaluation(
        join(folder, 'twins', run, 'evaluation-test.json'),
        evaluation(resultOf('ct/a', run === 'first' ? 0.5 : 0.6)),
      );
      await writeNifti(
        join(folder, 'twins', run, 'predictions', 'a.nii.gz'),
        asLabel(volumeOf([...size], nestedBoxes([...size]))),
      );
    }
    const names = new Map(['first', 'second'].map((run) => [run, 'ours']));
    await writeReport(
      join(folder, 'twins.html'),
      await collectReport({ from: join(folder, 'twins'), names }),
    );
    const page = readFileSync(join(folder, 'twins.html'), 'utf8');
    const tables = page.split('<details>').slice(1);
    expect(tables.map((table) => /data-case="([^"]+)"/.exec(table)![1])).toEqual(['case-1', 'case-2']); // worst first: 0.5, then 0.6
  });

  it.each([
    ['that is not there', 'nowhere', 'cannot be read (ENOENT)'],
    ['without results', 'prepared', 'holds nothing to report'],
  ])('is refused when it is a folder %s', async (_, name, message) => {
    await expect(collectReport({ from: join(folder, name) })).rejects.toThrow(message);
  });
});
