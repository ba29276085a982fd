import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cut, editBytes, editJson, editText, oneOf, turnBits } from './mutations.mjs';

/** Copies a folder and spoils one of its files. */
export function copySpoilt(random, from, to, names) {
  cpSync(from, to, { recursive: true });
  const name = oneOf(random, names);
  const bytes = readFileSync(join(from, name));
  let changed;
  const way = random.integer(4);
  if (way === 0) changed = turnBits(random, bytes);
  else if (way === 1) changed = cut(random, bytes);
  else if (name.endsWith('.json') && way === 2)
    changed = JSON.stringify(editJson(random, JSON.parse(bytes)), null, 1) ?? '';
  else
    changed = /\.(json|jsonl|yaml|csv)$/.test(name)
      ? editText(random, bytes.toString('utf8'))
      : editBytes(random, bytes, 0, random.integer(2) ? 2000 : bytes.length);
  writeFileSync(join(to, name), changed);
  return name;
}
