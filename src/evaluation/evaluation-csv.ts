import type { Metric } from './metrics.js';
import { type Evaluation, furtherMetricsOf } from './summarise.js';

/**
 * The cases as tidy CSV (RFC 4180): a line a case, class and metric; the value is empty where it is
 * undefined.
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

const csvField = (value: string | number): string =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
