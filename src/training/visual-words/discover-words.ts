import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { byteAt, entryOf, itemAt } from '../../at.js';
import {
  type CaseSelection,
  type CropLoader,
  type PreparedCase,
  readPreparedIndex,
  selectCases,
} from '../../dataset/index.js';
import { compile, createState, type NamedArrays, type Precision } from '../../engine/index.js';
import { WorkError } from '../../errors.js';
import { jsonOrUndefined } from '../../json.js';
import {
  initialiseParameters,
  makeNetwork,
  type Network,
  type NetworkSettings,
  readWeights,
} from '../../network/index.js';
import { autoEncoder, imageFeatures, type TransVwConfig } from '../../pretext/index.js';
import { randomStream } from '../../random/streams.js';
import { readRecordText } from '../../text-file.js';
import { type Axis, mapAxes, type Triple, tripleOf } from '../../volume/index.js';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import type { RunProgress } from '../loop.js';
import { pretrainingTask } from '../pretraining-task.js';
import { carryOut } from '../run.js';
import type { TrainSettings } from '../run-settings.js';
import { chooseWords, type Patient, type VisualWord } from './choose-words.js';
import { type ShrunkenScan, shrinkScans } from './shrunken-scans.js';

export interface WordDiscovery {
  readonly seed: number;
  readonly precision: Precision;
  readonly prepared: string;
  readonly datasets?: readonly string[] | undefined;
  /** The cases whose crops become words. */
  readonly learnedFrom: Pick<CaseSelection, 'split' | 'caseIds'>;
  /** Whether instances of held-out patients are wanted too. */
  readonly withHeldOut: boolean;
  readonly cropSize: Triple;
  readonly network: NetworkSettings;
  readonly config: TransVwConfig;
  readonly train: TrainSettings;
  /** Folder of the auto-encoder's run and of `words.json`. */
  readonly out: string;
  readonly progress: RunProgress;
  readonly signal?: AbortSignal | undefined;
}

const triple = tripleOf(z.number());
const instances = z.array(z.object({ caseId: z.string(), start: triple }));
const wordsFile = z.object({
  schema: z.literal(1),
  /** What the words were found with; other settings find them anew. */
  identity: z.unknown(),
  words: z.array(z.object({ reference: z.string(), instances, heldOut: instances })),
});

/**
 * TransVW's preparatory step: trains an auto-encoder on whole shrunken scans (a run folder of its own, which
 * resumes), takes every patient's latent as a feature, and chooses the words. What `words.json` holds for the
 * same settings and cases is kept.
 */
export async function discoverWords(options: WordDiscovery): Promise<readonly VisualWord[]> {
  const { prepared, datasets, learnedFrom, withHeldOut, out, cropSize, config, seed } = options;
  const index = await readPreparedIndex(prepared);
  const select = (wanted: WordDiscovery['learnedFrom']) =>
    selectCases(index, { ...wanted, ...(datasets && { datasets }) }, prepared);
  const cases = select(learnedFrom);
  const heldOut = withHeldOut ? select({ split: 'validation' }) : [];
  const ids = (from: readonly PreparedCase[]) => from.map(({ id }) => id);
  const identity = {
    seed,
    cropSize,
    network: options.network,
    config,
    cases: ids(cases),
    heldOut: ids(heldOut),
  };
  const file = join(out, 'words.json');
  const known = existsSync(file)
    ? wordsFile.safeParse(jsonOrUndefined(await readRecordText(file)))
    : undefined;
  if (known?.success && isDeepStrictEqual(known.data.identity, JSON.parse(JSON.stringify(identity))))
    return known.data.words;

  await makeFolder(out);
  const { channels } = itemAt(cases, 0);
  const network = makeNetwork(options.network, { inChannels: channels, outChannels: channels });
  const scans = await shrinkScans(prepared, [...cases, ...heldOut], config.autoEncoder.side);
  const weights = await trainAutoEncoder(options, network, cases, scans.slice(0, cases.length));
  const features = await featuresOf(network, weights, scans, config.autoEncoder.side);
  const patients = [...cases, ...heldOut].map(
    ({ id, size }, i): Patient => ({ id, size, feature: itemAt(features, i) }),
  );
  const isBody = bodyTest(cases, scans, config.autoEncoder.side, cropSize);
  const [own, others] = [patients.slice(0, cases.length), patients.slice(cases.length)];
  const words = chooseWords(own, others, { ...config, cropSize }, randomStream(seed, 'word'), isBody);
  await writeWholeFile(file, `${JSON.stringify({ schema: 1, identity, words }, null, 1)}\n`);
  return words;
}

async function trainAutoEncoder(
  { seed, precision, config, train, out, progress, signal, network: settings }: WordDiscovery,
  network: Network,
  cases: readonly PreparedCase[],
  scans: readonly ShrunkenScan[],
): Promise<string> {
  const { side, steps, batchSize, learningRate } = config.autoEncoder;
  const batch = { size: batchSize, crop: [side, side, side], scaledTargets: false } as const;
  const task = pretrainingTask({
    name: 'auto-encoder step',
    network,
    method: autoEncoder(network, batch),
    batch,
    seed,
  });
  const run = join(out, 'auto-encoder');
  const { last } = await carryOut({
    out: run,
    resume: existsSync(join(run, 'config.yaml')),
    seed,
    loader: scanLoader(cases, scans, batchSize, seed),
    task,
    precision,
    train: { ...train, validateEvery: 0 },
    progress,
    signal,
    config: { seed, precision, network: settings, autoEncoder: config.autoEncoder },
    schedule: { steps, warmupSteps: Math.min(steps, Math.ceil(steps / 20)), peak: learningRate },
    initialWeights: async () => initialiseParameters(task.parameters, seed),
    metadata: { format: 'pt', producer: 'hybridmim' },
  });
  return last;
}

/** Whole shrunken scans as batches; each comes once an epoch. */
function scanLoader(
  cases: readonly PreparedCase[],
  scans: readonly ShrunkenScan[],
  batchSize: number,
  seed: number,
): CropLoader {
  return {
    cases,
    channels: itemAt(cases, 0).channels,
    batch: async (step) => {
      const chosen = Array.from({ length: batchSize }, (_, item) => {
        const visit = step * batchSize + item;
        const order = randomStream(seed, 'word', Math.floor(visit / scans.length)).shuffle(
          scans.map((_, i) => i),
        );
        return itemAt(order, visit % scans.length);
      });
      const provenance = chosen.map((i) => ({ caseId: itemAt(cases, i).id, start: [0, 0, 0] as const }));
      return { images: asFloats(chosen.map((i) => itemAt(scans, i))), provenance, waitSeconds: 0 };
    },
    close: async () => {},
  };
}

async function featuresOf(
  network: Network,
  weights: string,
  scans: readonly ShrunkenScan[],
  side: number,
): Promise<Float32Array[]> {
  const { values }: { values: NamedArrays } = await readWeights(weights, network.specs);
  const state = createState(values, { engine: 'graph' });
  try {
    const inputs = {
      images: { shape: [1, side, side, side, network.inChannels], dtype: 'float32' as const },
    };
    const step = compile((fed, variables) => ({ feature: imageFeatures(network, fed, variables) }), {
      name: 'features',
      inputs,
      state,
      precision: 'float32',
    });
    const features: Float32Array[] = [];
    for (const scan of scans) {
      const { feature } = await step.run({ images: asFloats([scan]) });
      if (!(feature instanceof Float32Array))
        throw new WorkError('the auto-encoder gave no feature of a scan');
      features.push(feature);
    }
    return features;
  } finally {
    state.dispose();
  }
}

/**
 * At least half of a word shows the body, as the shrunken scans tell: above the lower end of the intensity
 * window (CT), or no background (MR). What of a crop lies beyond the scan does not count.
 */
function bodyTest(
  cases: readonly PreparedCase[],
  scans: readonly ShrunkenScan[],
  side: number,
  cropSize: Triple,
) {
  const indexOf = new Map(cases.map(({ id }, i) => [id, i]));
  return ({ id, size }: Patient, start: Triple): boolean => {
    const scan = itemAt(scans, entryOf(indexOf, id));
    const cell = (voxel: number, axis: Axis) =>
      Math.min(side - 1, Math.max(0, Math.floor((voxel * side) / size[axis])));
    const first = mapAxes(start, cell);
    const last = mapAxes(start, (voxel, axis) => cell(voxel + cropSize[axis] - 1, axis));
    const channels = scan.length / side ** 3;
    let [body, all] = [0, 0];
    for (let z = first[2]; z <= last[2]; z++) {
      for (let y = first[1]; y <= last[1]; y++) {
        for (let x = first[0]; x <= last[0]; x++, all++)
          if (byteAt(scan, ((z * side + y) * side + x) * channels) > 0) body++;
      }
    }
    return body >= all / 2;
  };
}

function asFloats(scans: readonly ShrunkenScan[]): Float32Array {
  const { length } = itemAt(scans, 0);
  const floats = new Float32Array(length * scans.length);
  for (const [i, scan] of scans.entries())
    scan.forEach((value, at) => {
      floats[i * length + at] = value / 255;
    });
  return floats;
}
