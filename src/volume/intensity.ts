import { UsageError } from '../errors.js';

/** Writes the scaled values of one channel, or of a part of it, into `target`. */
export type IntensityScaling = (values: ArrayLike<number>, target: Float32Array) => void;

/** The values of one channel in parts, in order, as often as they are asked for. */
export type ChannelParts = () => Iterable<ArrayLike<number>>;

/** Clips to a window in HU and scales it to [0, 1]. Throws UsageError when the window is empty. */
export function ctScaling([low, high]: readonly [number, number]): IntensityScaling {
  if (!(high > low)) throw new UsageError(`windowHu [${low}, ${high}] is empty: its second number must be the larger`, { field: 'windowHu' });
  return clippedScaling(low, 1 / (high - low));
}

/** What a z-score subtracts and divides by. */
export interface ZScore {
  readonly mean: number;
  readonly std: number;
}

/** Mean and standard deviation of the non-zero voxels; 0 and 1 where there are none, deviation 1 where all are alike. */
export function nonZeroMoments(parts: ChannelParts): ZScore {
  let [count, sum] = [0, 0];
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) if (part[i] !== 0) [count, sum] = [count + 1, sum + part[i]!];
  }
  const mean = count === 0 ? 0 : sum / count;
  let squares = 0;
  for (const part of parts()) for (let i = 0; i < part.length; i++) if (part[i] !== 0) squares += (part[i]! - mean) ** 2;
  return { mean, std: (count > 0 && Math.sqrt(squares / count)) || 1 };
}

/** To the z-score; zeros, which are background in MR, stay 0. */
export function zScoreScaling({ mean, std }: ZScore): IntensityScaling {
  return (values, target) => standardise(values, target, mean, std);
}

/** So that the `lower` and `upper` percentiles (of all voxels, linear interpolation) become 0 and 1, clipped. */
export function percentileScaling(parts: ChannelParts, lower: number, upper: number): IntensityScaling {
  const [low, high] = percentilesOf(parts, [lower, upper]) as [number, number];
  return clippedScaling(low, high > low ? 1 / (high - low) : 0);
}

/** The `p`-th percentile (0 to 100) of ascending values, linear between neighbours as NumPy's default. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  const { rank, next, share } = percentilePlace(sorted.length, p);
  return sorted[rank]! + share * (sorted[next]! - sorted[rank]!);
}

function percentilePlace(count: number, p: number): { rank: number; next: number; share: number } {
  const position = ((count - 1) * p) / 100;
  const rank = Math.floor(position);
  return { rank, next: Math.min(count - 1, rank + 1), share: position - rank };
}

function clippedScaling(low: number, scale: number): IntensityScaling {
  return (values, target) => clipToUnit(values, target, low, scale);
}

// The loops are functions of their own, since V8 compiles a closure anew for every scan.

function standardise(values: ArrayLike<number>, target: Float32Array, mean: number, deviation: number): void {
  for (let i = 0; i < values.length; i++) target[i] = values[i] === 0 ? 0 : (values[i]! - mean) / deviation;
}

function clipToUnit(values: ArrayLike<number>, target: Float32Array, low: number, scale: number): void {
  for (let i = 0; i < values.length; i++) target[i] = Math.min(1, Math.max(0, (values[i]! - low) * scale));
}

/** Exact percentiles of float32 values that are not held at once: counted by the upper half of their bits, then by the lower half. */
function percentilesOf(parts: ChannelParts, wanted: readonly number[]): number[] {
  const upper = new Uint32Array(1 << 16);
  let count = 0;
  for (const part of parts()) {
    const keys = orderedBits(part);
    for (let i = 0; i < keys.length; i++) upper[keys[i]! >>> 16]!++;
    count += keys.length;
  }
  const places = wanted.map((p) => percentilePlace(count, p));
  const ranks = [...new Set(places.flatMap(({ rank, next }) => [rank, next]))];
  const bins = new Map(ranks.map((rank) => [rank, findBin(upper, rank)]));
  const lower = new Map([...bins.values()].map(({ bin }) => [bin, new Uint32Array(1 << 16)]));
  for (const part of parts()) {
    for (const key of orderedBits(part)) {
      const counts = lower.get(key >>> 16);
      if (counts) counts[key & 0xffff]!++;
    }
  }
  const valueAt = (rank: number): number => {
    const { bin, before } = bins.get(rank)!;
    return valueOfBits(((bin << 16) | findBin(lower.get(bin)!, rank - before).bin) >>> 0);
  };
  return places.map(({ rank, next, share }) => valueAt(rank) + share * (valueAt(next) - valueAt(rank)));
}

/** The bin that holds the `rank`-th of what was counted, and how many lie in the bins before it. */
function findBin(counts: Uint32Array, rank: number): { bin: number; before: number } {
  let [bin, before] = [0, 0];
  while (before + counts[bin]! <= rank) before += counts[bin++]!;
  return { bin, before };
}

/** Whole numbers in the order of the values: the bits of a float32 with the sign turned over, all of them where it is negative. */
function orderedBits(values: ArrayLike<number>): Uint32Array {
  const bits = new Uint32Array(new Float32Array(values).buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = bits[i]! >>> 31 ? ~bits[i]! : bits[i]! | 0x80000000;
  return bits;
}

function valueOfBits(ordered: number): number {
  const bits = ordered >>> 31 ? ordered & 0x7fffffff : ~ordered;
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
