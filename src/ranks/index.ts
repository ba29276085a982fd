export { endNow } from './end-now.js';
export { launchRanks } from './launch-ranks.js';
export { type Gathered, keepsRun, type Lifeline, openLifeline } from './lifeline.js';
export type { Facts, Start } from './messages.js';
export { ownDevice, type RankPlace, rankPlaceOf } from './rank-place.js';
