import { basename, dirname, join, relative } from 'node:path';
import { entryOf } from '../../at.js';
import {
  type Evaluation,
  evaluationCsv,
  type FurtherMetric,
  nnunetSummary,
  type WeightsFacts,
} from '../../evaluation/index.js';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { markdownText } from '../markdown-text.js';
import { evaluationCells, markdownTable, millimetres, percent } from '../table.js';
import { chosenSentence } from './paper-table.js';

/**
 * Writes an evaluation as JSON, and beside it as Markdown (summary and cases), tidy CSV and, where its cases
 * have counts of voxels, in the form of nnU-Net: `summary.json` beside `evaluation.json`, `x.summary.json`
 * beside `x.json`.
 * Paths of predictions and labels are written relative to its folder, since absolute ones say more of a machine
 * and its patients than others need to know.
 * @param file ends in `.json`
 * @returns the evaluation as it was written
 */
export async function writeEvaluation(file: string, evaluated: Evaluation): Promise<Evaluation> {
  await makeFolder(dirname(file));
  const evaluation = withRelativePaths(evaluated, dirname(file));
  const base = file.replace(/\.json$/, '');
  await writeWholeFile(`${base}.json`, `${JSON.stringify(evaluation, null, 1)}\n`);
  await writeWholeFile(`${base}.md`, `${evaluationMarkdown(evaluation)}\n`);
  await writeWholeFile(`${base}.csv`, `${evaluationCsv(evaluation)}\n`);
  const summary = nnunetSummary(evaluation);
  if (summary !== undefined) await writeWholeFile(summaryFile(base), `${summary}\n`);
  return evaluation;
}

function withRelativePaths(evaluation: Evaluation, folder: string): Evaluation {
  const cases = evaluation.cases.map(({ files, ...result }) => {
    if (!files) return result;
    const prediction = relative(folder, files.prediction);
    return { ...result, files: { prediction, reference: relative(folder, files.reference) } };
  });
  return { ...evaluation, cases };
}

/**
 * Tools look for nnU-Net's own name; evaluations of other names in one folder must not overwrite each
 * other's.
 */
const summaryFile = (base: string): string =>
  basename(base) === 'evaluation' ? join(dirname(base), 'summary.json') : `${base}.summary.json`;

function evaluationMarkdown(evaluation: Evaluation): string {
  const { header, body } = evaluationCells([{ name: evaluation.task, evaluation }]);
  const counts = evaluation.classes.map((name) => {
    const { dice, nMissed, nUndefined, nFalsePositiveOnEmpty } = entryOf(evaluation.perClass, name);
    return [name, String(dice.n), String(nMissed), String(nUndefined), String(nFalsePositiveOnEmpty)];
  });
  const cases = evaluation.cases.flatMap(({ id, classes }) =>
    Object.entries(classes).map(([name, result]) => [
      id,
      name,
      percent(result.dice),
      millimetres(result.hd95),
      result.status,
    ]),
  );
  return [
    `# ${markdownText(evaluation.task)}`,
    'Dice in %, HD95 in mm. Means over cases a class, then over classes; undefined numbers are left out and counted.',
    ...(evaluation.weights ? [weightsSentence(evaluation.weights)] : []),
    markdownTable(header, body),
    ...furtherTable(evaluation),
    markdownTable(['class', 'cases', 'missed', 'not in reference', 'predicted though not there'], counts),
    markdownTable(['case', 'class', 'Dice', 'HD95', 'status'], cases),
  ].join('\n\n');
}

const weightsSentence = ({ checkpoint, chosenOnTheseCases }: WeightsFacts): string =>
  `Weights: ${checkpoint}${chosenOnTheseCases ? `. Note: ${chosenSentence}` : ''}.`;

/** Means of the metrics beside Dice and HD95, where there are any. */
function furtherTable({ classes, perClass, mean }: Evaluation): string[] {
  const metrics = Object.keys(mean).filter(
    (metric): metric is FurtherMetric => metric !== 'dice' && metric !== 'hd95',
  );
  if (metrics.length === 0) return [];
  const number = (value: number | null | undefined) =>
    value === null || value === undefined ? '-' : value.toFixed(4);
  const rows = classes.map((name) => [
    name,
    ...metrics.map((metric) => number(entryOf(perClass, name)[metric]?.mean)),
  ]);
  return [
    markdownTable(
      ['class', ...metrics],
      [...rows, ['mean', ...metrics.map((metric) => number(mean[metric]?.overClasses))]],
    ),
  ];
}
