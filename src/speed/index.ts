export { benchmarkSpeed, type SpeedOptions, type SpeedReport } from './benchmark-speed.js';
export { speedBars, speedTable } from './speed-table.js';
