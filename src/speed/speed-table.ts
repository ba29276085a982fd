import { markdownTable, type SpeedBar } from '../report/index.js';
import type { SpeedReport, SpeedResult } from './benchmark-speed.js';

/** One row a result: times in seconds, memory in GB, the share of a matrix product's rate in percent. */
export function speedTable({ results }: SpeedReport): string {
  const titles = [
    'method',
    'network',
    'precision',
    'region',
    'median s',
    'range s',
    'peak GB',
    'compile s',
    '% of product rate',
  ];
  const rows = results.map(
    ({
      method,
      network,
      precision,
      region,
      crop,
      stepMs: { median, min, max },
      peakBytes,
      compileMs,
      peakShare,
    }) => [
      method,
      network,
      precision,
      region < crop ? `${region} of ${crop}` : `${crop}`,
      seconds(median),
      `${seconds(min)} to ${seconds(max)}`,
      (peakBytes / 1e9).toFixed(2),
      seconds(compileMs),
      (100 * peakShare).toFixed(0),
    ],
  );
  return markdownTable(titles, rows);
}

/** The results as bars of the figure, in the order of the report. */
export function speedBars({ results }: SpeedReport): SpeedBar[] {
  return results.map((result) => ({
    name: barName(result),
    precision: result.precision,
    median: result.stepMs.median / 1000,
    low: result.stepMs.min / 1000,
    high: result.stepMs.max / 1000,
  }));
}

const barName = ({ method, network, region, crop }: SpeedResult): string =>
  `${method} (${network})${method === 'hybridmim' && region === crop ? ', not partial' : ''}`;

const seconds = (ms: number): string => (ms < 100 ? (ms / 1000).toFixed(3) : (ms / 1000).toFixed(2));
