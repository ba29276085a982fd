import { relative } from 'node:path';
import { byteSize } from '../byte-size.js';
import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import type { Command } from './context.js';
import { memoryOf } from './memory-flag.js';
import { countingBar, duration } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly folder: readonly string[];
  readonly out: string;
  readonly labels: string | undefined;
  readonly modality: 'ct' | 'mr' | undefined;
  readonly classes: string | undefined;
  readonly memory: string | undefined;
  readonly hours: number;
  readonly seed: number;
  readonly incomplete: boolean;
  readonly json: boolean;
}

export const planCommand: Command<Flags> = {
  command: 'plan <folder..>',
  describe:
    'Look at folders of scans, and write the dataset index and configurations for them and this machine',
  flags: (yargs) =>
    yargs
      .positional('folder', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'folders with scans; some of them, or none, have labels beside them',
      })
      .option('out', {
        type: 'string',
        default: 'project',
        requiresArg: true,
        describe: 'folder to write: the plan, later prepared scans and runs',
      })
      .option('labels', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of the labels, where names and folders do not tell them',
      })
      .option('modality', {
        choices: ['ct', 'mr'] as const,
        describe: 'absent: as the folder or the values say',
      })
      .option('classes', {
        type: 'string',
        requiresArg: true,
        describe: 'names of the label values: 1=liver,2=tumour; absent: as the folder says, or "class 1"',
      })
      .option('memory', {
        type: 'string',
        requiresArg: true,
        describe: 'what a run may take, such as 8GiB; absent: what is free now',
      })
      .option('hours', {
        type: 'number',
        default: 24,
        requiresArg: true,
        describe: 'for everything: preparing, pre-training, fine-tuning, evaluating',
      })
      .option('seed', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'of everything that is drawn',
      })
      .option('incomplete', {
        type: 'boolean',
        default: false,
        describe: 'leave out and name scans that cannot be used',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the plan as JSON on standard output',
      })
      .example('$0 plan scans/ --out project', 'scans and labels in one folder; "run project" follows')
      .example(
        '$0 plan images/ --labels labels/ --memory 8GiB --hours 12',
        'labels in a folder of their own',
      ),
  run: async (flags, { terminal, signal, result }) => {
    const { hours, seed, json, memory, out } = flags;
    if (!(hours > 0))
      throw new UsageError(`--hours is ${hours}, but must be above 0`, { field: '--hours', found: hours });
    requireWholeNumber('--seed', seed, 0);
    const { parseClasses } = await import('../config/index.js');
    const { expectedOf, fingerprintText, planProject, writePlan } = await import('../project/index.js');
    const plan = await planProject({
      folders: flags.folder,
      out,
      labels: flags.labels,
      modality: flags.modality,
      classes: flags.classes === undefined ? undefined : parseClasses(flags.classes).classes,
      memoryBytes: memory === undefined ? freeMemory() : memoryOf('--memory', memory),
      hours,
      seed,
      incomplete: flags.incomplete,
      onNote: (note) => terminal.line(note),
      onScan: scanBar(countingBar(terminal, 'looking')),
      signal: signal(),
    });
    const files = await writePlan(plan);
    const expected = expectedOf(plan);
    const { pretrain, finetune, memoryBytes, diskBytes } = expected;
    const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    const text = [
      fingerprintText(plan.fingerprint),
      '',
      `pre-training  ${pretrain.steps.toLocaleString('en')} steps, ${duration(pretrain.seconds)}`,
      ...(finetune
        ? [`fine-tuning   ${finetune.steps.toLocaleString('en')} steps, ${duration(finetune.seconds)}`]
        : []),
      `memory        ${memoryBytes === null ? 'not known' : `${gib(memoryBytes)} a step, of ${gib(plan.limits.memoryBytes)}`}`,
      `disk          ${byteSize(diskBytes)} for the prepared scans, at most`,
      ...plan.notes.map((note) => `note: ${note}`),
      '',
      ...files.map((file) => `written ${relative('.', file) || file}`),
      '',
      `next: hybridmim run ${out}`,
      'or one by one:',
      ...commandsOf(out, finetune !== undefined).map((command) => `  ${command}`),
    ].join('\n');
    result(
      {
        schema: 1,
        project: plan.project,
        files,
        fingerprint: plan.fingerprint,
        width: plan.chosen.width,
        expected,
        notes: plan.notes,
      },
      text,
      json,
    );
  },
};

const scanBar =
  (count: ReturnType<typeof countingBar>) =>
  (id: string, done: number, total: number): void =>
    count(done, total, id);

/** The commands that do one by one what `run` does. */
function commandsOf(out: string, withLabels: boolean): string[] {
  return [
    `hybridmim prepare --datasets ${out}/datasets.json --out ${out}/prepared`,
    `hybridmim pretrain --config ${out}/pretrain.yaml --out ${out}/runs/pretrain`,
    ...(withLabels
      ? [
          `hybridmim finetune --config ${out}/finetune.yaml --init ${out}/runs/pretrain --out ${out}/runs/finetune`,
          `hybridmim evaluate --run ${out}/runs/finetune --checkpoint last`,
        ]
      : []),
    `hybridmim report --from ${out}/runs --out ${out}/report.html`,
  ];
}
