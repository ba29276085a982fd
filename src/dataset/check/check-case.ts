import { createHash } from 'node:crypto';
import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  AXES,
  closestToRas,
  headerOddities,
  mapAxes,
  type Orientation,
  patientIn,
  possibleGrid,
  readVolume,
  type Triple,
  type Volume,
  voxelCount,
} from '../../volume/index.js';
import type { SourceCase } from '../index/listed-case.js';
import { type LabelFiles, labelPaths, placementOf, readLabelFiles } from '../prepare/label-files.js';
import { nothingLabelled, toClassValues } from '../prepare/label-values.js';
import { requirePossibleCase } from '../prepare/possible-case.js';
import { noForeground, type Preprocessing } from '../prepare/preprocessing.js';
import { replaceNotFinite, requireFinite } from '../prepare/read-channels.js';
import { requireSameGrid } from '../prepare/same-grid.js';
import { keepsForeground } from './kept-foreground.js';

/** A case and how `prepare` would take it. */
export interface CheckCaseTask {
  readonly source: SourceCase;
  readonly preprocessing: Preprocessing;
  readonly classes: Readonly<Record<string, string>>;
  /** The label value of voxels that nobody labelled. */
  readonly ignore?: number | undefined;
}

/**
 * What is odd about a case. `unusable`: `prepare` skips it; `odd`: it is prepared, but somebody should look.
 */
export interface CaseFinding {
  readonly kind: FindingKind;
  readonly severity: 'unusable' | 'odd';
  /** One sentence that names the file. */
  readonly message: string;
  readonly file?: string;
}

/** What can be odd about a case. */
export type FindingKind =
  | 'incomplete'
  | 'unreadable'
  | 'not-finite'
  | 'mixed-grids'
  | 'foreign-label'
  | 'no-foreground'
  | 'too-large'
  | 'header'
  | 'constant'
  | 'empty-label'
  | 'duplicate'
  | 'spacing-outlier'
  | 'channels'
  | 'visits'
  | 'split-group';

/** What a case is made of, as far as its files could be read. */
export interface CheckedCase {
  readonly id: string;
  readonly findings: readonly CaseFinding[];
  /** Channels over all image files. */
  readonly channels: number;
  readonly size?: Triple;
  readonly spacing?: Triple;
  /** Of whom the scan is, where its format says so; for comparing alone. */
  readonly patient?: string;
  /**
   * Of the voxel values of each image file that is not
   * constant: one of them is equal for the same scan in any format, type or order of axes.
   */
  readonly hashes: readonly { readonly file: string; readonly sha256: readonly string[] }[];
}

/**
 * Reads the files of a case one after another, never two at once, and says what
 * is odd about each. Changes nothing. Errors other than bad data are thrown.
 */
export async function checkCase({
  source,
  preprocessing,
  classes,
  ignore,
}: CheckCaseTask): Promise<CheckedCase> {
  if (source.problem !== undefined) {
    return {
      id: source.id,
      channels: 0,
      hashes: [],
      findings: [unusable('incomplete', new DataError(source.problem))],
    };
  }
  const findings: CaseFinding[] = [];
  const hashes: { file: string; sha256: readonly string[] }[] = [];
  const scan = source.images.join(', ');
  let first: Grid | undefined;
  let channels = 0;
  let anyForeground = false;
  for (const [i, file] of source.images.entries()) {
    const facts = await imageFacts({ file, scan }, preprocessing, findings, (grid) => {
      if (first) requireSameGrid(first, itemAt(source.images, 0), grid, file, `channel ${i + 1}`);
      else if (i === 0) first = grid;
    });
    if (!facts) continue;
    channels += facts.channels;
    anyForeground ||= facts.foreground;
    if (facts.sha256 !== undefined) hashes.push({ file, sha256: facts.sha256 });
  }
  const grid = first;
  if (grid && findings.every(({ kind }) => kind !== 'too-large'))
    collect(findings, 'too-large', () => requirePossibleCase(grid, channels, preprocessing, scan));
  const { foregroundThreshold } = preprocessing;
  if (foregroundThreshold !== null && findings.every(({ severity }) => severity === 'odd')) {
    if (!anyForeground) findings.push(unusable('no-foreground', noForeground(foregroundThreshold, scan)));
  }
  const { label, masks, aligned, labelMap } = source;
  if (label !== undefined)
    await checkLabel({ label, masks, aligned, labelMap }, { source, classes, ignore }, first, findings);
  const patient = first ? await patientIn(itemAt(source.images, 0)) : undefined;
  return {
    id: source.id,
    findings,
    channels,
    hashes,
    ...(first && { size: first.size, spacing: first.spacing }),
    ...(patient !== undefined && { patient }),
  };
}

type Grid = Pick<Volume, 'size' | 'spacing' | 'affine'>;

/** Facts of one image; the volume itself is let go before the next is read. */
async function imageFacts(
  { file, scan }: { readonly file: string; readonly scan: string },
  preprocessing: Preprocessing,
  findings: CaseFinding[],
  checkGrid: (grid: Grid) => void,
): Promise<{ channels: number; foreground: boolean; sha256?: readonly string[] } | undefined> {
  const volume = await readOr(() => readVolume(file), [file], findings);
  if (!volume) return undefined;
  const { size, spacing, affine, channels } = volume;
  collect(findings, 'mixed-grids', () => checkGrid({ size, spacing, affine }));
  const { notFinite } = preprocessing;
  if (notFinite === undefined)
    collect(findings, 'not-finite', () => requireFinite(volume.data, 0, volume, file));
  else {
    const count = replaceNotFinite(volume.data, notFinite);
    if (count > 0) {
      findings.push({
        kind: 'not-finite',
        severity: 'odd',
        file,
        message: `image ${file} holds ${count} voxels that are NaN or infinite, which become ${notFinite}`,
      });
    }
  }
  const ranges = rangesOf(volume);
  for (const [channel, { low, high }] of ranges.entries()) {
    if (low !== high) continue;
    const which = channels === 1 ? `image ${file}` : `channel ${channel + 1} of image ${file}`;
    findings.push({
      kind: 'constant',
      severity: 'odd',
      file,
      message: `${which} is ${low} everywhere: it shows nothing, so look at it or leave the case out`,
    });
  }
  const resampled = findings.every(({ kind }) => kind !== 'too-large')
    ? collect(findings, 'too-large', () => possibleGrid(volume, preprocessing.spacing, scan))
    : undefined;
  return {
    channels,
    foreground: resampled !== undefined && keepsForeground(volume, resampled, preprocessing),
    ...(ranges.some(({ low, high }) => low !== high) && { sha256: contentHashes(volume) }),
  };
}

async function checkLabel(
  files: LabelFiles,
  { source, classes, ignore }: Pick<CheckCaseTask, 'source' | 'classes' | 'ignore'>,
  image: Grid | undefined,
  findings: CaseFinding[],
): Promise<void> {
  const file = files.label;
  const label = await readOr(() => readLabelFiles(files, image), labelPaths(files), findings);
  if (!label) return;
  if (image)
    collect(findings, 'mixed-grids', () => placementOf(label, image, files, itemAt(source.images, 0)));
  const values = collect(
    findings,
    'foreign-label',
    () => toClassValues(label, classes, source.labelMap, file, ignore).data,
  );
  if (ignore !== undefined && values?.every((value) => value === ignore))
    findings.push(unusable('foreign-label', nothingLabelled(file, ignore)));
  else if (values?.every((value) => value === 0 || value === ignore)) {
    findings.push({
      kind: 'empty-label',
      severity: 'odd',
      file,
      message: `label ${file} holds background alone: none of the classes is in it`,
    });
  }
}

async function readOr(
  read: () => Promise<Volume>,
  files: readonly string[],
  findings: CaseFinding[],
): Promise<Volume | undefined> {
  try {
    const volume = await read();
    for (const file of files)
      for (const message of await headerOddities(file))
        findings.push({ kind: 'header', severity: 'odd', file, message });
    return volume;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    findings.push(unusable('unreadable', error));
    return undefined;
  }
}

/** Runs a check of `prepare` itself and keeps its sentence. */
function collect<T>(findings: CaseFinding[], kind: FindingKind, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    findings.push(unusable(kind, error));
    return undefined;
  }
}

function unusable(kind: FindingKind, { message, facts: { file } }: DataError): CaseFinding {
  return { kind, severity: 'unusable', message, ...(file !== undefined && { file }) };
}

/** Lowest and highest value of each channel; NaN is passed over. */
function rangesOf({ data, channels }: Volume): { low: number; high: number }[] {
  const voxels = data.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = channel * voxels; i < (channel + 1) * voxels; i++) {
      const value = data[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return { low, high };
  });
}

/**
 * Over size and values as float32: in the order of the file, and in that of RAS where it is another. The same
 * scan is known by the one where a copy lost its directions, by the other where its axes are stored another way.
 */
function contentHashes(volume: Volume): string[] {
  const asStored: Orientation = { axes: AXES, flipped: [false, false, false] };
  return [...new Set([asStored, closestToRas(volume)].map((order) => hashInOrder(volume, order)))];
}

/** Row by row, so that no second copy of the volume is made. */
function hashInOrder(volume: Volume, { axes, flipped }: Orientation): string {
  const { size, data, channels } = volume;
  const strides = [1, size[0], size[0] * size[1]] as const;
  const turned = mapAxes(axes, (axis) => size[axis]);
  const steps = mapAxes(axes, (axis, along) => (flipped[along] ? -1 : 1) * strides[axis]);
  const first = axes.reduce<number>(
    (sum, axis, along) => sum + (flipped[along] ? (size[axis] - 1) * strides[axis] : 0),
    0,
  );
  const hash = createHash('sha256').update(turned.join('x'));
  const row = new Float32Array(turned[0]);
  const bytes = new Uint8Array(row.buffer);
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < turned[2]; z++) {
      for (let y = 0; y < turned[1]; y++) {
        const start = c * voxelCount(volume) + first + z * steps[2] + y * steps[1];
        for (let x = 0; x < row.length; x++) row[x] = data[start + x * steps[0]]!;
        hash.update(bytes);
      }
    }
  }
  return hash.digest('hex');
}
