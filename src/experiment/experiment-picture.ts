import { entryOf, itemAt } from '../at.js';
import { type PreparedCase, type PreparedIndex, readPreparedIndex } from '../dataset/index.js';
import { predictionFiles, readReference } from '../prediction/index.js';
import type { ContourFigureContent, ContourPanel } from '../report/index.js';
import { windowOf } from '../report-sources/index.js';
import { readLabel, readVolume } from '../volume/index.js';
import type { FinetuneCell } from './cells.js';
import type { ExperimentRun } from './run-cell.js';

/** Cases of the picture, of a single task and of each of several. */
const MOST_CASES = { one: 3, several: 2 };

/** A column of the picture: the runs of a row, each on a task of its own. */
export interface PictureColumn {
  readonly title: string;
  readonly arms: readonly string[];
}

/**
 * The columns of an experiment's picture: a row of its table each, in the order of the arms, where one task
 * has that row twice an arm each.
 * @param wanted rows or arms to show, in their order; absent: all
 */
export function pictureColumns(
  cells: readonly Pick<FinetuneCell, 'arm' | 'row' | 'settings'>[],
  wanted?: readonly string[],
): PictureColumn[] {
  const arms = cells.filter(({ arm }, i) => cells.findIndex((other) => other.arm === arm) === i);
  const taskOf = ({ settings }: (typeof arms)[number]) => settings.data.datasets?.join();
  const isShared = (row: string) => {
    const tasks = arms.filter((cell) => cell.row === row).map(taskOf);
    return new Set(tasks).size === tasks.length;
  };
  const titles = new Map(arms.map((cell) => [cell.arm, isShared(cell.row) ? cell.row : cell.arm]));
  const columns = [...new Set(titles.values())].map((title) => ({
    title,
    arms: arms.flatMap(({ arm }) => (titles.get(arm) === title ? [arm] : [])),
  }));
  if (!wanted) return columns;
  return wanted.flatMap((name) => {
    const named = columns.filter((column) => column.title === name || column.arms.includes(name));
    if (named.length > 0) return named;
    const rows = new Set(arms.filter(({ row }) => row === name).map(({ arm }) => arm));
    return columns.filter((column) => column.arms.some((arm) => rows.has(arm)));
  });
}

/**
 * Slices of evaluated cases of every task with the contours of reference and predictions, of the first seed
 * and the largest share of labels: slices enough that each organ of a case is seen.
 * @param prepared the experiment's prepared folder
 */
export async function experimentPicture(
  title: string,
  prepared: string,
  columns: readonly PictureColumn[],
  runs: readonly ExperimentRun[],
): Promise<ContourFigureContent> {
  const first = runs.reduce((best, run) => (run.fraction > best.fraction ? run : best));
  const comparable = runs.filter((run) => run.seed === first.seed && run.fraction === first.fraction);
  const index = await readPreparedIndex(prepared);
  const tasks = tasksOf(comparable);
  const most = tasks.length > 1 ? MOST_CASES.several : MOST_CASES.one;
  const shown = tasks.flatMap((members) => {
    const evaluated = new Set(itemAt(members, 0).evaluation.cases.map(({ id }) => id));
    const cases = index.cases.filter(({ id }) => evaluated.has(id));
    return cases
      .slice(0, most)
      .map((drawn) => ({ drawn, load: () => panelOf(index, drawn, cases, columns, members) }));
  });
  const names = shown.flatMap(({ drawn }) => classesOf(index, drawn).map(({ name }) => name));
  return {
    title,
    methods: columns.map((column) => column.title),
    classes: [...new Set(names)].map((name) => ({ name, values: [] })),
    cases: shown.map(({ load }) => load),
    everyClass: true,
  };
}

/** Runs that were evaluated on the same cases. */
function tasksOf(runs: readonly ExperimentRun[]): ExperimentRun[][] {
  const casesOf = ({ evaluation }: ExperimentRun) => evaluation.cases.map(({ id }) => id).join('\n');
  const keys = [...new Set(runs.map(casesOf))];
  return keys.map((key) => runs.filter((run) => casesOf(run) === key));
}

async function panelOf(
  index: PreparedIndex,
  drawn: PreparedCase,
  cases: readonly PreparedCase[],
  columns: readonly PictureColumn[],
  runs: readonly ExperimentRun[],
): Promise<ContourPanel> {
  const predictions: Record<string, Awaited<ReturnType<typeof readVolume>>> = {};
  for (const { title, arms } of columns) {
    const run = runs.find(({ arm }) => arms.includes(arm));
    if (run) predictions[title] = await readLabel(entryOf(predictionFiles(run.run, cases), drawn.id));
  }
  return {
    caseName: drawn.name,
    image: await readVolume(itemAt(drawn.sourceImages, 0)),
    reference: await readReference(index, drawn),
    predictions,
    classes: classesOf(index, drawn),
    ...windowOf(drawn),
  };
}

const classesOf = (index: PreparedIndex, { dataset }: PreparedCase) =>
  Object.entries(entryOf(index.datasets, dataset).classes).map(([value, name]) => ({
    name,
    values: [Number(value)],
  }));
