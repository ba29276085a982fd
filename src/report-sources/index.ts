export { collectReport, type ReportSources } from './collect-report.js';
export { writePreparedPictures } from './prepared-pictures.js';
export { preparedTable } from './prepared-table.js';
export { isEvaluation } from './report-files.js';
export { windowOf } from './shown-window.js';
