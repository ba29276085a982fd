import { createHash } from 'node:crypto';

/** Bytes of UTF-8: a file of a case adds endings, and most systems take names of 255 bytes. */
export const longestName = 120;

/** Windows takes none of these, whatever ending follows. */
const reservedOnWindows = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/**
 * Whether a name can be that of a file on every system: letters, digits and marks of any script in their
 * composed form (NFC), ".", "_" and "-", beginning with a letter or digit, of `longestName` bytes at most.
 */
export function isFileName(name: string): boolean {
  return (
    /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u.test(name) &&
    name === name.normalize('NFC') &&
    !name.endsWith('.') &&
    !reservedOnWindows.test(name) &&
    Buffer.byteLength(name) <= longestName
  );
}

/** The same for two names that macOS or Windows may take for one: they differ in case or Unicode form alone. */
export function sameOnSomeSystem(name: string): string {
  return name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * Ids for cases as their files name them: the name where it is a file name on every system, else with "_" for
 * what is not. Names that would share an id, or differ in case or Unicode form alone, get eight digits of their
 * SHA-256 behind it, except the one that is its own id: the same for any order of the names.
 * @param names in NFC, each once
 * @returns the id of each name
 */
export function caseIds(names: readonly string[]): Map<string, string> {
  const plain = new Map(names.map((name) => [name, fileNameOf(name)]));
  const times = new Map<string, number>();
  for (const id of plain.values())
    times.set(sameOnSomeSystem(id), (times.get(sameOnSomeSystem(id)) ?? 0) + 1);
  const kept = new Map<string, string>();
  for (const name of [...names].sort()) {
    const key = sameOnSomeSystem(name);
    if (plain.get(name) === name && !kept.has(key)) kept.set(key, name);
  }
  return new Map(
    [...plain].map(([name, id]) => {
      const key = sameOnSomeSystem(id);
      return [name, times.get(key) === 1 || kept.get(key) === name ? id : marked(id, name)];
    }),
  );
}

/** Whether an id has digits behind it that its files' name lacks. */
export const isMarked = (id: string): boolean => /-[0-9a-f]{8}$/.test(id);

/** The name with what no system refuses; cut, reserved and empty names are marked, so that they stay apart. */
function fileNameOf(name: string): string {
  if (isFileName(name)) return name;
  const cleaned = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '_')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .replace(/\.+$/, '');
  return isFileName(cleaned)
    ? cleaned
    : marked(reservedOnWindows.test(cleaned) ? `case-${cleaned}` : cleaned, name);
}

/** `id` with a mark that is the name's own, of `longestName` bytes at most. */
function marked(id: string, name: string): string {
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return id === '' ? `case-${digits}` : `${startOf(id, longestName - digits.length - 1)}-${digits}`;
}

/** The longest start of whole characters that is `bytes` long at most. */
function startOf(text: string, bytes: number): string {
  let [start, length] = ['', 0];
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    start += character;
  }
  return start;
}
