import { parse } from 'yaml';

/**
 * How each kind of file shows that it ends where it should, for files of which the content is another one each time and
 * hence cannot be compared.
 */
const ends = [
  [/tfevents/, isTfEvents],
  [/\.png$/, (bytes) => bytes.subarray(-8, -4).toString('latin1') === 'IEND'],
  [/\.svg$/, (bytes) => bytes.toString('utf8').trimEnd().endsWith('</svg>')],
  [/\.html$/, (bytes) => bytes.toString('utf8').trimEnd().endsWith('</html>')],
  [/\.json$/, (bytes) => parses(() => JSON.parse(bytes.toString('utf8')))],
  [
    /\.jsonl$/,
    (bytes) => endsInLine(bytes) && linesOf(bytes).every((line) => parses(() => JSON.parse(line))),
  ],
  [/\.ya?ml$/, (bytes) => endsInLine(bytes) && parses(() => parse(bytes.toString('utf8')))],
  [/\.(md|csv|tex|txt)$/, endsInLine],
];

/** Whether a file is whole, as far as its own kind says. Throws for a kind that is not known here. */
export function isWhole(name, bytes) {
  const known = ends.find(([pattern]) => pattern.test(name));
  if (!known) throw new Error(`how does ${name} show that it is whole? Say so in scripts/faults/whole.mjs`);
  return known[1](bytes);
}

function endsInLine(bytes) {
  return bytes.at(-1) === 0x0a;
}

const linesOf = (bytes) => bytes.toString('utf8').trimEnd().split('\n');

function parses(read) {
  try {
    return read() !== null;
  } catch {
    return false;
  }
}

/** TensorFlow's records: 8 bytes of length, 4 of its checksum, the record, 4 of its checksum. */
function isTfEvents(bytes) {
  let at = 0;
  while (at + 12 <= bytes.length) at += 16 + Number(bytes.readBigUInt64LE(at));
  return at === bytes.length && at > 0;
}
