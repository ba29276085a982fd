import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets } from '../../src/dataset/index.js';
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
import { runCli } from './run-cli.js';

const folder = temporaryFolder();
const prepared = join(folder, 'prepared');
const size = [40, 36, 34] as const;

beforeAll(async () => {
  for (const name of ['a', 'b']) await writeCase(folder, name, size);
  const datasetsFile = writeJson(
    join(folder, 'good.json'),
    datasetIndex(['a', 'b'].map((name) => labelledCase(name, { split: 'training' }))),
  );
  await prepareDatasets({ datasetsFile, out: prepared, workers: 1 });
});

/** One sentence on standard error, nothing on standard output, the exit code. */
async function refusal(args: readonly string[], code: number): Promise<string> {
  const result = await runCli(args);
  expect(result.stdout).toBe('');
  expect(result.stderr.trim().split('\n')).toHaveLength(1);
  expect(result.stderr).toMatch(/^hybridmim: /);
  expect(result.code).toBe(code);
  return result.stderr.trim();
}

/** `prepare` of one case: what it says of it, and its exit code. */
async function prepareOne(name: string, cases: readonly object[], code: number): Promise<string> {
  const datasets = writeJson(join(folder, `${name}.json`), datasetIndex(cases));
  const result = await runCli(['prepare', '--datasets', datasets, '--out', join(folder, `prepared-${name}`)]);
  expect(result.code).toBe(code);
  return result.stdout.split('\n').find((line) => line.startsWith('skipped ')) ?? '';
}

const pretrain = (...set: string[]) => [
  'pretrain',
  '--config',
  'configs/smoke/pretrain.yaml',
  '--out',
  join(folder, 'refused'),
  '--set',
  `data.prepared=${prepared}`,
  ...set.flatMap((override) => ['--set', override]),
];

describe('an error is one sentence with the right exit code', () => {
  it('for a scan that does not exist', async () => {
    const missing = join(folder, 'nowhere.nii.gz');
    expect(await prepareOne('missing', [{ id: 'x', image: 'nowhere.nii.gz' }], 3)).toBe(
      `skipped ct/x: image ${missing} does not exist: correct its path in the dataset index`,
    );
    expect(await refusal(['pretrain', '--config', 'configs/none.yaml'], 3)).toContain(
      'configuration configs/none.yaml cannot be read',
    );
    expect(await refusal(['pretrain', '--config', 'hybridmim-unet-tc'], 3)).toContain(
      'did you mean pretrain/hybridmim-unet-ct',
    );
    expect(await refusal(['experiment', '--config', 'table1-btcv', '--dry-run'], 2)).toContain(
      'write experiment-tiny/table1-btcv or experiment/',
    );
    expect(
      await refusal(['pretrain', '--config', 'smoke/pretrain', '--set', `data.prepared=${folder}/none`], 3),
    ).toMatch(/index\.json does not exist/);
    expect(
      await refusal(
        ['finetune', '--config', 'configs/smoke/finetune.yaml', '--set', `data.prepared=${folder}/none`],
        3,
      ),
    ).toMatch(/none\/index\.json does not exist: make it with "hybridmim prepare/);
  });

  it('for a truncated .nii.gz', async () => {
    const file = join(folder, 'cut.nii.gz');
    writeFileSync(file, readFileSync(join(folder, 'a.nii.gz')));
    truncateSync(file, 2000);
    expect(await prepareOne('truncated', [{ id: 'x', image: 'cut.nii.gz' }], 3)).toMatch(
      /^skipped ct\/x: .*cut\.nii\.gz is (damaged or )?truncated/,
    );
    expect(existsSync(join(folder, 'prepared-truncated', 'ct', 'x.image.hmv'))).toBe(false);
  });

  it('for a header with absurd sizes', async () => {
    const file = join(folder, 'absurd.nii');
    await writeNifti(
      file,
      volumeOf(size, () => 0),
    );
    const bytes = readFileSync(file);
    for (const axis of [1, 2, 3]) bytes.writeInt16LE(30000, 40 + 2 * axis);
    writeFileSync(file, bytes);
    expect(await prepareOne('absurd', [{ id: 'x', image: 'absurd.nii' }], 3)).toMatch(
      /absurd\.nii: the header gives a size of 30000x30000x30000/,
    );
  });

  it('for label and image of different grids', async () => {
    await writeNifti(
      join(folder, 'other_label.nii.gz'),
      asLabel(volumeOf([40, 36, 30], nestedBoxes([40, 36, 30]))),
    );
    const sentence = await prepareOne(
      'grids',
      [{ id: 'x', image: 'a.nii.gz', label: 'other_label.nii.gz' }],
      3,
    );
    expect(sentence).toMatch(
      /label .*other_label\.nii\.gz has 40x36x30 voxels, but its image .*a\.nii\.gz has 40x36x34: they must share one grid/,
    );
  });

  it('for a label value outside the task’s classes', async () => {
    await writeNifti(join(folder, 'seven_label.nii.gz'), asLabel(volumeOf(size, (x) => (x === 20 ? 7 : 0))));
    const sentence = await prepareOne(
      'value',
      [{ id: 'x', image: 'a.nii.gz', label: 'seven_label.nii.gz' }],
      3,
    );
    expect(sentence).toMatch(
      /seven_label\.nii\.gz holds the value 7, but the task's classes are 0 background, 1 liver, 2 tumour: add the class, or map the value/,
    );
  });

  it('for an unknown key, with the nearest known one', async () => {
    expect(await refusal(pretrain('train.stepz=3'), 2)).toBe(
      'hybridmim: configs/smoke/pretrain.yaml: there is no key "train.stepz"; did you mean "train.steps"?',
    );
  });

  it('for a crop larger than memory allows', async () => {
    expect(await refusal(pretrain('data.cropSize=[4096,4096,4096]', 'method.region=4096'), 2)).toMatch(
      /need .* GiB of memory, but .* GiB is free/,
    );
    const sentence = await refusal(
      pretrain('data.cropSize=[640,640,640]', 'method.region=640', 'network.features=[64,64,128,256,512,64]'),
      2,
    );
    expect(sentence).toMatch(
      /a pre-training step needs at least .* GiB of memory, but .* GiB is free: make data\.cropSize, train\.batchSize or the widths of the network smaller/,
    );
  });

  it('for a batch of 1 with the contrastive loss', async () => {
    expect(await refusal(pretrain('train.batchSize=1'), 2)).toMatch(
      /train\.batchSize is 1, but the contrastive loss needs at least 2/,
    );
  });

  it('for wrong use of the command line', async () => {
    expect(await refusal(['pretrian'], 2)).toMatch(/pretrain/);
    expect(await refusal([], 2)).toContain('no command was given');
    expect(await refusal(['pretrain'], 2)).toMatch(/config.*see "hybridmim pretrain --help"/);
    expect(
      await refusal(['evaluate', '--predictions', folder, '--labels', folder, '--task', 'btvc'], 2),
    ).toContain('did you mean "btcv"?');
    expect(
      await refusal(['evaluate', '--predictions', folder, '--labels', folder, '--classes', 'liver'], 2),
    ).toContain('1=liver,2=tumour');
  });

  it('and leaves nothing behind', () => {
    expect(existsSync(join(folder, 'refused'))).toBe(false);
    const half = readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.partial'));
    expect(half).toEqual([]);
  });

  it('with the place in the code only where --verbose asks for it', async () => {
    const { stderr } = await runCli([...pretrain('train.batchSize=1'), '--verbose']);
    expect(stderr).toMatch(/\n\s+at /);
  });

  it('refuses an experiment whose index lacks its datasets at once, and prepares nothing', async () => {
    const index = join(folder, 'good.json');
    const out = join(folder, 'table1');
    const args = [
      'experiment',
      '--config',
      'experiment/table1-btcv',
      '--set',
      `datasets=${index}`,
      '--out',
      out,
    ];
    expect(await refusal(args, 2)).toMatch(
      /^hybridmim: experiment table1-btcv learns from btcv, .*, which .*good\.json lacks: it has .*; add them as/,
    );
    expect(existsSync(out)).toBe(false);
  });
});
