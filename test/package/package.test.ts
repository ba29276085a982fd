import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as library from '../../src/index.js';

const names = z.record(z.string(), z.string());
const manifest = z
  .object({
    dependencies: names,
    devDependencies: names,
    bin: names,
    types: z.string(),
    exports: z.record(z.string(), z.unknown()),
  })
  .parse(JSON.parse(readFileSync('package.json', 'utf8')));

describe('the packed files', () => {
  let packed: string[];
  beforeAll(() => {
    // Not prepack, which would compile `dist` afresh under the other tests.
    const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [pack] = z
      .tuple([z.object({ files: z.array(z.object({ path: z.string() })) })])
      .parse(JSON.parse(listed));
    packed = pack.files.map(({ path }) => path);
  });

  it('hold every source compiled, with its types', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!\.d)\.ts$/.test(file),
    );
    expect(sources.length).toBeGreaterThan(250);
    for (const source of sources) {
      expect(packed).toContain(join('dist', source.replace(/\.ts$/, '.js')));
      expect(packed).toContain(join('dist', source.replace(/\.ts$/, '.d.ts')));
    }
  });

  it('hold every configuration, every page, and what set-up runs', () => {
    const siteSettings = join('docs', '.vitepress');
    for (const folder of ['configs', 'docs'])
      for (const file of filesUnder(folder))
        if (!file.startsWith(siteSettings)) expect(packed).toContain(file);
    expect(packed.filter((file) => file.startsWith(siteSettings))).toEqual([]);
    const scripts = [
      'setup.mjs',
      'setup-steps.mjs',
      'run-command.mjs',
      'extract-wheel.py',
      'tensorflow-cpu.txt',
      'nvidia-libraries.txt',
    ];
    for (const script of scripts) expect(packed).toContain(`scripts/${script}`);
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'datasets.example.json'])
      expect(packed).toContain(file);
  });

  it('hold what package.json names', () => {
    const named = [
      ...Object.values(manifest.bin),
      manifest.types,
      ...JSON.stringify(manifest.exports).matchAll(/"(\.\/[^"*]+\.\w+)"(?!:)/g),
    ];
    expect(named.length).toBeGreaterThan(4);
    for (const name of named) expect(packed).toContain(normalize(typeof name === 'string' ? name : name[1]!));
  });

  it('hold what their pages link to', () => {
    for (const page of packed.filter((file) => file.endsWith('.md'))) {
      const links = [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(
        ([, link]) => link!,
      );
      for (const link of links)
        expect(packed, `${page} links to ${link}`).toContain(join(dirname(page), link));
    }
  });

  it('hold nothing else', () => {
    const known =
      /^(bin|dist|scripts|configs|schema|docs)\/|^(README\.md|LICENSE|CHANGELOG\.md|CONTRIBUTING\.md|SECURITY\.md|datasets\.example\.json|package\.json)$/;
    expect(packed.filter((file) => !known.test(file))).toEqual([]);
    expect(packed.filter((file) => /(^|\/)\.|node_modules|try-package|tsbuildinfo/.test(file))).toEqual([]);
  });
});

describe('a packed install', () => {
  it('gets every package that the sources and set-up use, and no compiler', () => {
    const files = [
      ...filesUnder('src'),
      ...filesUnder('bin'),
      'scripts/setup.mjs',
      'scripts/setup-steps.mjs',
      'scripts/run-command.mjs',
    ];
    const specifier = /(?:\bfrom|\bimport\(|^import|\brequire\(|\.url\)\()\s*['"]([^'"\s./][^'"\s]*)['"]/gm;
    const used = files.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(specifier)].map(([, name]) => packageOf(name!)),
    );
    const needed = [...new Set(used)].filter(
      (name) => !name.startsWith('node:') && !builtinModules.includes(name),
    );
    expect(needed).toEqual(expect.arrayContaining(['@tensorflow/tfjs-node-gpu', 'koffi', 'yargs', 'zod']));
    for (const name of needed) expect(Object.keys(manifest.dependencies)).toContain(name);
    expect(Object.keys(manifest.dependencies)).toContain('node-gyp'); // set-up builds tfjs's addon
    expect(Object.keys(manifest.devDependencies)).toContain('typescript');
  });
});

describe('the library', () => {
  it('exports what docs/library.md lists', () => {
    const [, listed] = readFileSync('docs/library.md', 'utf8').split('## What is in it');
    const rows = listed!.matchAll(/^\| (`[^|]*`) \|/gm);
    const documented = [...rows].flatMap(([, names]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    );
    expect(documented.sort()).toEqual(Object.keys(library).sort());
  });
});

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

/** `@scope/name` or `name` of a specifier. */
const packageOf = (specifier: string): string =>
  specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
