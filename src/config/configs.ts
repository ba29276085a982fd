export {
  type FinetuneSettings as FinetuneConfig,
  finetuneSettings as finetuneConfig,
  type PretrainSettings as PretrainConfig,
  pretrainSettings as pretrainConfig,
} from '../training/index.js';
