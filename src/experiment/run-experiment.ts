import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { checkConfig, type ExperimentConfig, finetuneConfig, pretrainConfig } from '../config/index.js';
import { type PrepareProgress, prepareDatasets } from '../dataset/index.js';
import { DataError } from '../errors.js';
import type { Evaluation } from '../evaluation/index.js';
import { evaluationCells, markdownTable, percent, writeEvaluation } from '../report/index.js';
import { finetune, pretrain, type RunProgress, readMetrics } from '../training/index.js';
import { evaluateRun } from './evaluate-run.js';
import { writeExperimentPicture } from './experiment-picture.js';

export interface ExperimentOptions {
  readonly config: ExperimentConfig;
  /** Folder of the experiment: the prepared set, a run folder a run, `results.json`, `results.md` and `picture.png`. */
  readonly out: string;
  readonly onPrepare?: (progress: PrepareProgress) => void;
  /** What a run shows while it goes on. */
  readonly watchRun?: (name: string, folder: string) => RunProgress;
  /** A finished run that is left as it is, or an evaluation. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** One arm with one seed. */
export interface ExperimentRun {
  readonly arm: string;
  readonly seed: number;
  readonly run: string;
  /** Seconds of training steps, pre-training apart. */
  readonly pretrainSeconds: number | null;
  readonly finetuneSeconds: number;
  /** Of the cases that it was trained on. */
  readonly training: Evaluation;
  readonly evaluation: Evaluation;
}

export interface ExperimentResult {
  readonly schema: 1;
  readonly name: string;
  readonly runs: readonly ExperimentRun[];
  /** Slices with the contours of reference and predictions. */
  readonly picture: string;
}

/**
 * Runs every arm of an experiment with every seed: prepare, pre-train where the arm asks for it, fine-tune, evaluate. What an earlier,
 * interrupted call has finished is kept, and what it began is resumed.
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { config, out, signal } = options;
  const prepared = await prepareData(options);
  const runs: ExperimentRun[] = [];
  for (const seed of config.seeds) {
    const pretraining = config.arms.some(({ pretrained }) => pretrained) ? await pretrainOnce(options, prepared, seed) : undefined;
    for (const arm of config.arms) {
      const run = join(out, `${slug(arm.name)}-seed-${seed}`);
      const settings = checkConfig(
        finetuneConfig,
        withData(config.finetune, { prepared, seed }),
        `the finetune section of experiment ${config.name}`,
      );
      const init = arm.pretrained ? pretraining?.last : undefined;
      const name = `${arm.name}, seed ${seed}`;
      await finetune({ settings, init, out: run, resume: isBegun(run), progress: options.watchRun?.(name, run) ?? {}, signal });
      const evaluate = (split: 'training' | 'validation' | 'test') => evaluateOnce(options, run, name, split);
      runs.push({
        arm: arm.name,
        seed,
        run,
        pretrainSeconds: init === undefined ? null : pretraining!.seconds,
        finetuneSeconds: trainingSeconds(run),
        training: await evaluate('training'),
        evaluation: await evaluate(config.evaluate),
      });
    }
  }
  const picture = join(out, 'picture.png');
  await writeExperimentPicture(picture, config.name, prepared, runs);
  const result: ExperimentResult = { schema: 1, name: config.name, runs, picture };
  await writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(result, null, 1)}\n`);
  await writeFileAtomic(join(out, 'results.md'), `# ${config.name}\n\n${experimentTable(result)}\n`);
  return result;
}

/** The experiment's table: a row a run, Dice in % and HD95 in mm on the evaluated split. */
export function experimentTable({ runs }: ExperimentResult): string {
  const several = new Set(runs.map(({ seed }) => seed)).size > 1;
  const { header, body } = evaluationCells(runs.map(({ arm, seed, evaluation }) => ({ name: several ? `${arm}, seed ${seed}` : arm, evaluation })));
  const extended = body.map((row, i) => [...row, percent(runs[i]!.training.mean.dice.overClasses)]);
  return markdownTable([...header, 'training Dice'], extended);
}

async function prepareData({ config, out, onPrepare, signal }: ExperimentOptions): Promise<string> {
  await mkdir(out, { recursive: true });
  const datasetsFile = join(out, 'datasets.json');
  await writeFileAtomic(datasetsFile, `${JSON.stringify(config.datasets, null, 1)}\n`);
  const prepared = join(out, 'prepared');
  const { skipped } = await prepareDatasets({
    datasetsFile,
    out: prepared,
    workers: 2,
    ...(onPrepare && { onProgress: onPrepare }),
    ...(signal && { signal }),
  });
  if (skipped.length === 0) return prepared;
  const { id, reason, file } = skipped[0]!;
  throw new DataError(
    `${skipped.length} cases of experiment ${config.name} cannot be used, the first, ${id}, because ${reason}`,
    file === undefined ? {} : { file },
  );
}

async function pretrainOnce(options: ExperimentOptions, prepared: string, seed: number): Promise<{ last: string; seconds: number }> {
  const { config, out, signal } = options;
  const run = join(out, `pretrain-seed-${seed}`);
  const settings = checkConfig(pretrainConfig, withData(config.pretrain, { prepared, seed }), `the pretrain section of experiment ${config.name}`);
  const progress = options.watchRun?.(`pre-training, seed ${seed}`, run) ?? {};
  const { last } = await pretrain({ settings, out: run, resume: isBegun(run), progress, signal });
  return { last, seconds: trainingSeconds(run) };
}

async function evaluateOnce(
  { onNote, signal }: ExperimentOptions,
  run: string,
  task: string,
  split: 'training' | 'validation' | 'test',
): Promise<Evaluation> {
  const file = join(run, `evaluation-${split}.json`);
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Evaluation;
  onNote?.(`evaluating ${task} on the ${split} cases`);
  const evaluation = await evaluateRun({ run, split, task, signal });
  await writeEvaluation(file, evaluation);
  return evaluation;
}

/** A section of the experiment with what every run of it shares. */
function withData(section: Readonly<Record<string, unknown>>, { prepared, seed }: { prepared: string; seed: number }): unknown {
  return { ...section, seed, data: { ...(section.data as object), prepared } };
}

const isBegun = (run: string): boolean => existsSync(join(run, 'config.yaml'));

const trainingSeconds = (run: string): number => readMetrics(run).reduce((sum, line) => sum + ('seconds' in line ? line.seconds : 0), 0);

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
