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

/** What a pre-training run is set by; `docs/pretrain.md` has every key. */
export const pretrainConfig = z.strictObject({
  seed: seedValue,
  precision: precisionValue,
  data: pretrainData,
  network: networkSection.prefault({}),
  method: methodSection,
  train: pretrainTrain,
});
export type PretrainConfig = z.infer<typeof pretrainConfig>;

/** What a fine-tuning run is set by; `docs/finetune.md` has every key. */
export const finetuneConfig = z.strictObject({
  seed: seedValue,
  precision: precisionValue,
  data: finetuneData,
  network: networkSection.prefault({}),
  train: finetuneTrain,
  inference: inferenceSection.prefault({}),
});
export type FinetuneConfig = z.infer<typeof finetuneConfig>;
