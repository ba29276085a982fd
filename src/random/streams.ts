/** The named uses of randomness; a new use gets a new name so that it never shifts another's draws. */
export type StreamName =
  | 'split'
  | 'crop'
  | 'augment'
  | 'mask'
  | 'init'
  | 'dropout'
  | 'phantom'
  | 'fraction'
  | 'corrupt'
  | 'word'
  | 'bootstrap';

/** A deterministic sequence of draws. Same seed, name and indices: same draws, on every machine. */
export interface RandomStream {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Puts what `uniform` would give next at the places from `first` up to `end` (not included). */
  fillUniform(target: Float32Array, first: number, end: number): void;
  /** Integer uniform in [0, limit). Throws RangeError unless limit is in 1..2^32. */
  integer(limit: number): number;
  /** Normal deviate, mean 0, standard deviation 1 (Box-Muller). */
  normal(): number;
  /** A new array with the items in uniformly random order (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
}

/**
 * The stream of `name` for a run's seed, optionally narrowed by indices (step, item in batch, epoch),
 * so that any draw of a resumed run can be made again without replaying the ones before it.
 */
export function randomStream(seed: number, name: StreamName, ...indices: readonly number[]): RandomStream {
  const state = sfc32State(hashWords(seed, name, indices));
  const next = () => sfc32(state);
  const uniform = () => next() / 2 ** 32;
  return {
    uniform,
    fillUniform: (target, first, end) => fillUniform(state, target, first, end),
    integer: (limit) => boundedInteger(next, limit),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (items) => {
      const result = [...items];
      for (let i = result.length - 1; i > 0; i--) {
        const j = boundedInteger(next, i + 1);
        [result[i], result[j]] = [result[j] as (typeof result)[number], result[i] as (typeof result)[number]];
      }
      return result;
    },
  };
}

/** The 31-bit seed fed to the graph's random ops at `step`, derived from the run's seed. */
export function stepSeed(seed: number, step: number): number {
  return randomStream(seed, 'dropout', step).integer(2 ** 31);
}

/**
 * Rejection sampling, so that no value is favoured where `limit` does not divide 2^32. Where a value is below
 * 2^32 - limit, which most are, it is accepted without a division, and the remainder is taken of whole numbers
 * of 32 bits: both save most of the time, and no draw is another for it.
 */
function boundedInteger(next: () => number, limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) {
    throw new RangeError(`random integer limit ${limit} must be a whole number from 1 to 2^32`);
  }
  if (limit === 2 ** 32) return next();
  const surelyBelow = 2 ** 32 - limit;
  for (;;) {
    const value = next();
    if (value < surelyBelow || value < 2 ** 32 - (2 ** 32 % limit)) return (value >>> 0) % (limit >>> 0);
  }
}

/** Four 32-bit words from seed, name and indices: FNV-1a per word, then a finaliser (MurmurHash3's). */
function hashWords(seed: number, name: string, indices: readonly number[]): [number, number, number, number] {
  const text = [seed, name, ...indices].join('/');
  const word = (salt: number): number => {
    let hash = 0x811c9dc5 ^ Math.imul(salt, 0x9e3779b9);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
  return [word(0), word(1), word(2), word(3)];
}

/**
 * Of Chris Doty-Humphrey's small fast counting generator, which passes PractRand. An array of 32-bit numbers,
 * since these are read and written without a check of their kind: half the time of four variables.
 */
function sfc32State(words: readonly [number, number, number, number]): Int32Array {
  const state = Int32Array.from(words);
  for (let i = 0; i < 12; i++) sfc32(state); // the first outputs still show the seed's structure
  return state;
}

/** The next 32 bits. */
function sfc32(state: Int32Array): number {
  const b = state[1]!;
  const c = state[2]!;
  const counter = state[3]!;
  const t = (state[0]! + b + counter) | 0;
  state[0] = b ^ (b >>> 9);
  state[1] = c + (c << 3);
  state[2] = ((c << 21) | (c >>> 11)) + t;
  state[3] = counter + 1;
  return t >>> 0;
}

/** The same for many, with the state in variables meanwhile: half the time again. */
function fillUniform(state: Int32Array, target: Float32Array, first: number, end: number): void {
  let [a, b, c, counter] = [state[0]!, state[1]!, state[2]!, state[3]!];
  for (let i = first; i < end; i++) {
    const t = (a + b + counter) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    counter = (counter + 1) | 0;
    target[i] = (t >>> 0) / 2 ** 32;
  }
  state.set([a, b, c, counter]);
}
