export { decathlonCitation, decathlonLicence, decathlonTasks } from './decathlon.js';
export {
  type DownloadedDataset,
  type DownloadOptions,
  type DownloadProgress,
  downloadDataset,
} from './download-dataset.js';
export { type Patience, usualPatience } from './fetch-archive.js';
export { type DownloadSettings, downloadableTasks } from './settings.js';
