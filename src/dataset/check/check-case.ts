import { createHash } from 'node:crypto';
import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import { headerOddities, readLabel, readVolume, type Triple, type Volume } from '../../volume/index.js';
import type { SourceCase } from '../index/listed-case.js';
import { toClassValues } from '../prepare/label-values.js';
import { requirePossibleCase } from '../prepare/possible-case.js';
import { noForeground, type Preprocessing } from '../prepare/preprocessing.js';
import { requireFinite } from '../prepare/read-channels.js';
import { requireSameGrid } from '../prepare/same-grid.js';

/** A case and how `prepare` would take it. */
export interface CheckCaseTask {
  readonly source: SourceCase;
  readonly preprocessing: Preprocessing;
  readonly classes: Readonly<Record<string, string>>;
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
  | 'no-label';

/** What a case is made of, as far as its files could be read. */
export interface CheckedCase {
  readonly id: string;
  readonly findings: readonly CaseFinding[];
  /** Channels over all image files. */
  readonly channels: number;
  readonly size?: Triple;
  readonly spacing?: Triple;
  /**
   * Of the voxel values of each image file that is not
   * constant: equal for the same scan in any format or type.
   */
  readonly hashes: readonly { readonly file: string; readonly sha256: string }[];
}

/**
 * Reads the files of a case one after another, never two at once, and says what
 * is odd about each. Changes nothing. Errors other than bad data are thrown.
 */
export async function checkCase({ source, preprocessing, classes }: CheckCaseTask): Promise<CheckedCase> {
  if (source.problem !== undefined) {
    return {
      id: source.id,
      channels: 0,
      hashes: [],
      findings: [unusable('incomplete', new DataError(source.problem))],
    };
  }
  const findings: CaseFinding[] = [];
  const hashes: { file: string; sha256: string }[] = [];
  let first: Grid | undefined;
  let channels = 0;
  let highest = Number.NEGATIVE_INFINITY;
  for (const [i, file] of source.images.entries()) {
    const facts = await imageFacts(file, findings, (grid) => {
      if (first) requireSameGrid(first, itemAt(source.images, 0), grid, file, `channel ${i + 1}`);
      else if (i === 0) first = grid;
    });
    if (!facts) continue;
    channels += facts.channels;
    highest = Math.max(highest, facts.highest);
    if (facts.sha256 !== undefined) hashes.push({ file, sha256: facts.sha256 });
  }
  const scan = source.images.join(', ');
  const grid = first;
  if (grid) collect(findings, 'too-large', () => requirePossibleCase(grid, channels, preprocessing, scan));
  const { foregroundThreshold } = preprocessing;
  if (foregroundThreshold !== null && findings.every(({ severity }) => severity === 'odd')) {
    if (!(highest > foregroundThreshold))
      findings.push(unusable('no-foreground', noForeground(foregroundThreshold, scan)));
  }
  if (source.label !== undefined) await checkLabel(source.label, source, classes, first, findings);
  return {
    id: source.id,
    findings,
    channels,
    hashes,
    ...(first && { size: first.size, spacing: first.spacing }),
  };
}

type Grid = Pick<Volume, 'size' | 'spacing' | 'affine'>;

/** Facts of one image; the volume itself is let go before the next is read. */
async function imageFacts(
  file: string,
  findings: CaseFinding[],
  checkGrid: (grid: Grid) => void,
): Promise<{ channels: number; highest: number; sha256?: string } | undefined> {
  const volume = await readOr(readVolume, file, findings);
  if (!volume) return undefined;
  const { size, spacing, affine, channels } = volume;
  collect(findings, 'mixed-grids', () => checkGrid({ size, spacing, affine }));
  collect(findings, 'not-finite', () => requireFinite(volume.data, 0, volume, file));
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
  const highest = Math.max(...ranges.map(({ high }) => high));
  return {
    channels,
    highest,
    ...(ranges.some(({ low, high }) => low !== high) && { sha256: contentHash(volume) }),
  };
}

async function checkLabel(
  file: string,
  source: SourceCase,
  classes: CheckCaseTask['classes'],
  image: Grid | undefined,
  findings: CaseFinding[],
): Promise<void> {
  const label = await readOr(readLabel, file, findings);
  if (!label) return;
  if (image)
    collect(findings, 'mixed-grids', () =>
      requireSameGrid(image, itemAt(source.images, 0), label, file, 'label'),
    );
  const values = collect(
    findings,
    'foreign-label',
    () => toClassValues(label, classes, source.labelMap, file).data,
  );
  if (values?.every((value) => value === 0)) {
    findings.push({
      kind: 'empty-label',
      severity: 'odd',
      file,
      message: `label ${file} holds background alone: none of the classes is in it`,
    });
  }
}

async function readOr(
  read: (file: string) => Promise<Volume>,
  file: string,
  findings: CaseFinding[],
): Promise<Volume | undefined> {
  try {
    const volume = await read(file);
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

/** Over size and values as float32, piece by piece, so that no second copy of the volume is made. */
function contentHash({ size, data }: Volume): string {
  const hash = createHash('sha256').update(size.join('x'));
  const piece = new Float32Array(1 << 16);
  for (let start = 0; start < data.length; start += piece.length) {
    const values = data.subarray(start, start + piece.length);
    piece.set(values);
    hash.update(new Uint8Array(piece.buffer, 0, 4 * values.length));
  }
  return hash.digest('hex');
}
