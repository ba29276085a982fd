// Everything a fresh clone needs, with nothing but Node: node packages, the TensorFlow library, tfjs's addon, the compiled sources.
// Steps that are already done are skipped. Usage: node scripts/setup.mjs [--runtime cpu|cuda], or hybridmim setup [--runtime cpu|cuda]
import { parseArgs } from 'node:util';
import { SetupError } from './run-command.mjs';
import { addonStep, checkPlatform, compileStep, packagesStep, runtimeStep } from './setup-steps.mjs';

async function setUp(variant) {
  checkPlatform();
  const steps = [packagesStep, runtimeStep(variant), addonStep, compileStep];
  for (const [i, step] of steps.entries()) {
    const title = `[${i + 1}/${steps.length}] ${step.name}`;
    if (step.isDone()) continue;
    const started = performance.now();
    const elapsed = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
    process.stderr.write(`${title} ...\n`);
    const ticker = setInterval(
      () => show(`${title}: ${elapsed()} so far`),
      process.stderr.isTTY ? 1000 : 15_000,
    );
    try {
      await step.run();
    } finally {
      clearInterval(ticker);
    }
    show(`${title}: done in ${elapsed()}`, true);
  }
}

/** A line that the next one replaces on a terminal, unless it is to stay. */
function show(text, stays = false) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}${stays ? '\n' : ''}`);
  else process.stderr.write(`${text}\n`);
}

try {
  const args = process.argv.slice(process.argv[2] === 'setup' ? 3 : 2); // also as `hybridmim setup`
  const { values } = parseArgs({
    args,
    options: { runtime: { type: 'string', default: process.env.HYBRIDMIM_RUNTIME ?? 'cpu' } },
  });
  if (values.runtime !== 'cpu' && values.runtime !== 'cuda')
    throw new SetupError(`--runtime is ${values.runtime}; it takes cpu or cuda.`);
  await setUp(values.runtime);
} catch (error) {
  if (!(error instanceof SetupError) && error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw error;
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
