import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readVolume, readVolumeHeader } from '../../src/volume/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { lastLine, runCli } from './run-cli.js';

const folder = temporaryFolder();
const prepared = join(folder, 'prepared');
const [pretrained, finetuned] = [join(folder, 'pretrained'), join(folder, 'finetuned')];
const data = ['--set', `data.prepared=${prepared}`];

beforeAll(async () => {
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) await writeCase(folder, name, [40, 36, 34]);
  writeJson(
    join(folder, 'datasets.json'),
    datasetIndex(names.map((name, i) => labelledCase(name, { split: i < 3 ? 'training' : 'validation' }))),
  );
});

describe('the command line, from scans to a table', () => {
  it('says what there is, as people and as scripts read it', async () => {
    const { code, stdout } = await runCli(['doctor', '--json']);
    const diagnosis = JSON.parse(stdout);
    expect(diagnosis).toMatchObject({
      schema: 1,
      runtime: { tensorflow: expect.stringMatching(/^2\./), variant: expect.stringMatching(/^(cpu|cuda)$/) },
    });
    expect(diagnosis.runtime.devices).toContain('CPU:0');
    expect(diagnosis.checks.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining([
        'node',
        'platform',
        'disk',
        'memory',
        'tensorflow',
        'devices',
        'threads',
        'bfloat16',
        'gpu',
        'step in float32 on CPU:0',
        'step in bfloat16 on CPU:0',
      ]),
    );
    expect(code).toBe(diagnosis.ok ? 0 : 1);
    expect((await runCli(['doctor'])).stdout).toMatch(
      /step in float32 on CPU:0\s+compiled in \d+ ms and right/,
    );
  });

  it('prepares, and the second time does nothing', async () => {
    const args = ['prepare', '--datasets', join(folder, 'datasets.json'), '--out', prepared];
    const first = await runCli(args);
    expect(first.stdout).toMatch(/\| ct +\| +3 \| +1 \|/);
    expect(first.stdout).toContain('4 prepared, 0 unchanged, 0 skipped');
    expect(first.code).toBe(0);
    const { stdout } = await runCli([...args, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, prepared: 0, unchanged: 4, skipped: [] });
  });

  it('pre-trains, stops at Ctrl-C with 130 and its state saved, and resumes', async () => {
    const args = ['pretrain', '--config', 'configs/smoke/pretrain.yaml', ...data, '--out', pretrained];
    let sent = false;
    const stopped = await runCli(
      [...args, '--set', 'train.steps=2000', '--set', 'train.validateEvery=0'],
      (text, kill) => {
        if (sent || !text.includes('pre-training 1/2000')) return;
        sent = true;
        kill('SIGINT');
      },
    );
    expect(stopped.stderr).toMatch(
      /stopped after step \d+ of 2000, state saved: continue with the same command and --resume\n$/,
    );
    expect(stopped.stdout).toBe('');
    expect(stopped.code).toBe(130);
    expect(existsSync(join(pretrained, 'checkpoints', 'last.safetensors'))).toBe(true);
    const resumed = await runCli(
      [...args, '--set', 'train.steps=2000', '--set', 'train.validateEvery=0', '--resume'],
      (text, kill) => {
        if (/resumed after step \d+/.test(text)) kill('SIGTERM');
      },
    );
    expect(resumed.code).toBe(130);
    const whole = await runCli([...args.slice(0, -1), `${pretrained}-whole`, '--json']);
    expect(JSON.parse(whole.stdout)).toMatchObject({
      schema: 1,
      steps: 12,
      last: expect.stringContaining('last.safetensors'),
    });
    expect(readdirSync(`${pretrained}-whole`)).toEqual(
      expect.arrayContaining(['config.yaml', 'log.jsonl', 'metrics.jsonl', 'progress.png', 'checkpoints']),
    );
    const log = readFileSync(join(`${pretrained}-whole`, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(log.map((line) => JSON.parse(line).msg)).toEqual(
      expect.arrayContaining(['started', 'validated', 'checkpoint', 'finished']),
    );
  });

  it('ends a run in one sentence when its folder is taken from it', async () => {
    const out = join(folder, 'taken');
    const args = ['pretrain', '--config', 'configs/smoke/pretrain.yaml', ...data, '--out', out];
    const { code, stderr } = await runCli(
      [...args, '--set', 'train.steps=200000', '--set', 'train.validateEvery=0'],
      (text) => {
        if (text.includes('pre-training 1/')) rmSync(`${out}.lock`, { recursive: true, force: true }); // looked at every five seconds
      },
    );
    expect(lastLine(stderr)).toBe(
      `hybridmim: ${out} was removed, or another process took it over, while this one was writing to it: see who did, and run the command again`,
    );
    expect(code).toBe(1);
  });

  it('fine-tunes from those weights', async () => {
    const init = join(`${pretrained}-whole`, 'checkpoints', 'last.safetensors');
    const { stdout, code } = await runCli([
      'finetune',
      '--config',
      'configs/smoke/finetune.yaml',
      ...data,
      '--init',
      init,
      '--out',
      finetuned,
    ]);
    expect(stdout).toMatch(/fine-tuned for 12 steps: .*last\.safetensors\nbest mean Dice/);
    expect(code).toBe(0);
  });

  it('does a run again from the configuration that it kept, with the weights that it began with', async () => {
    const again = join(folder, 'again');
    const kept = ['finetune', '--config', join(finetuned, 'config.yaml')];
    const { code, stderr } = await runCli([...kept, '--out', again]);
    expect(stderr).toMatch(/transferred encoder and decoder from .*last\.safetensors/);
    expect(code).toBe(0);
    const last = (run: string) => readFileSync(join(run, 'checkpoints', 'last.safetensors'));
    expect(last(again).equals(last(finetuned))).toBe(true);
    const scratch = join(folder, 'scratch');
    const none = await runCli([...kept, '--set', 'init=null', '--set', 'train.steps=1', '--out', scratch]);
    expect(none.code).toBe(0);
    expect(existsSync(join(scratch, 'transfer.json'))).toBe(false);
    const wrong = await runCli([...kept, '--set', 'init=[a]', '--out', join(folder, 'wrong')]);
    expect(lastLine(wrong.stderr)).toMatch(/config\.yaml: "init" is \["a"\], but must be/);
    expect(wrong.code).toBe(2);
  });

  it('evaluates the run, and the same two folders give the same numbers', async () => {
    const { stdout, code } = await runCli(['evaluate', '--run', finetuned, '--json']);
    expect(code).toBe(0);
    const ofRun = JSON.parse(stdout);
    expect(ofRun).toMatchObject({ schema: 1, task: 'finetuned', mean: { dice: {}, hd95: {} } });
    expect(ofRun.cases.map(({ id }: { id: string }) => id)).toEqual(['ct/d']);
    for (const ending of ['json', 'md', 'csv'])
      expect(existsSync(join(finetuned, `evaluation.${ending}`))).toBe(true);
    const labels = join(folder, 'labels');
    mkdirSync(labels);
    copyFileSync(join(folder, 'd_label.nii.gz'), join(labels, 'd.nii.gz'));
    const flags = [
      '--predictions',
      join(finetuned, 'predictions'),
      '--labels',
      labels,
      '--classes',
      '1=liver,2=tumour',
      '--out',
      join(folder, 'e.json'),
    ];
    const ofFolders = JSON.parse((await runCli(['evaluate', ...flags, '--json'])).stdout);
    expect(Object.values(ofFolders.cases[0].classes)).toEqual(Object.values(ofRun.cases[0].classes));
  });

  it('predicts one scan and a folder, on the scan’s own grid, with logits where asked', async () => {
    const scan = join(folder, 'd.nii.gz');
    const out = join(folder, 'one', 'd_seg.nii.gz');
    const { code, stdout } = await runCli([
      'predict',
      '--run',
      finetuned,
      '--input',
      scan,
      '--out',
      out,
      '--save-logits',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      predictions: [{ name: 'd', label: out, logits: join(folder, 'one', 'd_seg_logits.nii.gz') }],
    });
    const [source, label, logits] = await Promise.all(
      [scan, out, join(folder, 'one', 'd_seg_logits.nii.gz')].map(readVolumeHeader),
    );
    expect(label).toMatchObject({ size: source!.size, channels: 1 });
    expect(logits).toMatchObject({ size: source!.size, channels: 3 });
    label!.affine.rows.forEach((value, i) => {
      expect(value).toBeCloseTo(source!.affine.rows[i]!, 4);
    });
  });

  it('writes one mask a class where asked, which together are the label', async () => {
    const out = join(folder, 'masks', 'd.nii.gz');
    const flags = ['--run', finetuned, '--input', join(folder, 'd.nii.gz'), '--out', out];
    const { code, stdout, stderr } = await runCli(['predict', ...flags, '--masks-per-class', '--json']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^predict 0\/1 d, window 1 of \d+/m);
    const masks = Object.fromEntries(
      ['liver', 'tumour'].map((name) => [name, join(folder, 'masks', 'd', `${name}.nii.gz`)]),
    );
    expect(JSON.parse(stdout)).toMatchObject({ predictions: [{ name: 'd', label: out, masks }] });
    const label = await readVolume(out);
    for (const [i, name] of ['liver', 'tumour'].entries()) {
      const mask = await readVolume(join(folder, 'masks', 'd', `${name}.nii.gz`));
      expect(mask.affine).toEqual(label.affine);
      expect([...mask.data]).toEqual([...label.data].map((value) => Number(value === i + 1)));
    }
    expect(label.data.some((value) => value > 0)).toBe(true);
  });

  it('predicts with weights that no run describes', async () => {
    const weights = join(finetuned, 'checkpoints', 'last.safetensors');
    const out = join(folder, 'foreign.nii.gz');
    const flags = [
      '--network',
      'unet',
      '--weights',
      weights,
      '--preset',
      'none',
      '--set',
      'inference.window=[32,32,32]',
    ];
    const { code, stdout } = await runCli([
      'predict',
      ...flags,
      '--input',
      join(folder, 'a.nii.gz'),
      '--output',
      out,
    ]);
    expect(stdout.trim()).toBe(out);
    expect(code).toBe(0);
  });

  it('predicts the scans of a folder in whatever format they are, and a folder that is one DICOM series', async () => {
    const formats = 'test/parity/volume/formats';
    const scans = join(folder, 'scans');
    mkdirSync(scans);
    for (const file of ['int16.mha', 'oblique.nrrd']) copyFileSync(join(formats, file), join(scans, file));
    const weights = join(finetuned, 'checkpoints', 'last.safetensors');
    const flags = [
      '--network',
      'unet',
      '--weights',
      weights,
      '--preset',
      'none',
      '--set',
      'inference.window=[32,32,32]',
    ];
    const out = join(folder, 'of-formats');
    expect((await runCli(['predict', ...flags, '--input', scans, '--out', out])).code).toBe(0);
    expect(
      (await runCli(['predict', ...flags, '--input', join(formats, 'dicom-axial'), '--out', out])).code,
    ).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['dicom-axial.nii.gz', 'int16.nii.gz', 'oblique.nii.gz']);
  });
});
