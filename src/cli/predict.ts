import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import type { OpenedWeights } from '../weights/index.js';
import type { Command } from './context.js';
import { countingBar, duration } from './terminal.js';

interface Flags {
  readonly run: readonly string[] | undefined;
  readonly checkpoint: 'best' | 'last' | undefined;
  readonly network: string | undefined;
  readonly weights: readonly string[] | undefined;
  readonly input: readonly string[];
  readonly out: string;
  readonly preset: string | undefined;
  readonly 'save-logits': boolean;
  readonly 'masks-per-class': boolean;
  readonly 'dry-run': boolean;
  readonly set: readonly string[];
  readonly json: boolean;
}

export const predictCommand: Command<Flags> = {
  command: 'predict',
  describe: 'Segment scans, each in its own space and grid',
  flags: (yargs) =>
    yargs
      .option('run', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe:
          'run folder of a fine-tuning; of several, such as the folds of a cross-validation, the probabilities are averaged',
      })
      .option('checkpoint', {
        choices: ['best', 'last'] as const,
        describe: 'weights of --run; default best where there is one',
      })
      .option('network', {
        type: 'string',
        requiresArg: true,
        describe: 'with --weights: the network, such as unet',
      })
      .option('weights', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe:
          'a .safetensors file instead of --run, also one that PyTorch wrote, or a run folder; of several the probabilities are averaged',
      })
      .option('input', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'a scan, the files of its channels, a folder of scans (channels: CASE_0000.nii.gz, CASE_0001.nii.gz, ...) or of one DICOM series, or a folder with a folder a case',
      })
      .option('out', {
        alias: 'output',
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'a .nii.gz file for one scan, or a folder',
      })
      .option('preset', {
        type: 'string',
        requiresArg: true,
        describe:
          'preparation of the scan: none (as it is), ct, mr, a preset file (JSON) or the folder of a MONAI bundle; default as the weights were trained',
      })
      .option('save-logits', {
        type: 'boolean',
        default: false,
        describe: 'write the logits as a 4-D float32 volume beside, *_logits.nii.gz',
      })
      .option('masks-per-class', {
        type: 'boolean',
        default: false,
        describe: 'write one mask a class beside each label, CASE/liver.nii.gz',
      })
      .option('dry-run', {
        type: 'boolean',
        default: false,
        describe: 'predict one window and say what all would take; nothing is written',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe:
          'such as inference.overlap=0.25 or inference.mirror=[x,y,z]; with --weights also network.features=[...]',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the result as JSON on standard output',
      })
      .example('$0 predict --run runs/btcv --input scans/ --out predictions/', 'every scan of a folder')
      .example(
        '$0 predict --run runs/btcv-fold-* --input scans/ --out predictions/',
        'by the mean of the folds',
      )
      .example(
        '$0 predict --network unet --weights w.safetensors --preset none --input scan.nii.gz --out out.nii.gz',
        'weights of any origin',
      ),
  run: async (flags, { terminal, signal, result }) => {
    const { dryRunPrediction, predictScans } = await import('../prediction/index.js');
    const { input, out, json } = flags;
    const opened = await openedWeights(flags);
    try {
      if (flags['dry-run']) {
        const dry = await dryRunPrediction({ opened, input, out });
        const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
        const lines = [
          `scans    ${dry.scans}, ${dry.windows} windows, ${dry.windowSeconds.toPrecision(3)} s each`,
          `time     ${duration(dry.seconds)}`,
          `memory   ${gib(dry.peakBytes)}`,
          `disk     ${gib(dry.diskBytes)} at most, of ${gib(dry.freeDiskBytes)} free`,
          'nothing was written',
        ];
        return result({ schema: 1, ...dry }, lines.join('\n'), json);
      }
      const count = countingBar(terminal, 'predict');
      const written = await predictScans({
        opened,
        input,
        out,
        withLogits: flags['save-logits'],
        withMasks: flags['masks-per-class'],
        signal: signal(),
        // A part is kept for writing the label, so that the bar is full when it is there.
        onWindow: ({ name, done, total, window, windows }) =>
          count(done + window / (windows + 1), total, `${name}, window ${window} of ${windows}`),
        onNote: (note) => terminal.line(`note: ${note}`),
        onProgress: (name, done, total, problem) => {
          if (problem !== undefined) terminal.line(`skipped ${name}: ${problem}`);
          count(done, total, name);
        },
      });
      result({ schema: 1, predictions: written }, written.map(({ label }) => label).join('\n'), json);
    } finally {
      opened.close();
    }
  },
};

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

async function openedWeights({
  run,
  checkpoint,
  network,
  weights,
  preset,
  set,
}: Flags): Promise<OpenedWeights> {
  const { openForeignWeights, openRunWeights } = await import('../weights/index.js');
  if (run !== undefined && weights === undefined) {
    if (network === undefined) return openRunWeights({ runs: run, checkpoint, preset, set });
    throw new UsageError('--network goes with --weights; a run folder names its own', { field: '--network' });
  }
  if (weights !== undefined && run === undefined) {
    // A run folder says its network itself.
    if (network === undefined && weights.every(isFolder))
      return openRunWeights({ runs: weights, checkpoint, preset, set });
    if (network !== undefined) return openForeignWeights({ files: weights, network, preset, set });
    throw new UsageError('--weights needs --network, such as --network unet', { field: '--network' });
  }
  throw new UsageError('predict takes either --run, or --weights with --network', { field: '--run' });
}
