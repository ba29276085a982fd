import { evenlySpread, type SeriesPoint, type StepValue, seriesPoints } from './step-series.js';

/**
 * What a figure needs of a line of `metrics.jsonl`: a step with its losses, or a validation. `step` counts
 * finished updates, from 1.
 */
export type ProgressLine = ProgressStep | ProgressValidation;

export interface ProgressStep {
  readonly step: number;
  readonly loss: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly lr: number;
}

export interface ProgressValidation {
  readonly step: number;
  readonly validation: Readonly<Record<string, number | null>>;
}

/** One curve over the steps, and the held-out values of the same quantity where there are any. */
export interface CurvePanel {
  readonly title: string;
  readonly points: readonly SeriesPoint[];
  readonly heldOut: readonly StepValue[];
  /**
   * Terms that the training value has and the held-out one lacks, such as the contrast, which needs dropout.
   */
  readonly heldOutLacks: readonly string[];
}

/** Validation values that are no losses, by name. */
export interface ScoresPanel {
  readonly title: string;
  readonly names: readonly string[];
  readonly values: readonly (StepValue & { readonly name: string })[];
}

/** What a picture of a run shows. */
export interface ProgressPanels {
  readonly lastStep: number;
  readonly total: CurvePanel;
  readonly terms: readonly CurvePanel[];
  readonly learningRate: CurvePanel;
  /** undefined where no validation gave a number. */
  readonly scores: ScoresPanel | undefined;
}

/** More show no more. */
const mostValidations = 100;

/**
 * Sorts the metrics of a run into panels. A validation with a `total` measured the losses on held-out crops,
 * and goes to the panels of these; any other measured scores, even where a score has the name of a loss
 * (`dice`).
 */
export function progressPanels(lines: readonly ProgressLine[]): ProgressPanels {
  const steps = lines.filter((line) => 'loss' in line);
  const validations = evenlySpread(
    lines.filter((line) => 'validation' in line),
    mostValidations,
  );
  const heldOut = validations.filter(({ validation }) => 'total' in validation);
  const curve = (
    title: string,
    name: string,
    lossOf: (line: ProgressStep) => number | undefined,
  ): CurvePanel => ({
    title,
    points: seriesPoints(steps.map((line) => ({ step: line.step, value: lossOf(line) ?? Number.NaN }))),
    heldOut: valuesNamed(name, heldOut),
    heldOutLacks: [],
  });
  const terms = [...new Set(steps.flatMap(({ losses }) => Object.keys(losses)))];
  const heldOutLacks = terms.filter((name) => heldOut.every(({ validation }) => !(name in validation)));
  return {
    lastStep: lines.at(-1)?.step ?? 0,
    total: { ...curve('total loss', 'total', ({ loss }) => loss), heldOutLacks },
    terms: terms.map((name) => curve(`${spacedWords(name)} loss`, name, ({ losses }) => losses[name])),
    learningRate: unsmoothed(curve('learning rate', 'learning rate', ({ lr }) => lr)),
    scores: scoresPanel(validations.filter(({ validation }) => !('total' in validation))),
  };
}

/** For a quantity without noise, whose corners shall stay. */
const unsmoothed = (panel: CurvePanel): CurvePanel => ({
  ...panel,
  points: panel.points.map((point) => ({ ...point, smooth: point.mean })),
});

function scoresPanel(validations: readonly ProgressValidation[]): ScoresPanel | undefined {
  const names = [...new Set(validations.flatMap(({ validation }) => Object.keys(validation)))];
  const values = names.flatMap((name) => valuesNamed(name, validations).map((value) => ({ ...value, name })));
  if (values.length === 0) return undefined;
  const ofDice = /^dice( |$)/;
  if (!names.every((name) => ofDice.test(name))) return { title: 'validation', names, values };
  const shown = (name: string) => name.replace(ofDice, '') || 'mean';
  return {
    title: 'validation Dice',
    names: names.map(shown),
    values: values.map((value) => ({ ...value, name: shown(value.name) })),
  };
}

/** Where the value is a number; a class that no validated case has is null. */
function valuesNamed(name: string, validations: readonly ProgressValidation[]): StepValue[] {
  return validations.flatMap(({ step, validation: { [name]: value } }) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ step, value }] : [],
  );
}

/** `crossEntropy` as `cross entropy`. */
const spacedWords = (name: string): string =>
  name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
