// The commands that are disturbed, as they work on the small data set of world.mjs.
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the input of a command is made by. */
export const needs = {
  'evaluate --run': ['prepare', 'finetune'],
  import: ['prepare', 'finetune', 'export'],
  run: ['plan'],
  pretrain: ['prepare'],
  finetune: ['prepare'],
  predict: ['prepare', 'finetune'],
  report: ['prepare', 'finetune'],
  export: ['prepare', 'finetune'],
};

const data = (folder) => [
  '--set',
  `data.prepared=${join(folder, 'truth/prepare')}`,
  '--set',
  'data.cropSize=[16,16,16]',
  '--set',
  'data.workers=1',
];
const short = [
  'train.steps=6',
  'train.checkpointEvery=2',
  'train.validateEvery=3',
  'train.warmupSteps=0',
  'train.threads=1',
  'network.features=[2,2,2,2,2,2]',
].flatMap((setting) => ['--set', setting]);

/**
 * Each: its arguments; whether it goes on with what it left (`goesOn`), by `--resume` (`resumes`), and takes tens of seconds (`slow`) or minutes
 * (`long`); which of its files are others each time (`times`); what must lie where it writes (`begin`).
 */
export const commands = {
  prepare: {
    args: (folder, out) => [
      'prepare',
      '--datasets',
      join(folder, 'datasets.json'),
      '--out',
      out,
      '--workers',
      '1',
    ],
  },
  pretrain: {
    resumes: true,
    goesOn: true,
    args: (folder, out) => [
      'pretrain',
      '--config',
      'configs/smoke/pretrain.yaml',
      ...data(folder),
      ...short,
      '--set',
      'method.region=16',
      '--set',
      'method.subVolume=16',
      '--set',
      'network.pools=[2,2,2,1]',
      '--out',
      out,
    ],
  },
  finetune: {
    resumes: true,
    goesOn: true,
    args: (folder, out) => [
      'finetune',
      '--config',
      'configs/smoke/finetune.yaml',
      ...data(folder),
      ...short,
      '--out',
      out,
    ],
  },
  predict: {
    args: (folder, out) => [
      'predict',
      '--run',
      join(folder, 'truth/finetune'),
      '--input',
      join(folder, 'scans'),
      '--out',
      out,
    ],
  },
  evaluate: {
    args: (folder, out) => [
      'evaluate',
      '--predictions',
      join(folder, 'labels'),
      '--labels',
      join(folder, 'labels'),
      '--classes',
      '1=liver,2=tumour',
      '--out',
      join(out, 'evaluation.json'),
    ],
  },
  report: {
    args: (folder, out) => [
      'report',
      '--from',
      join(folder, 'truth/finetune'),
      '--out',
      join(out, 'report.html'),
      '--tables',
      join(out, 'tables'),
    ],
  },
  export: {
    args: (folder, out) => [
      'weights',
      'export',
      '--network',
      'unet',
      '--from',
      join(folder, 'truth/finetune/checkpoints/last.safetensors'),
      '--to',
      `${out}.safetensors`,
    ],
  },
  import: {
    args: (folder, out) => [
      'weights',
      'import',
      '--network',
      'unet',
      '--set',
      'network.features=[2,2,2,2,2,2]',
      '--from',
      join(folder, 'truth/export.safetensors'),
      '--to',
      `${out}.safetensors`,
    ],
  },
  'evaluate --run': {
    // It writes predictions into the run, which others work on as well.
    begin: (folder, out) => cpSync(join(folder, 'truth/finetune'), join(out, 'run'), { recursive: true }),
    args: (_, out) => ['evaluate', '--run', join(out, 'run'), '--out', join(out, 'evaluation.json')],
  },
  download: {
    goesOn: true,
    args: (folder, out) => [
      'download',
      'msd-hippocampus',
      '--mirror',
      readFileSync(join(folder, 'mirror'), 'utf8'),
      '--checksum',
      readFileSync(join(folder, 'checksum'), 'utf8'),
      '--out',
      out,
    ],
  },
  plan: {
    // It times steps, so that what it plans is another thing each time.
    times: /./,
    slow: true,
    args: (folder, out) => [
      'plan',
      join(folder, 'scans'),
      '--labels',
      join(folder, 'labels'),
      '--out',
      out,
      '--memory',
      '1.2GiB',
      '--hours',
      '0.02',
    ],
  },
  run: {
    goesOn: true,
    times: /plan\.(json|md)$/,
    slow: true,
    begin: (folder, out) => cpSync(join(folder, 'truth/plan'), out, { recursive: true }),
    args: (_, out) => [
      'run',
      out,
      ...['train.steps=4', 'train.warmupSteps=1', 'train.checkpointEvery=2', 'train.threads=1'].flatMap(
        (set) => ['--set', set],
      ),
    ],
  },
  experiment: {
    goesOn: true,
    slow: true,
    args: (folder, out) => ['experiment', '--config', join(folder, 'experiment.yaml'), '--out', out],
  },
  // Minutes a time: tried where it is named alone. Its phantoms are made anew, and their dates stand in the index and in the
  // records of cases.
  demo: {
    goesOn: true,
    slow: true,
    long: true,
    times: /prepared\/(index|.*\.case)\.json$/,
    args: (_, out) => ['demo', '--out', out],
  },
};

/** The commands that are tried where none are named. */
export const usual = Object.keys(commands).filter((name) => !commands[name].long);

/** What of the output of a command is another thing each time. */
export const timesOf = (name) => commands[name].times ?? /^$/;
