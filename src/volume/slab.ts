/** Some slices of a volume along z, planar: `first` is the index of the first of `depth`. */
export interface SlicesOfVolume {
  readonly first: number;
  readonly depth: number;
  readonly channels: readonly Float32Array[];
}

/**
 * Whether a slice and the one after it are in a slab and were not in the one before: its own last slice waits
 * for the next slab.
 */
export const isWithin = (z: number, { first, depth }: SlicesOfVolume, slices: number): boolean =>
  z >= first && (z < first + depth - 1 || first + depth === slices);
