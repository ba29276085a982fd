import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { itemAt } from '../at.js';
import type { SurveyedScan } from '../dataset/index.js';
import { UsageError } from '../errors.js';
import { type ChosenStep, chooseStep, type Limits } from './choose-step.js';
import { findDatasets } from './find-datasets.js';
import { type Fingerprint, fingerprintOf } from './fingerprint.js';
import { datasetsWith, indexed, requireOneKind } from './index-project.js';
import { type PlanOptions, planFiles } from './plan-options.js';
import { fewestSteps } from './rules/schedule.js';
import type { Place } from './step-settings.js';
import { surveyProject } from './survey-project.js';
import { takenApart } from './take-step-apart.js';

/** What was found, what follows from it, and what the machine takes for it. */
export interface ProjectPlan {
  /** Absolute. */
  readonly project: string;
  readonly place: Place;
  readonly fingerprint: Fingerprint;
  /** The dataset index, as its schema takes it. */
  readonly datasets: object;
  readonly chosen: ChosenStep;
  readonly limits: Limits & { readonly hours: number };
  readonly seed: number;
  /** Labelled scans that train, and that are held out. */
  readonly labelledTraining: number;
  readonly heldOut: number;
  /** Scans that pre-train. */
  readonly pretraining: number;
  readonly diskBytes: number;
  /** What somebody should know of the scans. */
  readonly notes: readonly string[];
}

/**
 * Looks at folders of scans and plans their pre-training and fine-tuning for this machine. Nothing is written.
 * @throws UsageError where flags are missing or contradict the scans; DataError for scans that cannot be used
 *   together; InterruptedError after `signal`
 */
export async function planProject(options: PlanOptions): Promise<ProjectPlan> {
  const { out, memoryBytes, hours, seed, onNote, signal } = options;
  const project = resolve(out);
  refusePlanned(out);
  const found = await findDatasets(options);
  const read = await surveyProject(found, options);
  const { modality, notes } = read;
  const facts = await indexed(found, read, modality, options);
  const labelled = new Set(
    facts.sources.flatMap(({ cases }) => cases.flatMap(({ id, label }) => (label === undefined ? [] : [id]))),
  );
  requireOneKind(facts.sources, read.scans);
  const classes = itemAt(
    [...facts.sources.filter(({ classes }) => Object.keys(classes).length > 0), ...facts.sources],
    0,
  ).classes;
  const fingerprint = fingerprintOf({ modality, classes, scans: read.scans, labelled });
  const place: Place = {
    prepared: join(project, 'prepared'),
    datasets: facts.sources.map(({ name }) => name),
    labelled: facts.sources.filter(({ cases }) => cases.some(({ label }) => label)).map(({ name }) => name),
  };
  const prepared = read.scans.map((scan) => preparedBytes(scan, fingerprint));
  const limits = { memoryBytes, scanBytes: Math.max(...prepared), seconds: 3600 * hours };
  const take = options.take ?? takenApart(onNote, signal);
  const chosen = await chooseStep(fingerprint, limits, place, take);
  if (!chosen) {
    throw new UsageError(
      `the smallest step of a pre-training and a fine-tuning does not fit in ${gib(memoryBytes)} of memory: give more with --memory`,
      { field: '--memory', found: memoryBytes },
    );
  }
  const cases = facts.sources.flatMap(({ cases }) => cases);
  const short = chosen.short
    ? [
        `${hours} h are few on this machine: even the smallest step cannot be taken ${fewestSteps.pretrain} times in pre-training and ${fewestSteps.finetune} times in fine-tuning; more --hours will learn more`,
      ]
    : [];
  const count = (split: 'training' | 'validation', needsLabel: boolean) =>
    cases.filter((listed) => listed.split === split && (!needsLabel || listed.label !== undefined)).length;
  const heldOut = count('validation', true);
  const unheld =
    labelled.size > 0 && heldOut === 0
      ? [
          `no labelled scan is held out, since ${labelled.size === 1 ? 'only one has a label' : 'too few have labels'}: the evaluation will be of scans that were trained on, and too good`,
        ]
      : [];
  return {
    project,
    place,
    fingerprint,
    datasets: datasetsWith(facts.file, fingerprint),
    chosen,
    limits: { ...limits, hours },
    seed,
    labelledTraining: count('training', true),
    heldOut,
    pretraining: count('training', false),
    diskBytes: prepared.reduce((sum, bytes) => sum + bytes, 0),
    notes: [
      ...found.flatMap((dataset) => (dataset.layout === 'files' ? dataset.notes : [])),
      ...notes,
      ...read.unusable.map(({ id, problem }) => `${id} is left out: ${problem}`),
      ...facts.sources.flatMap(({ name, notes: own }) => own.map((note) => `${name}: ${note}`)),
      ...unheld,
      ...short,
    ],
  };
}

function refusePlanned(out: string): void {
  const there = Object.values(planFiles).filter((name) => existsSync(join(out, name)));
  if (there.length === 0) return;
  throw new UsageError(
    there.includes(planFiles.plan)
      ? `${out} already holds a plan: carry it out with "hybridmim run ${out}", or choose another --out`
      : `${out} holds a part of a plan (${there.join(', ')}), but no ${planFiles.plan}: remove what was not finished, or choose another --out`,
    { file: out, field: '--out' },
  );
}

/** Bytes of a scan at the target spacing: float32, and a label of one byte. */
function preparedBytes({ size, spacing }: SurveyedScan, { targetSpacing, channels }: Fingerprint): number {
  const voxels = [0, 1, 2].reduce(
    (product, axis) =>
      product * Math.ceil((itemAt(size, axis) * itemAt(spacing, axis)) / itemAt(targetSpacing, axis)),
    1,
  );
  return voxels * (4 * channels + 1);
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
