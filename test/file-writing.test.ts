import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What may be had of Node's modules of files outside `src/whole-file.ts`: what reads, makes folders or removes. */
const allowed = new Set([
  ...[
    'access',
    'accessSync',
    'closeSync',
    'constants',
    'createReadStream',
    'existsSync',
    'fstatSync',
    'lstat',
  ],
  ...[
    'lstatSync',
    'mkdir',
    'mkdirSync',
    'mkdtemp',
    'mkdtempSync',
    'open',
    'openSync',
    'readFile',
    'readFileSync',
  ],
  ...[
    'readSync',
    'readdir',
    'readdirSync',
    'readlinkSync',
    'realpath',
    'realpathSync',
    'rm',
    'rmSync',
    'rmdir',
    'stat',
  ],
  ...['statSync', 'statfs', 'statfsSync', 'FileHandle', 'Dirent'],
]);

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'whole-file.ts')
  .map((name) => ({ name, text: readFileSync(join('src', name), 'utf8') }));

/** What a source does that could write a file in part. */
function faults(text: string): string[] {
  const found: string[] = [];
  // Of a disk that is read-only Node's own says that something is missing: who makes a folder himself says more.
  if (/\bmkdir(Sync)?\([^;]*?recursive: true \}\)(?!\.catch)/.test(text)) found.push('makes a folder');
  for (const [, names = '', from] of text.matchAll(/import\s+(?:type\s+)?([^;]*?)\s+from\s+'([^']+)'/g)) {
    if (/^(write-file-atomic|graceful-fs|fs-extra|atomically|steno)$/.test(from ?? ''))
      found.push(`imports ${from}`);
    if (!/^(node:)?fs(\/promises)?$/.test(from ?? '')) continue;
    if (!names.startsWith('{')) found.push(`imports all of ${from}`);
    for (const name of names.replace(/[{}]/g, '').split(',')) {
      const own =
        name
          .replace(/^\s*type\s+/, '')
          .split(' as ')[0]
          ?.trim() ?? '';
      if (own !== '' && !allowed.has(own)) found.push(`imports ${own}`);
    }
  }
  if (/(import|require|getBuiltinModule)\(\s*['"](node:)?fs/.test(text))
    found.push('loads a module of files late');
  for (const [call] of text.matchAll(/\bopen(Sync)?\((?:[^()]|\([^()]*\))*,\s*['"`](?!r['"`])[^'"`]*['"`]/g))
    if (!/\/dev\/null/.test(call)) found.push(`opens to write: ${call}`);
  if (/\.(appendFile|createWriteStream|writev)\(/.test(text)) found.push('writes to a handle');
  if (/pino\.(destination|transport)\(/.test(text)) found.push('lets a log write itself');
  return found;
}

describe('the sources', () => {
  it.each(sources.map(({ name, text }) => [name, text] as const))(
    '%s writes files by src/whole-file.ts alone',
    (name, text) => {
      // An estimate's process tells the kernel that it may be ended first; no file of anybody's is there.
      const expected = name === 'experiment/estimate-process.ts' ? ['imports writeFileSync'] : [];
      expect(faults(text)).toEqual(expected);
    },
  );

  it.each([
    `import { writeFile } from 'node:fs/promises';`,
    `import {\n  readFile,\n  rename as move,\n} from 'node:fs/promises';`,
    `import fs from 'node:fs';`,
    `import * as files from 'fs';`,
    `import writeFileAtomic from 'write-file-atomic';`,
    `const { writeFile } = await import('node:fs/promises');`,
    `import { open } from 'node:fs/promises';\nawait open(join(a, b), 'w');`,
    `import { openSync } from 'node:fs';\nopenSync(file, 'r+');`,
    `const log = pino.destination({ dest: file });`,
  ])('would be caught at %j', (text) => {
    expect(faults(text)).not.toEqual([]);
  });
});
