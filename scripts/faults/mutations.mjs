// Ways to spoil bytes, text and JSON. All chance comes from the stream that is given, so that an input can be made again.

const numbers = [0, 1, -1, 2, 7, 255, 256, 32_767, 65_535, 65_536, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 - 1];

/** One of a list. */
export const oneOf = (random, items) => items[random.integer(items.length)];

/** Turns a few bits between two places. */
export function turnBits(random, bytes, from = 0, to = bytes.length) {
  const spoilt = Buffer.from(bytes);
  if (to <= from) return spoilt;
  for (let n = 1 + random.integer(3); n > 0; n--) {
    const at = from + random.integer(to - from);
    spoilt[at] ^= 1 << random.integer(8);
  }
  return spoilt;
}

/** Cuts off at least one byte, and leaves at least the first `from`. */
export const cut = (random, bytes, from = 0) =>
  Buffer.from(bytes.subarray(0, from + random.integer(Math.max(1, bytes.length - from))));

/** Any few edits of bytes between two places: bits, bytes, numbers, parts that are gone, moved, doubled or new. */
export function editBytes(random, bytes, from = 0, to = bytes.length) {
  let spoilt = Buffer.from(bytes);
  for (let n = 1 + random.integer(4); n > 0; n--) {
    const end = Math.min(to, spoilt.length);
    if (end <= from) return spoilt;
    const at = from + random.integer(end - from);
    const length = Math.min(1 + random.integer(64), end - at);
    switch (random.integer(9)) {
      case 0:
        spoilt = turnBits(random, spoilt, from, end);
        break;
      case 1:
        spoilt[at] = oneOf(random, [0, 0xff, 0x7f, 0x80, random.integer(256)]);
        break;
      case 2:
        writeNumber(random, spoilt, at, end);
        break;
      case 3:
        writeFloat(random, spoilt, at, end);
        break;
      case 4:
        spoilt.fill(oneOf(random, [0, 0xff, 0x20]), at, at + length);
        break;
      case 5:
        spoilt = Buffer.concat([spoilt.subarray(0, at), spoilt.subarray(at + length)]);
        break;
      case 6:
        spoilt = Buffer.concat([spoilt.subarray(0, at + length), spoilt.subarray(at)]);
        break;
      case 7:
        spoilt = Buffer.concat([spoilt.subarray(0, at), randomBytes(random, length), spoilt.subarray(at)]);
        break;
      default:
        spoilt.copy(spoilt, at, from + random.integer(end - from), end);
    }
  }
  return spoilt;
}

function writeNumber(random, bytes, at, end) {
  const width = oneOf(random, [2, 4, 8]);
  if (at + width > end) return;
  const value = BigInt.asUintN(8 * width, BigInt(oneOf(random, numbers)));
  const text = value.toString(16).padStart(2 * width, '0');
  const written = Buffer.from(text, 'hex');
  (random.integer(2) ? written : written.reverse()).copy(bytes, at);
}

function writeFloat(random, bytes, at, end) {
  const value = oneOf(random, [Number.NaN, Infinity, -Infinity, 0, -0, 1e-30, 1e30, 3.5, -2]);
  if (at + 4 > end) return;
  if (random.integer(2)) bytes.writeFloatLE(value, at);
  else bytes.writeFloatBE(value, at);
}

const randomBytes = (random, length) => Buffer.from(Array.from({ length }, () => random.integer(256)));

const words = [
  '',
  ' ',
  '0',
  '-1',
  '1e9',
  '1e308',
  '-1e-308',
  'NaN',
  'nan',
  'inf',
  'none',
  '???',
  'true',
  'null',
  '~',
  '[]',
  '{}',
  '[[]]',
  '9'.repeat(30),
  'x'.repeat(300),
  '../../etc/passwd',
  '/dev/zero',
  '/dev/null',
  '%s%n',
  '\u0000',
  '\u001b[31m',
  '\u202e',
  'ä😀',
  '__proto__',
  'constructor',
  '&a',
  '*a',
  '<<: *a',
  '!!js/function "x"',
  '!!binary "AA=="',
  '$'.concat('{HOME}'),
  'LOCAL',
  'LIST',
  '%03d',
  'raw',
  'gzip',
  'bzip2',
  'ascii',
  'hex',
];

/** Any few edits of text: letters, words, numbers and lines that are others, gone, doubled or exchanged. */
export function editText(random, text) {
  let spoilt = text;
  for (let n = 1 + random.integer(4); n > 0; n--) spoilt = editTextOnce(random, spoilt);
  return spoilt;
}

function editTextOnce(random, text) {
  const lines = text.split('\n');
  const line = random.integer(lines.length);
  const replaced = (pattern, by) => {
    const found = [...text.matchAll(pattern)];
    if (found.length === 0) return text;
    const match = oneOf(random, found);
    return text.slice(0, match.index) + by(match[0]) + text.slice(match.index + match[0].length);
  };
  switch (random.integer(9)) {
    case 0:
      return lines.filter((_, i) => i !== line).join('\n');
    case 1:
      return lines.flatMap((each, i) => (i === line ? [each, each] : [each])).join('\n');
    case 2: {
      const other = random.integer(lines.length);
      [lines[line], lines[other]] = [lines[other], lines[line]];
      return lines.join('\n');
    }
    case 3:
      return replaced(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, (found) =>
        oneOf(random, [
          ...numbers.map(String),
          `-${found}`,
          `${found}${found}`,
          `${found}.5`,
          ...words.slice(0, 13),
        ]),
      );
    case 4:
      return replaced(/[\p{L}_]+/gu, (found) =>
        oneOf(random, [...words, found.toUpperCase(), found.slice(1)]),
      );
    case 5: {
      const at = random.integer(text.length + 1);
      return text.slice(0, at) + oneOf(random, words) + text.slice(at);
    }
    case 6: {
      const at = random.integer(text.length + 1);
      return text.slice(0, at) + text.slice(at + 1 + random.integer(8));
    }
    case 7:
      return text.slice(0, random.integer(text.length + 1));
    default:
      return replaced(/[:=[\]{},"' ]/g, () =>
        oneOf(random, [':', '=', '[', ']', '{', '}', ',', '"', "'", '\t', '\r', '\n']),
      );
  }
}

const values = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  1e9,
  2 ** 53,
  '',
  'x',
  '__proto__',
  [],
  {},
  [[]],
  [null],
  { a: 1 },
];

/** Any few edits of what JSON says: values that are others, keys that are gone, doubled or named otherwise. */
export function editJson(random, content) {
  let spoilt = structuredClone(content);
  for (let n = 1 + random.integer(3); n > 0; n--) {
    const places = placesOf(spoilt);
    if (places.length === 0) return oneOf(random, values);
    const { parent, key } = oneOf(random, places);
    switch (random.integer(6)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(key, 1);
        else delete parent[key];
        break;
      case 1:
        if (Array.isArray(parent)) parent.splice(key, 0, structuredClone(parent[key]));
        else {
          parent[oneOf(random, ['x', '0', ' ', `${key}2`, key.toUpperCase()])] = parent[key];
          delete parent[key];
        }
        break;
      case 2:
        parent[key] = [parent[key]];
        break;
      case 3:
        parent[key] =
          typeof parent[key] === 'number'
            ? -parent[key] * oneOf(random, [1, 1000, 0.001])
            : String(parent[key]);
        break;
      case 4: {
        const other = oneOf(random, places);
        parent[key] = structuredClone(other.parent[other.key]);
        break;
      }
      default:
        parent[key] = structuredClone(oneOf(random, values));
    }
    if (random.integer(200) === 0) spoilt = oneOf(random, values);
  }
  return spoilt;
}

function placesOf(content, places = []) {
  if (typeof content !== 'object' || content === null || places.length > 20_000) return places;
  for (const key of Array.isArray(content) ? content.keys() : Object.keys(content)) {
    places.push({ parent: content, key });
    placesOf(content[key], places);
  }
  return places;
}
