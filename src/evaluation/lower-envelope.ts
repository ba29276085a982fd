import { doubleAt, intAt } from '../at.js';
/** Which parabolas form the envelope, left to right, and from which position on each is the lowest. */
export interface Envelope {
  readonly sites: Int32Array;
  readonly bounds: Float64Array;
}

/** Room for an envelope of at most `length` parabolas. */
export const emptyEnvelope = (length: number): Envelope => ({
  sites: new Int32Array(length),
  bounds: new Float64Array(length),
});

/**
 * The lower envelope of the parabolas `values[i] + scale (k - positions[i])^2` over k (Felzenszwalb &
 * Huttenlocher 2012), in linear time.
 * @param positions rising; of them, and of `values`, those from `from` (of which there must be one) up to
 * `to` count
 * @returns the number of the envelope's last parabola
 */
export function lowerEnvelope(
  values: Float64Array,
  positions: Int32Array,
  from: number,
  to: number,
  scale: number,
  { sites, bounds }: Envelope,
): number {
  let last = 0;
  sites[0] = from;
  bounds[0] = Number.NEGATIVE_INFINITY; // no crossing lies before it, so the first parabola always ends the search below
  for (let i = from + 1; i < to; i++) {
    const at = intAt(positions, i);
    const value = doubleAt(values, i);
    // Reads without checks: with them the distances of far surfaces take 5 % longer.
    for (;;) {
      const site = sites[last]!;
      const other = positions[site]!;
      const crossing = (value - values[site]!) / (2 * scale * (at - other)) + (at + other) / 2;
      if (crossing > bounds[last]!) {
        sites[++last] = i;
        bounds[last] = crossing;
        break;
      }
      last--;
    }
  }
  return last;
}
