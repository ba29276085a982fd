/** The values of a volume that has few of them, so that 16 bits say which one a voxel has. Nothing is rounded. */
export interface ValueCodes {
  /** By their codes, from 0, each once; values that differ in a bit, such as 0 and -0, are two. */
  readonly values: Float32Array;
  /** Puts the code of each value into `codes`. Every value must be one of those above. */
  encode(values: Float32Array, codes: Uint16Array): void;
}

/** As many as 16 bits tell apart. */
export const mostCodes = 2 ** 16;

/** Places of the table in which values are looked up: four for each value at most, so that few share one. */
const PLACES = 2 ** 18;

/**
 * The codes of a volume; undefined where it has more values than `most`, as soon as that is known.
 * @param parts all of the volume, each to be used before the next is asked for
 * @param most at most `mostCodes`
 */
export function valueCodes(parts: Iterable<Float32Array>, most: number = mostCodes): ValueCodes | undefined {
  const table: CodeTable = { codes: new Int32Array(PLACES), bits: new Uint32Array(mostCodes), count: 0 };
  for (const part of parts) if (!addValues(bitsOf(part), table, most)) return undefined;
  return {
    values: new Float32Array(table.bits.slice(0, table.count).buffer),
    encode: (values, codes) => encodeBits(bitsOf(values), table, codes),
  };
}

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

interface CodeTable {
  /** By place: the code that is looked up there first, and one more; 0: none. */
  readonly codes: Int32Array;
  /** By code. */
  readonly bits: Uint32Array;
  count: number;
}

/** The place of a value: its own, or the first free one from there on. */
function placeOf(bits: number, { codes, bits: known }: CodeTable): number {
  let place = Math.imul(bits, 0x9e3779b1) >>> 14;
  for (;;) {
    const code = codes[place]!; // readings are not checked: every voxel comes here
    if (code === 0 || known[code - 1] === bits) return place;
    place = (place + 1) % PLACES;
  }
}

/** The most values of a volume that is stored as codes: each takes four bytes, of which a code saves two a voxel. */
export const codesWorthwhile = (voxels: number): number => Math.min(mostCodes, Math.floor(voxels / 4));

/** Whether there were codes enough. */
function addValues(values: Uint32Array, table: CodeTable, most: number): boolean {
  for (let i = 0; i < values.length; i++) {
    const bits = values[i]!;
    const place = placeOf(bits, table);
    if (table.codes[place] !== 0) continue;
    if (table.count >= most) return false;
    table.bits[table.count] = bits;
    table.codes[place] = ++table.count;
  }
  return true;
}

function encodeBits(values: Uint32Array, table: CodeTable, codes: Uint16Array): void {
  for (let i = 0; i < values.length; i++) codes[i] = table.codes[placeOf(values[i]!, table)]! - 1;
}
