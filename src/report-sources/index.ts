export { collectReport, type ReportSources } from './collect-report.js';
export { writePreparedPictures } from './prepared-pictures.js';
export { lossTable, preparedTable } from './prepared-table.js';
export { windowOf } from './shown-window.js';
