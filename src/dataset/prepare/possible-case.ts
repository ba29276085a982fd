import { requireMemory } from '../../free-memory.js';
import { type Grid, possibleGrid } from '../../volume/index.js';
import { largestSlabBytes, slabsHeld } from '../cache/spilled-volume.js';
import type { Preprocessing } from './preprocessing.js';

/**
 * Refuses a case whose prepared volume would be larger than a scan can mean, or whose slabs take more memory
 * than is free. `--check` and `prepare` both ask here.
 * @param original the grid of the image as its file has it
 * @param channels over all image files
 * @param scan names the files, for errors
 * @returns the grid of the prepared volume
 * @throws DataError
 */
export function requirePossibleCase(
  original: Grid,
  channels: number,
  { spacing }: Pick<Preprocessing, 'spacing'>,
  scan: string,
): Grid {
  const grid = possibleGrid(original, spacing, scan);
  requireMemory(slabsHeld * largestSlabBytes(grid.size, channels), scan, 'preparing it');
  return grid;
}
