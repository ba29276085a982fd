export { askProcess, endedForMemory } from './ask-process.js';
export { mapInLanes } from './map-in-lanes.js';
export { openWorkerPool, type WorkerPool } from './worker-pool.js';
