import { dirname, join, resolve } from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { predictCase } from '../inference/index.js';
import { writeNifti } from '../volume/index.js';
import type { OpenedWeights } from '../weights/index.js';
import { makeFolder } from '../whole-file.js';
import { maskFiles, maskFolder, writeMasks } from './class-masks.js';
import { type ListedScan, listScans } from './list-scans.js';

export interface PredictScansOptions {
  readonly opened: OpenedWeights;
  /**
   * One scan, the files of one scan's channels, a folder of scans, a folder with the slices of one DICOM series,
   * or a folder with a folder a case.
   */
  readonly input: readonly string[];
  /** A `.nii` or `.nii.gz` file for one scan, else a folder. */
  readonly out: string;
  readonly withLogits: boolean;
  /** Whether one mask a class (or region) is written beside each label, into a folder of its name. */
  readonly withMasks?: boolean;
  /** After each scan; `problem` says why one could not be predicted. */
  readonly onProgress?: (name: string, done: number, total: number, problem?: string) => void;
  /** After each window of a scan, before which `done` of `total` scans were predicted. */
  readonly onWindow?: (progress: WithinScan) => void;
  /** Hears what is odd about a scan. */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far the prediction of a scan is. */
export interface WithinScan {
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** Of `windows`, the last that was predicted, from 1. */
  readonly window: number;
  readonly windows: number;
}

export interface ScanPrediction {
  readonly name: string;
  readonly images: readonly string[];
  readonly label: string;
  readonly logits?: string;
  /** By class or region. */
  readonly masks?: Readonly<Record<string, string>>;
}

/**
 * Predicts scans and writes each label in its scan's own space and grid. In a folder, a scan that cannot be
 * used does not stop the others.
 * @throws DataError when a scan cannot be read (after all the others were predicted), UsageError when an
 *   output would replace an input
 */
export async function predictScans({
  opened,
  input,
  out,
  withLogits,
  withMasks = false,
  onProgress,
  onWindow,
  onNote,
  signal,
}: PredictScansOptions): Promise<ScanPrediction[]> {
  const scans = await listScans(input, out, opened.predictor.network.inChannels);
  refuseReplacement(scans, withMasks ? maskFiles(opened.scheme) : []);
  const written: ScanPrediction[] = [];
  const problems: DataError[] = [];
  for (const [i, { name, images, label }] of scans.entries()) {
    signal?.throwIfAborted();
    try {
      const { scheme, preprocessing, modality } = opened;
      const predicted = await predictCase(opened.predictor, {
        images,
        preprocessing,
        scheme,
        modality,
        onNote,
        withLogits,
        progress: {
          signal,
          onWindow: (window, windows) => onWindow?.({ name, done: i, total: scans.length, window, windows }),
        },
      });
      await makeFolder(dirname(label));
      const logits = label.replace(/\.nii(\.gz)?$/i, '_logits.nii.gz');
      if (predicted.logits) await writeNifti(logits, predicted.logits);
      const masks = withMasks ? await writeMasks(label, predicted.label, scheme) : undefined;
      await writeNifti(label, predicted.label);
      written.push({ name, images, label, ...(predicted.logits && { logits }), ...(masks && { masks }) });
      onProgress?.(name, i + 1, scans.length);
    } catch (error) {
      if (!(error instanceof DataError) || scans.length === 1) throw error;
      problems.push(error);
      onProgress?.(name, i + 1, scans.length, error.message);
    }
  }
  const [problem] = problems;
  if (problem === undefined) return written;
  const others = written.length > 0 ? ', the others were' : '';
  throw new DataError(
    `${problems.length} of ${scans.length} scans could not be predicted${others}; the first: ${problem.message}`,
    problem.facts,
  );
}

/** Throws UsageError where a label or mask would replace a scan. */
export function refuseReplacement(scans: readonly ListedScan[], masks: readonly string[] = []): void {
  const inputs = new Set(scans.flatMap(({ images }) => images).map((file) => resolve(file)));
  const clash = scans
    .flatMap(({ label }) => [label, ...masks.map((mask) => join(maskFolder(label), mask))])
    .find((file) => inputs.has(resolve(file)));
  if (clash !== undefined)
    throw new UsageError(`--out would replace the scan ${clash}: choose another folder or name`, {
      field: '--out',
      file: clash,
    });
}
