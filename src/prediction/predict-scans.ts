import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { predictCase } from '../inference/index.js';
import { isScanFile, scanName, writeNifti } from '../volume/index.js';
import type { OpenedWeights } from '../weights/index.js';
import { makeFolder } from '../whole-file.js';

export interface PredictScansOptions {
  readonly opened: OpenedWeights;
  /**
   * One scan, the files of one scan's channels, a folder of scans, or a folder with the slices of one DICOM
   * series.
   */
  readonly input: readonly string[];
  /** A `.nii` or `.nii.gz` file for one scan, else a folder. */
  readonly out: string;
  readonly withLogits: boolean;
  /** After each scan; `problem` says why one could not be predicted. */
  readonly onProgress?: (name: string, done: number, total: number, problem?: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface ScanPrediction {
  readonly name: string;
  readonly images: readonly string[];
  readonly label: string;
  readonly logits?: string;
}

type Scan = Pick<ScanPrediction, 'name' | 'images' | 'label'>;

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
  onProgress,
  signal,
}: PredictScansOptions): Promise<ScanPrediction[]> {
  const scans = await listScans(input, out, opened.predictor.network.inChannels);
  refuseReplacement(scans);
  const written: ScanPrediction[] = [];
  const problems: DataError[] = [];
  for (const [i, { name, images, label }] of scans.entries()) {
    signal?.throwIfAborted();
    try {
      const { scheme, preprocessing } = opened;
      const predicted = await predictCase(opened.predictor, {
        images,
        preprocessing,
        scheme,
        withLogits,
        progress: { signal },
      });
      await makeFolder(dirname(label));
      const logits = label.replace(/\.nii(\.gz)?$/, '_logits.nii.gz');
      if (predicted.logits) await writeNifti(logits, predicted.logits);
      await writeNifti(label, predicted.label);
      written.push({ name, images, label, ...(predicted.logits && { logits }) });
      onProgress?.(name, i + 1, scans.length);
    } catch (error) {
      if (!(error instanceof DataError) || scans.length === 1) throw error;
      problems.push(error);
      onProgress?.(name, i + 1, scans.length, error.message);
    }
  }
  const [problem] = problems;
  if (problem === undefined) return written;
  throw new DataError(
    `${problems.length} of ${scans.length} scans could not be predicted, the others were; the first: ${problem.message}`,
    problem.facts,
  );
}

async function listScans(input: readonly string[], out: string, channels: number): Promise<Scan[]> {
  const isFile = /\.nii(\.gz)?$/.test(out);
  const [first] = input;
  if (first === undefined)
    throw new UsageError('--input names no scan: give a file or a folder', { field: '--input' });
  const folder = (await stat(first).catch(() => undefined))?.isDirectory() === true;
  if (!folder) {
    const name = caseName(first, input.length > 1);
    return [{ name, images: input, label: isFile ? out : join(out, `${name}.nii.gz`) }];
  }
  if (input.length > 1)
    throw new UsageError(`--input takes one folder, or the files of one scan, but not ${input.join(', ')}`, {
      field: '--input',
    });
  if (isFile)
    throw new UsageError(`--out ${out} is a file, but --input ${first} is a folder: name a folder`, {
      field: '--out',
    });
  const files = (await readdir(first)).filter(isScanFile).sort();
  // One DICOM series.
  if (files.length === 0)
    return [{ name: basename(first), images: input, label: join(out, `${basename(first)}.nii.gz`) }];
  const names = [...new Set(files.map((file) => caseName(file, channels > 1)))];
  return names.map((name) => {
    const images = files
      .filter((file) => caseName(file, channels > 1) === name)
      .map((file) => join(first, file));
    return { name, images, label: join(out, `${name}.nii.gz`) };
  });
}

/** The name of a scan; with several channels, files of one scan differ in their last `_0000`. */
function caseName(file: string, channelFiles: boolean): string {
  const name = scanName(basename(file));
  return channelFiles ? name.replace(/_\d{4}$/, '') : name;
}

function refuseReplacement(scans: readonly Scan[]): void {
  const inputs = new Set(scans.flatMap(({ images }) => images).map((file) => resolve(file)));
  const clash = scans.find(({ label }) => inputs.has(resolve(label)));
  if (clash)
    throw new UsageError(`--out would replace the scan ${clash.label}: choose another folder or name`, {
      field: '--out',
      file: clash.label,
    });
}
