import type { CaseResult, EvaluatedClass, Evaluation } from '../../evaluation/index.js';
import type { Volume } from '../../volume/index.js';
import type { ProgressLine } from '../figures/progress-panels.js';
import type { PaperFigure } from '../paper/paper-figure.js';
import type { TableNumber } from '../paper/task-table.js';

/** What a report is made of. Names come from files and are shown as they are. */
export interface ReportContent {
  readonly title: string;
  /** When it was made, as ISO 8601, and with which versions. */
  readonly made?: { readonly date: string; readonly software: Readonly<Record<string, string>> } | undefined;
  readonly runs: readonly ReportRun[];
  readonly evaluations: readonly ReportEvaluation[];
  readonly speed: readonly SpeedResult[];
  readonly cases: readonly ReportCase[];
  /** The paper's figures that experiments are drawn as. */
  readonly paperFigures?: readonly PaperFigure[];
  /** What was found but could not be shown, and why. */
  readonly notes: readonly string[];
}

/** A run with its metrics, in the order of steps. */
export interface ReportRun {
  readonly name: string;
  readonly lines: readonly ProgressLine[];
  /** Of a pre-training: its last picture of reconstructions, a PNG. */
  readonly reconstruction?: { readonly png: Uint8Array; readonly step: number } | undefined;
  /** As YAML. */
  readonly settings?: string | undefined;
}

/** An evaluation and what is known of the run that it is of. */
export interface ReportEvaluation {
  readonly name: string;
  /** Its file, which tells evaluations of one name apart. */
  readonly source: string;
  /**
   * Of which cases, where the file's name says so; those of the training split are kept out of the paper's
   * tables.
   */
  readonly split: string | undefined;
  readonly evaluation: Evaluation;
  readonly network: string | undefined;
  /** Of the experiment that the run is of, which tells methods of one network apart. */
  readonly arm?: string | undefined;
  /** Share of the training cases that the run learnt from, above 0, at most 1. */
  readonly fraction: number | undefined;
  /** The paper's table that its experiment fills. */
  readonly table: TableNumber | undefined;
  /** Whether the run began with pre-trained weights. */
  readonly pretrained: boolean | undefined;
}

/** A row of `benchmark-speed`. */
export interface SpeedResult {
  readonly network: string;
  readonly method: string;
  readonly precision: string;
  /** As a text: `partial`, `full` or a size. */
  readonly region: string;
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** A case whose volumes can be shown. They are read when they are drawn, one case at a time. */
export interface ReportCase {
  readonly id: string;
  /** Of the evaluation that it belongs to, as is `source`. */
  readonly name: string;
  readonly source: string;
  readonly result: CaseResult;
  /** What to outline and toggle: label values with their names. */
  readonly classes: readonly EvaluatedClass[];
  /** Image values shown as black and white; undefined: percentiles. */
  readonly window: readonly [number, number] | undefined;
  /** All on one grid. */
  load(): Promise<{ readonly image: Volume; readonly reference: Volume; readonly prediction: Volume }>;
}

/** Mean Dice of a case over its defined classes; undefined where none is. */
export function caseDice({ classes }: CaseResult): number | undefined {
  const defined = Object.values(classes).flatMap(({ dice }) => (dice === null ? [] : [dice]));
  return defined.length > 0 ? defined.reduce((sum, value) => sum + value, 0) / defined.length : undefined;
}

/**
 * Evaluations that can be compared together, in the order in which each such group begins: those with the same classes, on
 * cases that the run learned from or on others. Those on training cases come last.
 */
export function comparable(evaluations: readonly ReportEvaluation[]): ReportEvaluation[][] {
  const groups = new Map<string, ReportEvaluation[]>();
  for (const member of evaluations) {
    const key = JSON.stringify([isOfTraining(member), member.evaluation.classes]);
    groups.set(key, [...(groups.get(key) ?? []), member]);
  }
  return [...groups.values()].toSorted(
    ([a], [b]) => Number(a && isOfTraining(a)) - Number(b && isOfTraining(b)),
  );
}

/** Whether the evaluated cases are those that the run learned from. */
export const isOfTraining = ({ split }: ReportEvaluation): boolean => split === 'training';

/** Cases from the lowest mean Dice; those without one last. */
export function worstFirst(cases: readonly ReportCase[]): ReportCase[] {
  const dice = ({ result }: ReportCase) => caseDice(result) ?? Number.POSITIVE_INFINITY;
  return cases.toSorted((a, b) => {
    const [p, q] = [dice(a), dice(b)];
    return p === q ? 0 : p - q;
  });
}
