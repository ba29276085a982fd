import { z } from 'zod';
import type { Preprocessing } from '../dataset/index.js';
import { preprocessingSchema } from '../dataset/index.js';
import { createState, type Precision } from '../engine/index.js';
import { DataError } from '../errors.js';
import { type LabelScheme, openPredictor, type Predictor } from '../inference/index.js';
import { type Network, networkByName, readSafetensors, readWeights } from '../network/index.js';
import type { Triple } from '../volume/index.js';

const channels = z.int().min(1);
const networkFacts = z.object({
  name: z.string(),
  features: z.tuple([channels, channels, channels, channels, channels, channels]),
  dropout: z.number(),
  inChannels: channels,
  outChannels: channels,
});
const schemeFacts = z.object({ kind: z.enum(['classes', 'regions']), names: z.array(z.string()), values: z.array(z.array(z.int())) });

/** What a weights file of this project says of itself. */
export interface WeightsFacts {
  readonly network: Network;
  readonly scheme: LabelScheme;
  readonly preprocessing: Preprocessing;
}

/** Reads what a fine-tuned weights file says of its network, classes and preparation. Throws DataError when it says nothing. */
export async function readWeightsFacts(file: string): Promise<WeightsFacts> {
  const { metadata } = await readSafetensors(file);
  const fact = <S extends z.ZodType>(name: string, schema: S): z.infer<S> => {
    const parsed = schema.safeParse(jsonOrUndefined(metadata[name]));
    if (parsed.success) return parsed.data;
    throw new DataError(`${file} does not say its ${name}: only weights that "hybridmim finetune" wrote carry it`, { file, field: name });
  };
  const { name, ...settings } = fact('network', networkFacts);
  return { network: networkByName(name)(settings), scheme: fact('scheme', schemeFacts), preprocessing: fact('preprocessing', preprocessingSchema) };
}

export interface OpenedWeights {
  readonly predictor: Predictor;
  close(): void;
}

/** A predictor with the parameters of a weights file. */
export async function openWeights(
  file: string,
  network: Network,
  options: { readonly window: Triple; readonly overlap: number; readonly precision: Precision; readonly threads: number },
): Promise<OpenedWeights> {
  const { values } = await readWeights(file, network.specs);
  const state = createState(values, { engine: 'graph', threads: options.threads });
  return { predictor: openPredictor({ network, state, ...options }), close: () => state.dispose() };
}

function jsonOrUndefined(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
