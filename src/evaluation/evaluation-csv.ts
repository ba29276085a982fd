import type { Metric } from './metrics.js';
import { type Evaluation, furtherMetricsOf } from './summarise.js';

/**
 * The cases as tidy CSV (RFC 4180): a line a case, class and metric; the value is empty where it is
 * undefined. A name that a spreadsheet would take for a formula gets an apostrophe before it.
 */
export function evaluationCsv({ cases }: Evaluation): string {
  const lines = cases.flatMap(({ id, classes }) =>
    Object.entries(classes).flatMap(([name, result]) => {
      const metrics: readonly Metric[] = ['dice', 'hd95', ...furtherMetricsOf([result])];
      return metrics.map((metric) => [id, name, metric, result[metric] ?? ''].map(csvField).join(','));
    }),
  );
  return ['case,class,metric,value', ...lines].join('\n');
}

function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = formulaStart.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * How text begins that spreadsheets would carry out: a mark before it makes it text. Fullwidth signs count in
 * some languages.
 */
const formulaStart = /^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
