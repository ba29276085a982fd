// Which source files are mutated, and which test files would have to notice: the cheapest first.
import { readdirSync } from 'node:fs';

const pretext = (...names) => names.map((name) => `test/pretext/${name}.test.ts`);
const losses = ['test/losses/losses-by-definition.test.ts', 'test/losses/errors-and-properties.test.ts', 'test/losses/losses.test.ts'];
const corruption = ['test/corruption/corruption-by-definition.test.ts', 'test/corruption/corruption.test.ts'];
const masks = pretext('patch-grid', 'hybridmim-by-definition');

/** Test files by source file; those of a folder where the file has no entry. */
const covered = {
  'src/pretext/auto-encoder.ts': pretext('methods-by-definition'),
  'src/pretext/cells-to-voxels.ts': pretext('methods-by-definition', 'restoration'),
  'src/pretext/head.ts': pretext('methods-by-definition', 'restoration'),
  'src/pretext/hybridmim.ts': pretext('hybridmim-by-definition', 'hybridmim'),
  'src/pretext/mae.ts': pretext('methods-by-definition', 'mae'),
  'src/pretext/method.ts': pretext('methods-by-definition'),
  'src/pretext/models-genesis.ts': pretext('methods-by-definition', 'restoration'),
  'src/pretext/patch-grid.ts': masks,
  'src/pretext/registry.ts': pretext('methods-by-definition'),
  'src/pretext/require-network.ts': pretext('methods-by-definition'),
  'src/pretext/scaled-targets.ts': pretext('methods-by-definition'),
  'src/pretext/simmim.ts': pretext('methods-by-definition', 'restoration'),
  'src/pretext/transvw.ts': pretext('methods-by-definition'),
  'src/pretext/unetformer.ts': pretext('methods-by-definition', 'unetformer'),
  'src/network/target-region.ts': ['test/network/target-region.test.ts', ...pretext('hybridmim-networks')],
  'src/training/schedule.ts': ['test/training/schedule.test.ts'],
  'src/training/transfer.ts': ['test/training/transfer.test.ts'],
};

/** The files that are mutated, sorted. */
export function mutatedFiles() {
  const inFolder = (folder) => readdirSync(folder).map((name) => `${folder}/${name}`);
  const folders = ['src/pretext', 'src/losses', 'src/corruption'].flatMap(inFolder);
  return [...new Set([...folders, ...Object.keys(covered)])].filter((file) => !file.endsWith('/index.ts')).sort();
}

/** Test files of a source file. Throws where nobody said which. */
export function testsOf(file) {
  const tests = covered[file] ?? (file.startsWith('src/losses/') ? losses : file.startsWith('src/corruption/') ? corruption : undefined);
  if (!tests) throw new Error(`scripts/mutation/coverage.mjs says of no test that it covers ${file}`);
  return tests;
}

/** The mutant whose folder a path lies in. */
export const mutantOfPath = (path) => path.match(/\/mutants\/([^/]+)\//)?.[1];
