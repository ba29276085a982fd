/** Worker thread of `checkDatasets`: one case a task, one volume in memory. */
export { checkCase as default } from './check-case.js';
