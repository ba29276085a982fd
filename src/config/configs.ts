import { z } from 'zod';
import {
  finetuneData,
  finetuneTrain,
  inferenceSection,
  methodSection,
  networkSection,
  precisionValue,
  pretrainData,
  pretrainTrain,
  seedValue,
} from './sections.js';

export const pretrainConfig = z.strictObject({
  seed: seedValue,
  precision: precisionValue,
  data: pretrainData,
  network: networkSection.prefault({}),
  method: methodSection,
  train: pretrainTrain,
});
export type PretrainConfig = z.infer<typeof pretrainConfig>;

export const finetuneConfig = z.strictObject({
  seed: seedValue,
  precision: precisionValue,
  data: finetuneData,
  network: networkSection.prefault({}),
  train: finetuneTrain,
  inference: inferenceSection.prefault({}),
});
export type FinetuneConfig = z.infer<typeof finetuneConfig>;

/** An experiment: one dataset index, arms that differ in how weights start, seeds; every arm runs with every seed. */
export const experimentConfig = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** The dataset index itself, as `datasets.example.json` documents it. */
  datasets: z.record(z.string(), z.unknown()),
  seeds: z.array(seedValue).min(1),
  arms: z.array(z.strictObject({ name: z.string().min(1), pretrained: z.boolean() })).min(1),
  /** As `pretrain`'s and `finetune`'s, without `seed` and `data.prepared`, which the experiment gives. */
  pretrain: z.record(z.string(), z.unknown()),
  finetune: z.record(z.string(), z.unknown()),
  /** The split that is evaluated and compared. */
  evaluate: z.enum(['validation', 'test']).default('test'),
});
export type ExperimentConfig = z.infer<typeof experimentConfig>;
