import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { finetuneConfig, loadConfig, pretrainConfig } from '../config/index.js';
import { type PrepareOptions, prepareDatasets, readPreparedIndex } from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import { type Evaluation, readEvaluation } from '../evaluation/index.js';
import { jsonOrUndefined } from '../json.js';
import { evaluateRun } from '../prediction/index.js';
import { worstFirst, writeEvaluation, writeReport } from '../report/index.js';
import { collectReport } from '../report-sources/index.js';
import { readText } from '../text-file.js';
import { finetune, pretrain, type RunProgress } from '../training/index.js';
import { planFiles } from './plan-options.js';

export interface RunProjectOptions {
  /** A folder that `plan` wrote. */
  readonly project: string;
  /** Fine-tunes and evaluates every fold of a cross-validation instead of once; absent: once. */
  readonly folds?: number | undefined;
  /** With folds: pre-train on all training scans, though each is held out in some fold. */
  readonly sharePretraining?: boolean;
  /** `key=value` over both configurations, such as `train.threads=1`. */
  readonly set?: readonly string[];
  readonly prepare?: Pick<PrepareOptions, 'onPlan' | 'onProgress'>;
  readonly watchRun?: ((title: string, folder: string) => RunProgress) | undefined;
  /** What begins, in a sentence. */
  readonly onStep?: ((step: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a project has come to. */
export interface ProjectResult {
  readonly project: string;
  readonly pretrained: string;
  /** Of each fine-tuning; empty where nothing is labelled. */
  readonly evaluations: readonly { readonly run: string; readonly evaluation: Evaluation }[];
  readonly report: string;
  /** Scans that could not be prepared. */
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
}

const planRecord = z.object({ schema: z.literal(1), labelled: z.array(z.string()) });

/** Everything that a project makes beside its plan, in its folder. */
const places = {
  prepared: 'prepared',
  runs: 'runs',
  pretrain: join('runs', 'pretrain'),
  report: 'report.html',
} as const;

/**
 * Carries a plan out: prepare, pre-train, fine-tune, evaluate, report. Each step is that of the command of its
 * name; what is finished is not done again, and what was stopped goes on, so that the same call continues.
 * @throws UsageError for a folder without a plan, or folds whose held-out scans would pre-train; DataError
 *   where no scan can be used; InterruptedError after `signal`; and as the steps do
 */
export async function runProject(options: RunProjectOptions): Promise<ProjectResult> {
  const { project, onStep, signal } = options;
  const { labelled } = await readPlan(project);
  const hasLabels = labelled.length > 0;
  if (options.folds !== undefined && !hasLabels)
    throw new UsageError(`${project} has no labels, so that there are no folds: leave --folds out`, {
      field: '--folds',
    });
  const prepared = join(project, places.prepared);
  onStep?.(`preparing the scans of ${planFiles.datasets}`);
  const { skipped } = await prepareDatasets({
    datasetsFile: join(project, planFiles.datasets),
    out: prepared,
    ...options.prepare,
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const pretrained = await runPretraining(options, prepared);
  signal?.throwIfAborted();
  const evaluations = hasLabels ? await runFinetunings(options, prepared, pretrained) : [];
  signal?.throwIfAborted();
  const report = join(project, places.report);
  if (await isOlder(report, [pretrained, ...evaluations.map(({ file }) => file)])) {
    onStep?.('writing the report');
    const content = await collectReport({ from: join(project, places.runs) });
    await writeReport(
      report,
      { ...content, cases: worstFirst(content.cases).slice(0, 20) },
      { figures: undefined, signal },
    );
  }
  return {
    project,
    pretrained,
    evaluations: evaluations.map(({ run, evaluation }) => ({ run, evaluation })),
    report,
    skipped: skipped.map(({ id, reason }) => ({ id, reason })),
  };
}

async function readPlan(project: string): Promise<z.infer<typeof planRecord>> {
  const file = join(project, planFiles.plan);
  const text = await readText(
    file,
    (cause) =>
      new UsageError(
        `${project} holds no plan (${planFiles.plan}): make one with "hybridmim plan FOLDER --out ${project}"`,
        { file },
        { cause },
      ),
  );
  const parsed = planRecord.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new DataError(`${file} is damaged: plan again into another folder`, { file });
}

/** The weights of the pre-training. */
async function runPretraining(
  { project, folds, sharePretraining = false, set = [], watchRun, onStep, signal }: RunProjectOptions,
  prepared: string,
): Promise<string> {
  const split = folds === undefined || sharePretraining ? [] : ['data.split=unlabelled'];
  if (split.length > 0) {
    const { cases } = await readPreparedIndex(prepared);
    if (cases.every(({ label }) => label !== undefined)) {
      throw new UsageError(
        'every scan has a label, so that each is held out in one fold: leave --folds out, or give --share-pretraining to pre-train on the images of all',
        { field: '--folds' },
      );
    }
  }
  const settings = await loadConfig(pretrainConfig, join(project, planFiles.pretrain), [
    `data.prepared=${JSON.stringify(prepared)}`,
    ...split,
    ...set,
  ]);
  const out = join(project, split.length > 0 ? `${places.pretrain}-unlabelled` : places.pretrain);
  onStep?.(`pre-training into ${out}`);
  const { last } = await pretrain({
    settings,
    out,
    resume: isBegun(out),
    progress: watchRun?.('pre-training', out) ?? {},
    signal,
  });
  return last;
}

/** The fine-tunings, one a fold, and their evaluations. */
async function runFinetunings(
  options: RunProjectOptions,
  prepared: string,
  init: string,
): Promise<{ run: string; file: string; evaluation: Evaluation }[]> {
  const { project, folds, set = [], watchRun, onStep, signal } = options;
  const parts =
    folds === undefined
      ? [{ name: 'finetune', title: 'fine-tuning', overrides: [] }]
      : Array.from({ length: folds }, (_, i) => ({
          name: `finetune-fold-${i + 1}-of-${folds}`,
          title: `fine-tuning, fold ${i + 1} of ${folds}`,
          overrides: [`data.fold=${i + 1}`, `data.folds=${folds}`],
        }));
  const done: { run: string; file: string; evaluation: Evaluation }[] = [];
  for (const { name, title, overrides } of parts) {
    signal?.throwIfAborted();
    const run = join(project, places.runs, name);
    const settings = await loadConfig(finetuneConfig, join(project, planFiles.finetune), [
      `data.prepared=${JSON.stringify(prepared)}`,
      ...overrides,
      ...set,
    ]);
    onStep?.(`${title} into ${run}`);
    const { last } = await finetune({
      settings,
      init,
      out: run,
      resume: isBegun(run),
      progress: watchRun?.(title, run) ?? {},
      signal,
    });
    signal?.throwIfAborted();
    const held = settings.data.validateOn === 'validation';
    const file = join(run, 'evaluation.json');
    if (await isOlder(file, [last])) {
      onStep?.(`evaluating ${run} on ${held ? 'what was held out' : 'its training scans: none is held out'}`);
      // The last weights: no held-out case has chosen them.
      const evaluation = await evaluateRun({
        run,
        split: held ? 'validation' : 'training',
        checkpoint: 'last',
        task: name,
        signal,
      });
      await writeEvaluation(file, evaluation);
    }
    done.push({ run, file, evaluation: await readEvaluation(file) });
  }
  return done;
}

const isBegun = (run: string): boolean => existsSync(join(run, 'config.yaml'));

/**
 * Whether a file is missing, or older than one of those that it is made of. Of one with a date to come, as where the
 * clock was set back since, that is not known.
 */
async function isOlder(file: string, sources: readonly string[]): Promise<boolean> {
  const made = await stat(file).catch(() => undefined);
  if (!made || made.mtimeMs > Date.now()) return true;
  const times = await Promise.all(sources.map((source) => stat(source)));
  return times.some(({ mtimeMs }) => mtimeMs > made.mtimeMs);
}
