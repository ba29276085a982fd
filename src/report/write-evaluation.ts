import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { Evaluation } from '../evaluation/index.js';
import { evaluationCells, markdownTable, millimetres, percent } from './table.js';

/**
 * Writes an evaluation as JSON, and beside it as Markdown (summary and cases) and CSV (one line a case and class).
 * @param file ends in `.json`
 */
export async function writeEvaluation(file: string, evaluation: Evaluation): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const base = file.replace(/\.json$/, '');
  await writeFileAtomic(`${base}.json`, `${JSON.stringify(evaluation, null, 1)}\n`);
  await writeFileAtomic(`${base}.md`, `${evaluationMarkdown(evaluation)}\n`);
  await writeFileAtomic(`${base}.csv`, `${evaluationCsv(evaluation)}\n`);
}

function evaluationMarkdown(evaluation: Evaluation): string {
  const { header, body } = evaluationCells([{ name: evaluation.task, evaluation }]);
  const counts = evaluation.classes.map((name) => {
    const { dice, nMissed, nUndefined, nFalsePositiveOnEmpty } = evaluation.perClass[name]!;
    return [name, String(dice.n), String(nMissed), String(nUndefined), String(nFalsePositiveOnEmpty)];
  });
  const cases = evaluation.cases.flatMap(({ id, classes }) =>
    Object.entries(classes).map(([name, result]) => [id, name, percent(result.dice), millimetres(result.hd95), result.status]),
  );
  return [
    `# ${evaluation.task}`,
    'Dice in %, HD95 in mm. Means over cases a class, then over classes; undefined numbers are left out and counted.',
    markdownTable(header, body),
    markdownTable(['class', 'cases', 'missed', 'not in reference', 'predicted though not there'], counts),
    markdownTable(['case', 'class', 'Dice', 'HD95', 'status'], cases),
  ].join('\n\n');
}

function evaluationCsv({ cases }: Evaluation): string {
  const lines = cases.flatMap(({ id, classes }) =>
    Object.entries(classes).map(([name, { dice, hd95, status }]) => [id, name, dice ?? '', hd95 ?? '', status].map(csvField).join(',')),
  );
  return ['case,class,dice,hd95_mm,status', ...lines].join('\n');
}

/** RFC 4180. */
const csvField = (value: string | number): string => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
