import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/**
 * Does `work` for `count` inputs of each format, `partLength` of each by turns. Each part adds a line of JSON to
 * `results`, where that is a file; what stands there is not done again.
 * @param work ({ format, seed, first, count }) => counts and faults of one part
 * @returns a row a format, with what was found before
 */
export async function inParts({ work, partLength, formats, count, seed, first, results, tell }) {
  const before = results && existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [];
  const done = before.map((line) => JSON.parse(line)).filter((part) => part.seed === seed);
  const parts = Array.from({ length: Math.ceil(count / partLength) }, (_, i) => ({
    first: first + partLength * i,
    count: Math.min(partLength, count - partLength * i),
  }));
  const found = (format, part) =>
    done.find((one) => one.format === format && one.first === part.first && one.count === part.count);
  const row = (format) => inAll(parts.map((part) => found(format, part)).filter((one) => one !== undefined));
  for (const part of parts)
    for (const format of formats) {
      if (found(format, part)) continue;
      const result = { seed, first: part.first, ...(await work({ format, seed, ...part })) };
      done.push(result);
      if (results) appendFileSync(results, `${JSON.stringify(result)}\n`);
      tell(inWords(row(format)));
    }
  return formats.map(row);
}

function inAll(parts) {
  const sum = (key) => parts.reduce((total, part) => total + (part[key] ?? 0), 0);
  const most = (key) => Math.max(...parts.map((part) => part[key]));
  return {
    format: parts[0].format,
    ...Object.fromEntries(['count', 'calls', 'refused', 'accepted', 'changed'].map((key) => [key, sum(key)])),
    ...Object.fromEntries(['slowest', 'memory'].map((key) => [key, most(key)])),
    faults: parts.flatMap(({ faults }) => faults),
  };
}

const inWords = ({ format, count, refused, accepted, changed, faults, slowest, memory }) =>
  `${format}: ${count} inputs, ${refused} refused, ${accepted} accepted, ${changed} with changes that nothing covers, ${faults.length} faults, ${slowest.toFixed(1)} s the slowest, ${(memory / 2 ** 20).toFixed(0)} MiB the peak`;
