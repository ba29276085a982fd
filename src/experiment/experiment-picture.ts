import { entryOf, itemAt } from '../at.js';
import { readPreparedIndex } from '../dataset/index.js';
import { predictionFiles, readReference } from '../prediction/index.js';
import { type ContourPanel, writeContourFigure } from '../report/index.js';
import { windowOf } from '../report-sources/index.js';
import { readVolume } from '../volume/index.js';
import type { ExperimentRun } from './run-cell.js';

/** Rows of the picture. */
const MOST_CASES = 3;

/** Columns of the picture beside the reference. */
const MOST_ARMS = 6;

/**
 * Draws slices of the first evaluated cases with the contours of reference and predictions, a column an arm
 * (the first six), of the first task and seed and the largest share of labels.
 * @param prepared the experiment's prepared folder
 */
export async function writeExperimentPicture(
  file: string,
  title: string,
  prepared: string,
  runs: readonly ExperimentRun[],
): Promise<void> {
  const first = runs.reduce((best, run) => (run.fraction > best.fraction ? run : best));
  const classesOf = ({ evaluation }: ExperimentRun) => evaluation.classes.join('\n');
  const comparable = runs.filter(
    (run) =>
      run.seed === first.seed && run.fraction === first.fraction && classesOf(run) === classesOf(first),
  );
  const arms = comparable.slice(0, MOST_ARMS);
  const index = await readPreparedIndex(prepared);
  const evaluated = new Set(first.evaluation.cases.map(({ id }) => id));
  const cases = index.cases.filter(({ id }) => evaluated.has(id));
  const shown = cases.slice(0, MOST_CASES);
  const panels: ContourPanel[] = [];
  for (const drawn of shown) {
    const predictions = arms.map(async ({ arm, run }) => {
      const prediction = entryOf(predictionFiles(run, cases), drawn.id);
      return [arm, await readVolume(prediction)] as const;
    });
    panels.push({
      caseName: drawn.name,
      image: await readVolume(itemAt(drawn.sourceImages, 0)),
      reference: await readReference(index, drawn),
      predictions: Object.fromEntries(await Promise.all(predictions)),
    });
  }
  const example = itemAt(shown, 0);
  const classes = evaluatedClasses(entryOf(index.datasets, example.dataset).classes);
  await writeContourFigure(file, panels, { title, classes, ...windowOf(example) });
}

const evaluatedClasses = (classes: Readonly<Record<string, string>>) =>
  Object.entries(classes).map(([value, name]) => ({ name, values: [Number(value)] }));
