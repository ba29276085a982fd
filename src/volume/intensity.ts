import { floatAt, itemAt, uint32At } from '../at.js';
import { UsageError } from '../errors.js';
import { type BackgroundRange, zeroBackground } from './background.js';

/** Writes the scaled values of one channel, or of a part of it, into `target`. */
export type IntensityScaling = (values: ArrayLike<number>, target: Float32Array) => void;

/** The values of one channel in parts, in order, as often as they are asked for. */
export type ChannelParts = () => Iterable<ArrayLike<number>>;

/** Clips to a window in HU and scales it to [0, 1]. Throws UsageError when the window is empty. */
export function ctScaling([low, high]: readonly [number, number]): IntensityScaling {
  if (!(high > low)) {
    throw new UsageError(`windowHu [${low}, ${high}] is empty: its second number must be the larger`, {
      field: 'windowHu',
    });
  }
  return clippedScaling(low, 1 / (high - low));
}

/** What a z-score subtracts and divides by. */
export interface ZScore {
  readonly mean: number;
  readonly std: number;
}

/**
 * Mean and standard deviation of the voxels that are not background; 0 and 1 where there are none, deviation
 * 1 where all are alike.
 */
export function foregroundMoments(
  parts: ChannelParts,
  { low, high }: BackgroundRange = zeroBackground,
): ZScore {
  let [count, sum] = [0, 0];
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++)
      if (part[i]! < low || part[i]! > high) [count, sum] = [count + 1, sum + part[i]!];
  }
  const mean = count === 0 ? 0 : sum / count;
  let squares = 0;
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++)
      if (part[i]! < low || part[i]! > high) squares += (part[i]! - mean) ** 2;
  }
  return { mean, std: (count > 0 && Math.sqrt(squares / count)) || 1 };
}

/** To the z-score; background becomes 0. */
export function zScoreScaling(
  { mean, std }: ZScore,
  background: BackgroundRange = zeroBackground,
): IntensityScaling {
  return (values, target) => standardise(values, target, mean, std, background);
}

/**
 * So that the `lower` and `upper` percentiles (of all voxels, linear interpolation) become 0 and 1, clipped.
 */
export function percentileScaling(parts: ChannelParts, lower: number, upper: number): IntensityScaling {
  const [low, high] = percentilesOf(parts, [lower, upper]);
  return clippedScaling(low, high > low ? 1 / (high - low) : 0);
}

/**
 * The `p`-th percentile (0 to 100) of ascending values, linear between neighbours as NumPy's default. Throws
 * WorkError when there are none.
 */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  const { rank, next, share } = percentilePlace(sorted.length, p);
  const value = itemAt(sorted, rank);
  return value + share * (itemAt(sorted, next) - value);
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

function standardise(
  values: ArrayLike<number>,
  target: Float32Array,
  mean: number,
  deviation: number,
  { low, high }: BackgroundRange,
): void {
  for (let i = 0; i < values.length; i++)
    target[i] = values[i]! < low || values[i]! > high ? (values[i]! - mean) / deviation : 0;
}

function clipToUnit(values: ArrayLike<number>, target: Float32Array, low: number, scale: number): void {
  for (let i = 0; i < values.length; i++) target[i] = Math.min(1, Math.max(0, (values[i]! - low) * scale));
}

/**
 * Two exact percentiles of float32 values that are not held at once: counted by the upper half of their bits,
 * then by the lower half.
 */
function percentilesOf(parts: ChannelParts, wanted: readonly [number, number]): [number, number] {
  const upper = new Uint32Array(1 << 16);
  let count = 0;
  for (const part of parts()) {
    const keys = orderedBits(part);
    for (let i = 0; i < keys.length; i++) {
      const half = uint32At(keys, i) >>> 16;
      upper[half] = uint32At(upper, half) + 1;
    }
    count += keys.length;
  }
  const lower = new Map<number, Uint32Array>(); // counts of the lower half, by the upper half
  const soughtAt = (rank: number): SoughtValue => {
    const { bin, before } = findBin(upper, rank);
    const counts = lower.get(bin) ?? new Uint32Array(1 << 16);
    lower.set(bin, counts);
    return { bin, rankInBin: rank - before, counts };
  };
  const seek = (p: number) => {
    const { rank, next, share } = percentilePlace(count, p);
    return { low: soughtAt(rank), high: soughtAt(next), share };
  };
  const [first, second] = [seek(wanted[0]), seek(wanted[1])];
  for (const part of parts()) {
    for (const key of orderedBits(part)) {
      const counts = lower.get(key >>> 16);
      if (!counts) continue;
      const half = key & 0xffff;
      counts[half] = uint32At(counts, half) + 1;
    }
  }
  const between = ({ low, high, share }: ReturnType<typeof seek>): number => {
    const value = valueSought(low);
    return value + share * (valueSought(high) - value);
  };
  return [between(first), between(second)];
}

/**
 * A value whose upper half is known: its rank among those of the same upper half, whose lower halves are
 * counted.
 */
interface SoughtValue {
  readonly bin: number;
  readonly rankInBin: number;
  readonly counts: Uint32Array;
}

const valueSought = ({ bin, rankInBin, counts }: SoughtValue): number =>
  valueOfBits(((bin << 16) | findBin(counts, rankInBin).bin) >>> 0);

/** The bin that holds the `rank`-th of what was counted, and how many lie in the bins before it. */
function findBin(counts: Uint32Array, rank: number): { bin: number; before: number } {
  let [bin, before] = [0, 0];
  while (before + uint32At(counts, bin) <= rank) before += uint32At(counts, bin++);
  return { bin, before };
}

/**
 * Whole numbers in the order of the values: the bits of a float32 with the sign turned over, all of them
 * where it is negative.
 */
function orderedBits(values: ArrayLike<number>): Uint32Array {
  const bits = new Uint32Array(new Float32Array(values).buffer);
  for (let i = 0; i < bits.length; i++) {
    const value = uint32At(bits, i);
    bits[i] = value >>> 31 ? ~value : value | 0x80000000;
  }
  return bits;
}

function valueOfBits(ordered: number): number {
  const bits = ordered >>> 31 ? ordered & 0x7fffffff : ~ordered;
  return floatAt(new Float32Array(Uint32Array.of(bits).buffer), 0);
}
