import { z } from 'zod';
import { networkSection } from '../network/index.js';
import { methodSection } from '../pretext/index.js';
import { finetuneData, finetuneTrain, inferenceSection, precisionValue, pretrainData, pretrainTrain, seedValue } from './sections.js';

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
