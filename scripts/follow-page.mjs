// Follows a page of docs word for word: runs its `sh` blocks in order in an empty folder, and compares what they print with the `text` block that follows each.
// Usage: node scripts/follow-page.mjs docs/tutorial-hippocampus.md [--folder /an/empty/folder] [--place FOLDER=scans] [--serve Task04_Hippocampus] [--replace FROM=TO] [--print]
//
// --place copies a folder to where the page has its scans. --serve packs a folder as the archive of a public dataset, serves it from this machine, and gives
// `hybridmim download` the address. --replace changes the words of a command, such as its hours; what is replaced is said. --print shows what was printed.
//
// In a `text` block a number stands for any number and "..." for anything, also for lines; all other words must be printed, in that order. After the comment
// <!-- numbers within 5 --> numbers with a decimal point must be met within 5. A block after <!-- not followed: REASON --> is left out, and said.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { create } from 'tar';

const clone = dirname(dirname(fileURLToPath(import.meta.url)));

/** The blocks of a page that are run, each with what is shown after it. */
export function blocksOf(page) {
  const pattern = /(?:<!--\s*([^>]*?)\s*-->\s*)?^```(\w*)\n([\s\S]*?)^```$/gm;
  const blocks = [];
  let isAfterCommand = false;
  for (const [, comment, language, text] of page.matchAll(pattern)) {
    if (language === 'sh') {
      const reason = /^not followed: (.+)$/s.exec(comment ?? '')?.[1];
      blocks.push({ command: text.trim(), skipped: reason });
      isAfterCommand = reason === undefined;
    } else if (language === 'text' && isAfterCommand) {
      const within = /^numbers within ([\d.]+)$/.exec(comment ?? '')?.[1];
      blocks.at(-1).shown = {
        text: text.trimEnd(),
        within: within === undefined ? undefined : Number(within),
      };
      isAfterCommand = false;
    }
  }
  return blocks;
}

/**
 * What a page shows and a command did not print.
 * @returns undefined where all is there
 */
export function difference({ text, within }, printed) {
  const lines = printed.split(/\r?\n/).map(words);
  let from = 0;
  let isGap = false;
  for (const line of text
    .split('\n')
    .map(words)
    .filter((shown) => shown !== '')) {
    if (line === '...') {
      isGap = true;
      continue;
    }
    const at = lines.findIndex((candidate, i) => i >= from && matches(line, candidate, within));
    if (at < 0) return `the page shows "${line}", which was not printed`;
    const between = lines.slice(from, at).filter((passed) => passed !== '');
    if (from > 0 && !isGap && between.length > 0)
      return `"${between[0]}" was printed, which the page does not show before "${line}"`;
    from = at + 1;
    isGap = false;
  }
  return undefined;
}

/** One blank between words; rules of tables are as long as their columns. */
const words = (line) =>
  line
    .replace(/\|[-:| ]+\|/g, '|-|')
    .replace(/\s+/g, ' ')
    .trim();

const number = /\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?/g;

function matches(shown, printed, within) {
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\.\\.\\.', '.*');
  const pattern = shown.split(number).map(escaped).join(`(${number.source})`);
  const found = new RegExp(`^${pattern}$`).exec(printed);
  if (!found) return false;
  if (within === undefined) return true;
  return (shown.match(number) ?? []).every(
    (expected, i) => !expected.includes('.') || Math.abs(Number(expected) - Number(found[i + 1])) <= within,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string' },
      place: { type: 'string', multiple: true, default: [] },
      serve: { type: 'string' },
      replace: { type: 'string', multiple: true, default: [] },
      print: { type: 'boolean', default: false },
    },
  });
  const [page] = positionals;
  if (page === undefined || positionals.length > 1)
    throw new Error('name one page, such as docs/tutorial-hippocampus.md');
  const folder = resolve(values.folder ?? mkdtempSync(join(tmpdir(), 'hybridmim-follow-')));
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0)
    throw new Error(`${folder} is not empty: name an empty folder with --folder`);
  for (const [from, to] of values.place.map((given) => split(given, '--place')))
    cpSync(from, join(folder, to), { recursive: true });
  installHere(folder);
  const served = values.serve === undefined ? undefined : await serve(values.serve);
  const replacements = values.replace.map((given) => split(given, '--replace'));
  const unused = new Set(replacements.map(([from]) => from));
  process.stdout.write(`${page} in ${folder}\n`);
  let failed = 0;
  for (const { command, skipped, shown } of blocksOf(readFileSync(page, 'utf8'))) {
    if (skipped !== undefined) {
      process.stdout.write(`left out (${skipped}): ${command}\n`);
      continue;
    }
    let said = command;
    for (const [from, to] of replacements) {
      if (!said.includes(from)) continue;
      unused.delete(from);
      said = said.replaceAll(from, to);
    }
    if (served)
      said = said.replace(
        /hybridmim download \S+/,
        `$& --mirror ${served.address} --checksum ${served.checksum}`,
      );
    process.stdout.write(`$ ${said}${said === command ? '' : `    # the page: ${command}`}\n`);
    const started = performance.now();
    const { code, printed } = await run(said, folder);
    if (values.print) process.stdout.write(printed.replace(/^/gm, '  '));
    const problem =
      code === 0
        ? shown && difference(shown, printed)
        : `exit code ${code}\n${printed.trim().split('\n').slice(-5).join('\n')}`;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(
      problem ? `FAIL ${seconds} s: ${problem}\n` : `ok ${seconds} s${shown ? ', as shown' : ''}\n`,
    );
    if (!problem) continue;
    failed++;
    if (code !== 0) break;
  }
  served?.close();
  for (const from of unused) process.stdout.write(`FAIL no command holds "${from}", which --replace names\n`);
  process.exitCode = failed + unused.size > 0 ? 1 : 0;
}

function split(given, flag) {
  const at = given.indexOf('=');
  if (at < 1) throw new Error(`${flag} ${given} must be FROM=TO`);
  return [given.slice(0, at), given.slice(at + 1)];
}

/** Makes `npx hybridmim` in a folder mean this clone, as after an installation. */
function installHere(folder) {
  const packages = join(folder, 'node_modules');
  mkdirSync(join(packages, '.bin'), { recursive: true });
  symlinkSync(clone, join(packages, 'hybridmim'));
  symlinkSync(join(clone, 'bin', 'hybridmim.mjs'), join(packages, '.bin', 'hybridmim'));
}

/** Serves a folder as the archive of a dataset. */
async function serve(source) {
  const file = join(mkdtempSync(join(tmpdir(), 'hybridmim-archive-')), `${basename(resolve(source))}.tar`);
  await create({ file, cwd: dirname(resolve(source)) }, [basename(resolve(source))]);
  const size = statSync(file).size;
  const server = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': size - from, etag: '"1"', ...range });
    createReadStream(file, { start: from }).pipe(response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const checksum = `md5:${createHash('md5').update(readFileSync(file)).digest('hex')}`;
  return { address: `http://127.0.0.1:${server.address().port}/`, checksum, close: () => server.close() };
}

function run(command, cwd) {
  return new Promise((done, failed) => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
      cwd,
      env: { ...process.env, COLUMNS: '110' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text;
      });
    child.on('error', failed);
    child.on('close', (code) => done({ code, printed }));
  });
}
