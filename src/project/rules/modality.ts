import { itemAt } from '../../at.js';
import { UsageError } from '../../errors.js';
import { lowestOfCt, type Modality, modalityOfLowest } from '../../volume/index.js';

export interface ValueRange {
  readonly file: string;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * The modality of scans by their values: CT where each has values below -200, MR where none is below 0.
 * @throws UsageError where they contradict each other or tell neither, naming scans and the flag
 */
export function modalityOf(ranges: readonly ValueRange[]): Modality {
  const told = ranges.map((range) => ({ ...range, modality: modalityOfLowest(range.lowest) }));
  const first = itemAt(told, 0);
  const other = told.find(({ modality }) => modality !== first.modality);
  const remedy = 'give --modality ct or --modality mr, or plan them apart';
  const values = ({ file, lowest, highest }: ValueRange) => `${file} has values from ${lowest} to ${highest}`;
  if (other) {
    throw new UsageError(
      `the scans are not alike: ${values(first)} (${named(first.modality)}), ${values(other)} (${named(other.modality)}): ${remedy}`,
      { field: '--modality', found: [first.file, other.file] },
    );
  }
  if (first.modality) return first.modality;
  throw new UsageError(
    `${values(first)}: CT in HU goes below ${lowestOfCt}, MR not below 0, and this is neither: ${remedy}`,
    { file: first.file, field: '--modality' },
  );
}

const named = (modality: Modality | undefined): string =>
  modality === undefined ? 'neither CT in HU nor MR' : `like ${modality.toUpperCase()}`;
