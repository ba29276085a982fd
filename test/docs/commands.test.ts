import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf, difference } from '../../scripts/follow-page.mjs';
import { referencePages } from '../../scripts/write-reference.mjs';
import { commandParser } from '../../src/cli/parser.js';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md') && name !== 'reference-commands.md')
    .map((name) => join('docs', name)),
];

/** Lines of the blocks that are for a shell, without comments, environment and what is continued. */
function shellLines(page: string): string[] {
  const text = readFileSync(page, 'utf8');
  const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].filter(([, name = '']) =>
    /^(sh|bash)?$/.test(name),
  );
  return blocks
    .flatMap(([, , block = '']) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/(?:^|\s+)#.*$/, '')
        .replace(/^(?:[A-Z_]+=\S+\s+)+/, '')
        .replace(/^docker run .*?(?=hybridmim )/, '')
        .trim(),
    );
}

/** The words of a command; a synopsis has all that it may have, and the first of what may stand in one place. */
function wordsOf(line: string): string[] {
  const plain = line
    .replace(/^npx /, '')
    .replaceAll(/\[(?=--)|(?<=[^\s,=[])\](?=\s|\]|$)/g, '')
    .replaceAll(/\s\.\.\.(?=\s|$)/g, '')
    .replaceAll(/(?<=\S)\|\S+|\s\|\s--.*?(?=\s\[|$)/g, '');
  return [...plain.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, one, two, bare]) => one ?? two ?? bare ?? '',
  );
}

const commands = pages.flatMap((page) => shellLines(page).map((line) => ({ page, line })));
const ours = commands.filter(({ line }) => /^(?:npx )?hybridmim /.test(line));

describe('commands on the pages', () => {
  it('are many', () => expect(ours.length).toBeGreaterThan(50));

  it.each(ours)('$page: $line', async ({ line }) => {
    const [, ...args] = wordsOf(line);
    let ran = '';
    const parsed = commandParser(args, async ({ command }) => {
      ran = command;
    }).parseAsync();
    await expect(parsed).resolves.toBeDefined();
    if (!args.includes('--help')) expect(ran.split(' ')[0]).toBe(args[0]);
  });

  it('of npm and node are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const missing = commands.flatMap(({ page, line }) => {
      const script = /^npm run (?:--silent )?([\w:-]+)/.exec(line)?.[1];
      if (script !== undefined) return scripts[script] === undefined ? [`${page}: ${line}`] : [];
      const file = /^node ((?:scripts|benchmarks)\/\S+)/.exec(line)?.[1];
      return file === undefined || existsSync(file) ? [] : [`${page}: ${line}`];
    });
    expect(missing).toEqual([]);
  });

  it('within sentences name flags that the command has', async () => {
    const wrong: string[] = [];
    for (const page of pages) {
      const text = readFileSync(page, 'utf8').replaceAll(/```[\s\S]*?```/g, '');
      for (const [, line = ''] of text.matchAll(/`(?:npx )?hybridmim ([a-z][^`]*)`/g)) {
        const [command = '', ...rest] = line.split(/\s+/);
        const help = await commandParser([command], async () => {}).getHelp();
        const flags = rest.flatMap((word) => /^\[?(--[a-z-]+)/.exec(word)?.[1] ?? []);
        if (!help.startsWith(`hybridmim ${command}`)) wrong.push(`${page}: no command ${command}`);
        for (const flag of flags)
          if (!help.includes(`${flag} `)) wrong.push(`${page}: ${line} has no ${flag}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the help of every command', () => {
  it.each([80, 120])('fits in %i columns', async (columns) => {
    const helpOf = (args: readonly string[]) => commandParser(args, async () => {}, columns).getHelp();
    const all = await helpOf([]);
    const names = [...all.matchAll(/^ {2}hybridmim ([a-z-]+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(15);
    const wide: string[] = [];
    for (const args of [[], ...names.map((name) => [name])]) {
      const lines = (await helpOf(args)).split('\n');
      wide.push(...lines.filter((line) => line.length > columns).map((line) => `${args[0]}: ${line}`));
    }
    expect(wide).toEqual([]);
  });

  it('names the program in its examples, and nowhere by a placeholder', async () => {
    const [, help = ''] =
      (await referencePages())['docs/reference-commands.md']?.split('# Every command') ?? [];
    expect(help).not.toContain('$0');
  });
});

describe('the pages of reference', () => {
  it('are what the schemas and the help say: node scripts/write-reference.mjs writes them', async () => {
    for (const [file, text] of Object.entries(await referencePages()))
      expect(readFileSync(file, 'utf8') === text, file).toBe(true);
  });
});

describe('following a page', () => {
  const page = [
    '```sh\nfirst\n```',
    '<!-- numbers within 2 -->\n```text\na | 85.5 |\n```',
    '```yaml\nkey: 1\n```',
    '<!-- not followed: needs a day -->\n```sh\nsecond\n```',
    '```text\nnot compared\n```',
  ].join('\n\n');

  it('takes its shell blocks in order, each with what is shown after it', () => {
    expect(blocksOf(page)).toEqual([
      { command: 'first', skipped: undefined, shown: { text: 'a | 85.5 |', within: 2 } },
      { command: 'second', skipped: 'needs a day' },
    ]);
  });

  it.each([
    ['1 scan\n2 labels', '7 scan\n1,200 labels\nmore', undefined, undefined],
    ['a\n...\nz', 'before\na\nb\nc\nz', undefined, undefined],
    ['a\nz', 'a\nb\nz', undefined, '"b" was printed, which the page does not show before "z"'],
    ['took ... s', 'took 3 h and 2 s', undefined, undefined],
    ['a b', 'a  c', undefined, 'the page shows "a b", which was not printed'],
    ['Dice 85.5', 'Dice 84.0', 2, undefined],
    ['Dice 85.5', 'Dice 83.0', 2, 'the page shows "Dice 85.5", which was not printed'],
    ['a.b', 'aXb', undefined, 'the page shows "a.b", which was not printed'],
    ['| a |\n|:--|', '|  a  |\n|:-------|', undefined, undefined],
  ])('compares %j with %j within %s', (text, printed, within, expected) =>
    expect(difference({ text, within }, printed)).toBe(expected),
  );
});
