// One process of vitest for a batch of mutants: told its batch once, it sends what becomes of every test file, in order.
import { fileURLToPath } from 'node:url';
import { BaseSequencer, createVitest } from 'vitest/node';

process.once('message', async ({ root, files }) => {
  class InOrder extends BaseSequencer {
    sort(specifications) {
      return specifications.toSorted((a, b) => files.indexOf(a.moduleId) - files.indexOf(b.moduleId));
    }
  }
  const reporter = {
    onTestModuleStart: ({ moduleId }) => process.send({ starts: moduleId }),
    onTestModuleEnd: (module) =>
      process.send({ ends: module.moduleId, ok: module.ok(), by: firstFailure(module) }),
  };
  const vitest = await createVitest('test', {
    config: false,
    root,
    watch: false,
    include: ['mutants/**/*.test.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { TF_CPP_MIN_LOG_LEVEL: '3' },
    sequence: { sequencer: InOrder },
    reporters: [reporter],
    runner: fileURLToPath(new URL('./runner.mjs', import.meta.url)),
    onConsoleLog: () => false,
    dangerouslyIgnoreUnhandledErrors: true,
  });
  const specifications = await vitest.globTestSpecifications();
  await vitest.runTestSpecifications(specifications.filter(({ moduleId }) => files.includes(moduleId)));
  await vitest.close();
  process.disconnect();
});

function firstFailure(module) {
  for (const test of module.children.allTests('failed'))
    return `${test.fullName}: ${test.result().errors[0]?.message}`;
  const errors = [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
  return errors[0]?.message ?? '';
}
