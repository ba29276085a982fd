// Everything a fresh clone needs, with nothing but Node: node packages, the TensorFlow library, tfjs's addon, the compiled sources.
// Steps that are already done are skipped. Usage: node scripts/setup.mjs [--runtime cpu|cuda]
import { parseArgs } from 'node:util';
import { SetupError } from './run-command.mjs';
import { addonStep, checkPlatform, compileStep, packagesStep, runtimeStep } from './setup-steps.mjs';

async function setUp(variant) {
  checkPlatform();
  const steps = [packagesStep, runtimeStep(variant), addonStep, compileStep];
  for (const [i, step] of steps.entries()) {
    const title = `[${i + 1}/${steps.length}] ${step.name}`;
    if (step.isDone()) continue;
    process.stderr.write(`${title} ...\n`);
    const started = performance.now();
    await step.run();
    process.stderr.write(`${title}: done in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
}

try {
  const { values } = parseArgs({ options: { runtime: { type: 'string', default: process.env.HYBRIDMIM_RUNTIME ?? 'cpu' } } });
  if (values.runtime !== 'cpu' && values.runtime !== 'cuda') throw new SetupError(`--runtime is ${values.runtime}; it takes cpu or cuda.`);
  await setUp(values.runtime);
} catch (error) {
  if (!(error instanceof SetupError) && error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw error;
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
