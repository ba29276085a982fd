import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { itemAt } from '../at.js';
import { loadSettings, overridesOf, type PredictConfig, predictConfig, readPreset } from '../config/index.js';
import { type Preprocessing, preprocessingOf, preprocessingSchema } from '../dataset/index.js';
import { createState, type State, useDevice } from '../engine/index.js';
import { DataError, UsageError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import {
  imageSizeOf,
  type LabelScheme,
  labelScheme,
  openPredictor,
  outputChannels,
  type Predictor,
  requireImageSize,
} from '../inference/index.js';
import { jsonOrUndefined } from '../json.js';
import {
  makeNetwork,
  type Network,
  networkNameOf,
  networkSection,
  networkShapes,
  readSafetensors,
  readWeights,
} from '../network/index.js';
import { preparationOf, weightsFile } from '../training/index.js';
import type { Modality, Triple } from '../volume/index.js';
import { readFinetunedRun, runWeights } from './finetuned-run.js';

const channels = z.int().min(1);
const networkFacts = z
  .looseObject({ inChannels: channels, outChannels: channels })
  .transform(({ inChannels, outChannels, ...settings }, context) => {
    const parsed = networkSection.safeParse(settings);
    if (parsed.success) return { settings: parsed.data, channels: { inChannels, outChannels } };
    context.addIssue({ code: 'custom', message: 'no network of this version' });
    return z.NEVER;
  });
const schemeFacts = z
  .object({
    kind: z.enum(['classes', 'regions']),
    names: z.array(z.string().min(1)).min(1),
    values: z.array(
      z
        .array(
          z
            .int()
            .min(1)
            .max(2 ** 32 - 1),
        )
        .min(1),
    ),
  })
  .refine(({ names, values }) => names.length === values.length, {
    path: ['values'],
    message: 'there must be as many as names',
  })
  .refine(({ names }) => new Set(names).size === names.length, {
    path: ['names'],
    message: 'each must stand once',
  });

/** A network with its parameters, ready to predict, and what it needs to know of scans and labels. */
export interface OpenedWeights {
  readonly predictor: Predictor;
  readonly scheme: LabelScheme;
  readonly preprocessing: Preprocessing | 'none';
  /** Of the scans that they were trained on; absent: not known, or a preset says how scans are prepared. */
  readonly modality?: Modality | undefined;
  /** Size of a window, voxels [x, y, z], and the share of it that the next one covers again. */
  readonly windows: { readonly window: Triple; readonly overlap: number };
  /** Frees the networks. */
  close(): void;
}

export interface RunWeightsOptions {
  /**
   * Folders of fine-tuning runs; of several, such as the folds of a cross-validation, the probabilities are
   * averaged.
   */
  readonly runs: readonly string[];
  /** `best` where there is one, unless said otherwise. */
  readonly checkpoint?: 'best' | 'last' | undefined;
  /**
   * Preparation of scans: `none`, a modality's defaults (`ct`, `mr`), or a preset file or a MONAI bundle's
   * folder.
   */
  readonly preset?: string | undefined;
  /** Overrides such as `inference.overlap=0.25`. */
  readonly set?: readonly string[];
}

/**
 * The weights of fine-tuning runs; windows and precision are those of the first.
 * @throws DataError when a folder holds none, or weights that do not say what they are; UsageError for an
 *   override of the network, or for runs of which one has other classes, another network or another
 *   preparation
 */
export async function openRunWeights({
  runs,
  checkpoint,
  preset,
  set = [],
}: RunWeightsOptions): Promise<OpenedWeights> {
  const ofNetwork = set.find((override) => override.startsWith('network.'));
  if (ofNetwork)
    throw new UsageError(`--set ${ofNetwork}: the network of a run is what it was trained as`, {
      field: '--set',
    });
  const { precision, data, inference, train } = await readFinetunedRun(itemAt(runs, 0));
  const windows = overridesOf('inference', { ...inference, window: inference.window ?? data.cropSize });
  const own = [`precision=${precision}`, `threads=${train.threads}`, ...windows];
  const given = await presetBy(preset);
  if (given?.scheme || given?.network?.length) {
    throw new UsageError(
      `--preset ${preset} says classes or settings of a network, but a run has its own: leave them out of the preset`,
      {
        field: '--preset',
      },
    );
  }
  const settings = loadSettings(predictConfig, [...own, ...(given?.windows ?? []), ...set]);
  const described = await Promise.all(
    runs.map(async (run) => {
      await readFinetunedRun(run);
      const file = runWeights(run, checkpoint);
      const { metadata } = await readSafetensors(file);
      const network = requiredFact(file, metadata, 'network', networkFacts);
      const classes = requiredFact(file, metadata, 'scheme', schemeFacts);
      requireOutputs(file, classes, network.channels.outChannels);
      return {
        file,
        network,
        classes,
        preparation: given?.preparation ?? requiredFact(file, metadata, 'preprocessing', preprocessingSchema),
        modality: given ? undefined : preparationOf(metadata).modality,
      };
    }),
  );
  requireAgreement(described);
  const { network, classes, preparation, modality } = itemAt(described, 0);
  return openPrediction(
    described.map(({ file }) => file),
    makeNetwork(network.settings, network.channels),
    classes,
    { preprocessing: preparation, modality },
    settings,
  );
}

export interface ForeignWeightsOptions {
  /** `.safetensors` files with MONAI's names; of several the probabilities are averaged. */
  readonly files: readonly string[];
  readonly network: string;
  /**
   * Preparation of scans: `none`, a modality's defaults (`ct`, `mr`), or a preset file or a MONAI bundle's
   * folder.
   */
  readonly preset?: string | undefined;
  readonly set?: readonly string[];
}

/**
 * Weights of any origin. Channels, and of the network's settings what they tell, are read off the parameters'
 * shapes unless `--set` says them; classes and preparation come from the file where it says them, else
 * channels are classes 1, 2, ... and a preset is needed.
 * @throws UsageError when no preset says how scans are prepared, or for files that do not agree in classes,
 *   network and preparation; DataError for parameters that make no such network
 */
export async function openForeignWeights({
  files,
  network: givenName,
  preset,
  set = [],
}: ForeignWeightsOptions): Promise<OpenedWeights> {
  const name = networkNameOf(givenName);
  const given = await presetBy(preset);
  const opened = await Promise.all(files.map((file) => weightsFile(file, 'best')));
  const described = await Promise.all(
    opened.map(async (file) => {
      const { arrays, metadata } = await readSafetensors(file);
      const network = networkShapes(name, arrays, file);
      const preparation = given?.preparation ?? fact(file, metadata, 'preprocessing', preprocessingSchema);
      const classes =
        given?.scheme ?? fact(file, metadata, 'scheme', schemeFacts) ?? numberedScheme(network.outChannels);
      if (preparation === undefined) {
        const remedy =
          'give --preset none (as they are), ct, mr, a preset file or the folder of a MONAI bundle';
        throw new UsageError(`${file} does not say how scans are prepared for it: ${remedy}`, {
          field: '--preset',
        });
      }
      if (!given?.scheme) requireOutputs(file, classes, network.outChannels);
      if (outputChannels(classes) !== network.outChannels) {
        const named = `${classes.names.length} ${classes.kind}, which are ${outputChannels(classes)} channels`;
        throw new UsageError(`${preset} names ${named}, but ${file} has ${network.outChannels}`, {
          field: '--preset',
          found: outputChannels(classes),
          expected: network.outChannels,
        });
      }
      const modality = given ? undefined : preparationOf(metadata).modality;
      return { file, network, classes, preparation, modality };
    }),
  );
  requireAgreement(described);
  const { network: shapes, classes, preparation, modality } = itemAt(described, 0);
  const { inChannels, outChannels, ...told } = shapes;
  const ofFile = overridesOf('network', told);
  const settings = loadSettings(predictConfig, [
    `network.name=${name}`,
    ...ofFile,
    ...(given?.network ?? []),
    ...(given?.windows ?? []),
    ...set,
    `network.name=${name}`,
  ]);
  return openPrediction(
    opened,
    makeNetwork(settings.network, { inChannels, outChannels }),
    classes,
    { preprocessing: preparation, modality },
    settings,
  );
}

interface DescribedWeights {
  readonly file: string;
  readonly network: unknown;
  readonly classes: LabelScheme;
  readonly preparation: Preprocessing | 'none';
}

/** Probabilities can only be averaged where they are of the same classes, from the same images. */
function requireAgreement(described: readonly DescribedWeights[]): void {
  const first = itemAt(described, 0);
  for (const other of described) {
    for (const what of ['classes', 'network', 'preparation'] as const) {
      const [expected, found] = [first[what], other[what]];
      if (isDeepStrictEqual(expected, found)) continue;
      const difference = `another ${what === 'classes' ? 'set of classes' : what} than ${first.file}`;
      throw new UsageError(
        `${other.file} has ${difference}, so that they cannot be averaged: ${JSON.stringify(found)}, not ` +
          `${JSON.stringify(expected)}; give runs of one task, such as the folds of a cross-validation`,
        { file: other.file, field: what, found, expected },
      );
    }
  }
}

async function openPrediction(
  files: readonly string[],
  network: Network,
  scheme: LabelScheme,
  trained: Pick<OpenedWeights, 'preprocessing' | 'modality'>,
  { precision, device, inference, threads }: PredictConfig,
): Promise<OpenedWeights> {
  useDevice(device);
  const window = inference.window ?? imageSizeOf(network) ?? [96, 96, 96];
  requireImageSize(network, window, 'inference.window');
  const states: State[] = [];
  const close = () => {
    for (const state of states) state.dispose();
  };
  try {
    for (const file of files) {
      const { values } = await readWeights(file, network.specs, { constants: network.constants });
      states.push(createState(values, { engine: 'graph', threads }));
    }
    const predictor = openPredictor({ ...inference, network, states, kind: scheme.kind, window, precision });
    return { predictor, scheme, ...trained, windows: { window, overlap: inference.overlap }, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What a preset says; its windows and network as overrides. */
interface GivenPreset {
  readonly preparation: Preprocessing | 'none';
  readonly scheme?: LabelScheme | undefined;
  readonly windows?: readonly string[];
  readonly network?: readonly string[];
}

async function presetBy(preset: string | undefined): Promise<GivenPreset | undefined> {
  if (preset === undefined) return undefined;
  if (preset === 'none') return { preparation: 'none' };
  if (preset === 'ct' || preset === 'mr') return { preparation: preprocessingOf(preset) };
  const {
    orientation,
    spacing,
    intensity,
    windowHu = [0, 1],
    foregroundThreshold,
    notFinite,
    classes,
    regions,
    inference,
    network,
  } = await readPreset(preset);
  return {
    preparation: {
      ...(orientation === 'as stored' && { orientation: 'as-stored' }),
      spacing,
      intensity,
      windowHu,
      foregroundThreshold,
      ...(notFinite !== undefined && { notFinite }),
    },
    scheme: regions ? regionScheme(regions) : classes && labelScheme(classes),
    windows: overridesOf('inference', inference),
    network: overridesOf('network', network),
  };
}

function regionScheme(regions: Readonly<Record<string, readonly number[]>>): LabelScheme {
  const values = [...new Set(Object.values(regions).flat())];
  return labelScheme(Object.fromEntries(values.map((value) => [value, `value ${value}`])), regions);
}

/** Classes 1, 2, ... of a softmax over several channels; one channel alone is a region of value 1. */
function numberedScheme(outChannels: number): LabelScheme {
  const values = Array.from({ length: Math.max(1, outChannels - 1) }, (_, i) => [i + 1]);
  return {
    kind: outChannels === 1 ? 'regions' : 'classes',
    names: values.map(([value]) => `class ${value}`),
    values,
  };
}

function requiredFact<S extends z.ZodType>(
  file: string,
  metadata: Readonly<Record<string, string>>,
  name: string,
  schema: S,
): z.infer<S> {
  const found = fact(file, metadata, name, schema);
  if (found !== undefined) return found;
  throw new DataError(
    `${file} does not say its ${name}: only weights that "hybridmim finetune" wrote carry it`,
    { file, field: name },
  );
}

function fact<S extends z.ZodType>(
  file: string,
  metadata: Readonly<Record<string, string>>,
  name: string,
  schema: S,
): z.infer<S> | undefined {
  const text = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new DataError(
    `${file} says of its ${name} what cannot be${field === '' ? '' : ` (${field})`}: ${message}; ` +
      'the file is damaged, or of another version',
    { file, field: name, found: text },
  );
}

/** Refuses weights that name more or fewer classes than they have outputs. */
function requireOutputs(file: string, classes: LabelScheme, outputs: number): void {
  if (outputChannels(classes) === outputs) return;
  const named = `${classes.names.length} ${classes.kind}, which are ${outputChannels(classes)} channels`;
  throw new DataError(`${file} names ${named}, but has ${outputs}: it is damaged, or of another program`, {
    file,
    field: 'scheme',
    found: outputChannels(classes),
    expected: outputs,
  });
}
