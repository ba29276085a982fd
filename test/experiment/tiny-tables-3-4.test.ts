import { itFills } from './tiny-experiment.js';

itFills('table3-brats', 'table4-ablation', 'table4-ablation-generic');
