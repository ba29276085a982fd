import { byteSize } from '../byte-size.js';
import type { DownloadedDataset, DownloadProgress } from '../download/index.js';
import type { Command } from './context.js';
import type { Bar, Terminal } from './terminal.js';

interface Flags {
  readonly task: string;
  readonly out: string;
  readonly mirror: string | undefined;
  readonly checksum: string | undefined;
  readonly 'keep-archive': boolean;
  readonly json: boolean;
}

const names =
  'msd-brain-tumour, msd-heart, msd-liver, msd-hippocampus, msd-prostate, msd-lung, msd-pancreas, ' +
  'msd-hepatic-vessel, msd-spleen or msd-colon';

export const downloadCommand: Command<Flags> = {
  command: 'download <task>',
  describe: 'Download, check and unpack a task of the Medical Segmentation Decathlon',
  flags: (yargs) =>
    yargs
      .positional('task', { type: 'string', demandOption: true, describe: `the dataset: ${names}` })
      .option('out', {
        type: 'string',
        default: 'datasets',
        requiresArg: true,
        describe: "folder in which the dataset's own folder will be",
      })
      .option('mirror', {
        type: 'string',
        requiresArg: true,
        describe: 'address of another folder with the archives, such as https://example.org/msd',
      })
      .option('checksum', {
        type: 'string',
        requiresArg: true,
        describe: 'md5:... or sha256:... of the archive, where it is not the published one',
      })
      .option('keep-archive', {
        type: 'boolean',
        default: false,
        describe: 'leave the .tar where it is after unpacking',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the result as JSON on standard output',
      })
      .example('$0 download msd-hippocampus --out datasets', 'a small one, to try things on')
      .example('$0 download msd-liver --out /data', 'stopped or cut off: the same command goes on'),
  run: async (
    { task, out, mirror, checksum, 'keep-archive': keepArchive, json },
    { terminal, signal, result },
  ) => {
    const { downloadDataset } = await import('../download/index.js');
    const done = await downloadDataset({
      task,
      out,
      mirror,
      checksum,
      keepArchive,
      signal: signal(),
      onProgress: byteBars(terminal, task),
      onNote: (sentence) => terminal.line(sentence),
    });
    result({ schema: 1, ...done }, downloadedText(done), json);
  },
};

/** Where the dataset is, how the index of `prepare` names it, and what its authors ask for. */
function downloadedText({ task, folder, files, bytes, licence, citation }: DownloadedDataset): string {
  return [
    `${folder}: ${files} files, ${byteSize(bytes)}`,
    `in datasets.json: "${task}": { "layout": "msd", "path": ${JSON.stringify(folder)} }`,
    `licence: ${licence}`,
    `cite: ${citation}`,
  ].join('\n');
}

/** Seconds between two updates: a bar shows the rate over the last 20, which should be a few seconds. */
const updateInterval = 0.25;

/** A bar for each stage; none where the server does not say how much there is. */
function byteBars(terminal: Terminal, task: string): (progress: DownloadProgress) => void {
  let shown: { stage: string; bar: Bar; at: number; bytes: number } | undefined;
  return ({ stage, bytes, totalBytes }) => {
    if (totalBytes === null) return;
    const now = performance.now() / 1000;
    if (shown?.stage !== stage || bytes < shown.bytes)
      // the next stage, or a download that starts over
      shown = { stage, bar: terminal.bar(`${stage} ${task}`, totalBytes, bytes, byteSize), at: now, bytes };
    if (bytes < totalBytes && now - shown.at < updateInterval) return;
    [shown.at, shown.bytes] = [now, bytes];
    shown.bar.update(bytes);
    if (bytes === totalBytes) shown.bar.stop();
  };
}
