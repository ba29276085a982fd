import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ExperimentConfig, experimentConfig, loadConfig } from '../../src/config/index.js';
import {
  type ExperimentResult,
  planCells,
  preparedFolder,
  runExperiment,
} from '../../src/experiment/index.js';
import { longTests } from '../long-tests.js';
import { temporaryFolder } from '../temporary-folder.js';

/** A configuration of the tiny scale. */
export const tinyFile = (name: string) => `configs/experiment-tiny/${name}.yaml`;

/** The same, read. */
export const loadTiny = (name: string, ...overrides: string[]): Promise<ExperimentConfig> =>
  loadConfig(experimentConfig, tinyFile(name), overrides);

/** Tests that tables and figures are filled at the tiny scale. They take minutes, so they stand in several files, and continuous integration asks for them. */
export function itFills(...names: string[]): void {
  const folder = temporaryFolder();
  describe.skipIf(!longTests)('at the tiny scale, on phantoms, end to end', () => {
    it.each(names)(
      '%s is filled',
      async (name) => {
        const out = join(folder, name);
        const config = await loadTiny(name);
        expectFilled(config, out, await runExperiment({ config, out }));
        rmSync(out, { recursive: true });
      },
      400_000,
    );
  });
}

/** Every cell of an experiment gave a result, and the tables have a row for each. */
function expectFilled(config: ExperimentConfig, out: string, result: ExperimentResult): void {
  const cells = planCells(config, preparedFolder(out));
  expect(result.failed).toEqual([]);
  expect(result.runs).toHaveLength(cells.filter(({ kind }) => kind === 'finetune').length);
  expect(result.pretrainings).toHaveLength(cells.filter(({ kind }) => kind === 'pretrain').length);
  const table = readFileSync(join(out, 'results.md'), 'utf8');
  for (const { arm } of result.runs) expect(table).toContain(`| ${arm}`);
  for (const { stepSeconds } of result.pretrainings) expect(stepSeconds.median).toBeGreaterThan(0);
  for (const { evaluation } of result.runs)
    for (const { classes } of evaluation.cases) expect(Object.keys(classes)).toEqual(evaluation.classes);
}
