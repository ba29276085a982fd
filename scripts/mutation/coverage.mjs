// Which source files are mutated, and which test files have to notice. They are the quick ones, which work their values out in plain loops
// or by hand: a fault that only a real network or ten thousand draws would show counts as one that survives.
import { readdirSync } from 'node:fs';

const hybridMim = 'test/pretext/hybridmim-by-definition.test.ts';
const methods = 'test/pretext/methods-by-definition.test.ts';
const defaults = 'test/pretext/method-defaults.test.ts';
const losses = ['test/losses/losses-by-definition.test.ts', 'test/losses/errors-and-properties.test.ts'];

/** Test files by a source file or its folder, the cheapest first. A file's own entry goes before its folder's. */
const covered = {
  'src/corruption': ['test/corruption/corruption-by-definition.test.ts'],
  'src/losses': losses,
  'src/network/target-region.ts': ['test/network/target-region.test.ts'],
  'src/pretext': [defaults, methods],
  'src/pretext/chance.ts': ['test/pretext/chance.test.ts'],
  'src/pretext/hybridmim.ts': [hybridMim, 'test/pretext/hybridmim-settings.test.ts'],
  'src/pretext/patch-grid.ts': ['test/pretext/patch-grid.test.ts', hybridMim],
  'src/pretext/scaled-targets.ts': [methods, hybridMim],
  'src/training/schedule.ts': ['test/training/schedule.test.ts'],
  'src/training/transfer.ts': ['test/training/transfer.test.ts'],
};

/** The files that are mutated, sorted: those named above and all of the folders but their lists of exports. */
export function mutatedFiles() {
  const files = Object.keys(covered).flatMap((path) =>
    path.endsWith('.ts') ? [path] : readdirSync(path).map((name) => `${path}/${name}`),
  );
  return [...new Set(files)].filter((file) => !file.endsWith('/index.ts')).sort();
}

/** Test files of a source file. Throws where nobody said which. */
export function testsOf(file) {
  const tests = covered[file] ?? covered[file.slice(0, file.lastIndexOf('/'))];
  if (!tests) throw new Error(`scripts/mutation/coverage.mjs names no test of ${file}`);
  return tests;
}

/** The mutant whose folder a path lies in. */
export const mutantOfPath = (path) => path.match(/\/mutants\/([^/]+)\//)?.[1];
