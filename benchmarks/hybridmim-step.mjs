// One pre-training run of HybridMIM(UNet), the real thing from prepared crops to the metrics log, timed by its own log.
// node benchmarks/hybridmim-step.mjs '{"precision": "float32", "region": 64, ...}' prints one line of JSON.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConfig, pretrainConfig } from '../dist/config/index.js';
import { matrixProductRate } from '../dist/engine/index.js';
import { pretrain, readMetrics } from '../dist/training/index.js';
import { residentPeak } from '../dist/training/resident-peak.js';

const { prepared, precision, crop, region, features, steps, threads, workers, rateOnly } = JSON.parse(
  process.argv[2],
);

async function timedRun() {
  const out = mkdtempSync(join(tmpdir(), 'hybridmim-benchmark-'));
  const settings = checkConfig(
    pretrainConfig,
    {
      seed: 0,
      precision,
      data: { prepared, cropSize: [crop, crop, crop], split: 'all', workers, prefetch: 2 },
      network: { features, dropout: 0.1 },
      method: { region, weights: { contrast: 0 } }, // a batch of 1 has no negatives
      train: {
        batchSize: 1,
        steps: steps + 1,
        warmupSteps: 0,
        checkpointEvery: 1000,
        validateEvery: 0,
        threads,
      },
    },
    'benchmark',
  );
  let start;
  let peakBytes; // of the steps: the PyTorch script that it is compared with writes no checkpoint
  const onStart = (facts) => (start = facts);
  const onStep = () => (peakBytes = residentPeak());
  await pretrain({ settings, out: join(out, 'run'), resume: false, progress: { onStart, onStep } });
  const lines = readMetrics(join(out, 'run')).slice(1); // the first step also makes the graph ready
  rmSync(out, { recursive: true });
  return {
    stepSeconds: lines.map(({ seconds }) => seconds),
    waitSeconds: lines.map(({ waitSeconds }) => waitSeconds),
    losses: lines.map(({ loss }) => loss),
    compileMs: start.compileMs,
    peakBytes,
    peakWithCheckpointBytes: residentPeak(),
  };
}

const result = rateOnly
  ? { matrixProductGflops: (await matrixProductRate(precision, threads)) / 1e9 }
  : await timedRun();
console.log(JSON.stringify(result));
process.exitCode = 0;
process.reallyExit(0);
