import { itFills } from './tiny-experiment.js';

itFills('table1-btcv', 'table2-msd');
