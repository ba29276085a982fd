// Runs the test files of many mutants in one process, one after the other, and each only until it is killed.
import { TestRunner } from 'vitest';
import { mutantOfPath } from './coverage.mjs';

/** Mutants that a test of this process has failed on; the process runs one file after the other. */
const killed = new Set();

export default class MutationRunner extends TestRunner {
  async importFile(path, source) {
    const mutant = mutantOfPath(path);
    if (source === 'collect' && killed.has(mutant)) throw new Error('killed before');
    try {
      return await super.importFile(path, source);
    } catch (error) {
      killed.add(mutant);
      throw error;
    }
  }

  async onBeforeRunSuite(suite) {
    if (killed.has(mutantOfPath(suite.file.filepath))) suite.mode = 'skip';
    await super.onBeforeRunSuite(suite);
  }

  async onBeforeRunTask(test) {
    if (killed.has(mutantOfPath(test.file.filepath))) test.mode = 'skip';
    await super.onBeforeRunTask(test);
  }

  onAfterRunTask(test) {
    if (test.result?.state === 'fail') killed.add(mutantOfPath(test.file.filepath));
    super.onAfterRunTask(test);
  }

  async onAfterRunSuite(suite) {
    if (suite.result?.state === 'fail') killed.add(mutantOfPath(suite.file.filepath));
    await super.onAfterRunSuite(suite);
  }
}
