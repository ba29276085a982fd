import { join } from 'node:path';
import { makeFolder, writeWholeFile } from '../whole-file.js';
import type { Cell } from './cells.js';

export interface SlurmOptions {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Folder of the scripts. */
  readonly folder: string;
  /** The command line of one call, without `--only`. */
  readonly command: readonly string[];
}

/**
 * A script of the queue: what it is called in `submit.sh`, and the cells of its array; without cells it is
 * one job.
 */
interface Job {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** What must have ended well before it begins, in the words of `sbatch --dependency`. */
  readonly after: string;
}

/**
 * Writes an experiment as SLURM jobs: prepare, an array of pre-trainings, for each of them an array of the
 * fine-tunings that begin with its weights, one of those from scratch, and a job that collects the tables
 * when all have ended, however. `submit.sh` submits them with their dependencies. Options of the cluster
 * (partition, GPUs, time) come from `SBATCH_*` variables or an edited script.
 * @returns the path of `submit.sh`
 */
export async function writeSlurmScripts({ name, cells, folder, command }: SlurmOptions): Promise<string> {
  await makeFolder(join(folder, 'logs'));
  const call = command.map(quoted).join(' ');
  const jobs = arraysOf(cells);
  const write = (file: string, body: readonly string[]) =>
    writeWholeFile(join(folder, file), `${['#!/bin/bash', ...body].join('\n')}\n`, { mode: 0o755 });
  await write('prepare.sh', [...header(`${name}-prepare`, folder), `${call} --only-prepare`]);
  for (const job of jobs)
    await write(`${job.name}.sh`, [...header(`${name}-${job.name}`, folder), ...arrayBody(job, call)]);
  await write('collect.sh', [...header(`${name}-collect`, folder), call]);
  const submit = join(folder, 'submit.sh');
  await write('submit.sh', submission(jobs, folder));
  return submit;
}

function arraysOf(cells: readonly Cell[]): Job[] {
  const pretrainings = cells.filter(({ kind }) => kind === 'pretrain');
  const finetunings = cells.filter((cell) => cell.kind === 'finetune');
  const jobs: Job[] = [
    { name: 'pretrain', cells: pretrainings, after: 'afterok:$prepare' },
    {
      name: 'scratch',
      cells: finetunings.filter(({ needs }) => needs === undefined),
      after: 'afterok:$prepare',
    },
    ...pretrainings.map(({ id }, i) => ({
      name: `finetune-${i}`,
      cells: finetunings.filter(({ needs }) => needs === id),
      after: `afterok:\${pretrain}_${i}`,
    })),
  ];
  return jobs.filter((job) => job.cells.length > 0);
}

const header = (name: string, folder: string): string[] => [
  `#SBATCH --job-name=${name}`,
  `#SBATCH --output=${join(folder, 'logs', '%x-%A_%a.log')}`,
  '#SBATCH --signal=B:TERM@120', // time to save; the same job, submitted again, goes on
  'set -euo pipefail',
];

/** `exec` hands the signal of the time limit to the program itself. */
const arrayBody = ({ cells }: Job, call: string): string[] => [
  `cells=(${cells.map(({ id }) => id).join(' ')})`,
  `exec ${call} --only "\${cells[$SLURM_ARRAY_TASK_ID]}"`,
];

function submission(jobs: readonly Job[], folder: string): string[] {
  const variable = (name: string) => name.replaceAll('-', '_');
  const script = (name: string) => quoted(join(folder, `${name}.sh`));
  return [
    'set -euo pipefail',
    `prepare=$(sbatch --parsable ${script('prepare')})`,
    ...jobs.map(
      ({ name, cells, after }) =>
        `${variable(name)}=$(sbatch --parsable --dependency=${after} --array=0-${cells.length - 1} ${script(name)})`,
    ),
    `sbatch --dependency=afterany:${jobs.map(({ name }) => `$${variable(name)}`).join(':')} ${script('collect')}`,
  ];
}

/** A word of a shell command. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
