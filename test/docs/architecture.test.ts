import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const read = (file: string) => readFileSync(file, 'utf8');
const page = read('docs/architecture.md');
const rooms = readdirSync('src', { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

const override = z.object({
  includes: z.tuple([z.string().regex(/^src\/[a-z-]+\/\*\*$/)]),
  linter: z.object({
    rules: z.object({
      style: z.object({
        noRestrictedImports: z.object({
          level: z.literal('error'),
          options: z.object({ patterns: z.tuple([z.object({ group: z.tuple([z.string()]) })]) }),
        }),
      }),
    }),
  }),
});

/** By room, the rooms that the linter lets it import. */
function enforced(): Map<string, string[]> {
  const { overrides } = z.object({ overrides: z.array(override) }).parse(JSON.parse(read('biome.json')));
  const found = new Map(rooms.map((room) => [room, rooms.filter((other) => other !== room)]));
  for (const { includes, linter } of overrides) {
    const room = includes[0].split('/')[1] ?? '';
    const { group } = linter.rules.style.noRestrictedImports.options.patterns[0];
    const refused = /^\*\*\/\{(.*)\}\/\*\*$/.exec(group[0])?.[1]?.split(',') ?? [];
    expect(refused.length, `the rooms that ${room} may not import`).toBeGreaterThan(0);
    found.set(
      room,
      (found.get(room) ?? []).filter((other) => !refused.includes(other)),
    );
  }
  return found;
}

/** Rooms that can be reached from one, not by its own arrow to `but`. */
function reached(from: string, arrows: ReadonlyMap<string, readonly string[]>, but?: string): Set<string> {
  const next = (arrows.get(from) ?? []).filter((room) => room !== but);
  return new Set(next.flatMap((room) => [room, ...reached(room, arrows)]));
}

describe('docs/architecture.md', () => {
  const table = Array.from(
    page.matchAll(/^\| `([a-z-]+)` \| .+ \| (.+) \|$/gm),
    ([, room = '', imports = '']) => [room, imports] as const,
  );

  it('lists the rooms that are folders in src, with the imports that the linter allows', () => {
    expect(table.map(([room]) => room).sort()).toEqual(rooms.toSorted());
    const allowed = enforced();
    for (const [room, imports] of table) {
      const listed =
        imports === 'no room'
          ? []
          : imports === 'all rooms'
            ? rooms.filter((other) => other !== room)
            : imports.split(', ');
      expect(listed.toSorted(), room).toEqual(allowed.get(room)?.toSorted());
    }
  });

  it('draws every arrow for which there is no longer way', () => {
    const drawn = Array.from(
      page.matchAll(/^ {2}([a-z-]+) --> ([a-z-]+)$/gm),
      ([, from, to]) => `${from} --> ${to}`,
    );
    const allowed = enforced();
    const needed = Array.from(allowed).flatMap(([from, imports]) =>
      imports.filter((to) => !reached(from, allowed, to).has(to)).map((to) => `${from} --> ${to}`),
    );
    expect(drawn.toSorted()).toEqual(needed.toSorted());
  });

  it('names functions that are in the file beside them', () => {
    const steps = Array.from(
      page.matchAll(/^\| .+ \| `(src\/[^`]+)` \| (.+) \|$/gm),
      ([, file = '', names = '']) => [file, names] as const,
    );
    expect(steps.length).toBeGreaterThan(15);
    for (const [file, names] of steps) {
      for (const name of functionsIn(names))
        expect(declares(read(file), name), `${name} in ${file}`).toBe(true);
    }
  });
});

describe.each(['docs/architecture.md', 'docs/new-method.md', 'docs/glossary.md', 'CONTRIBUTING.md'])(
  '%s',
  (file) => {
    const text = read(file);
    const prose = text.replace(/```[\s\S]*?```/g, '');

    it('names paths that exist, or that it gives the content of', () => {
      const paths = Array.from(
        prose.matchAll(/`((?:src|test|scripts|benchmarks|configs|docs)\/[^`*<\s]*)`/g),
        ([, path = '']) => path,
      );
      const given = Array.from(text.matchAll(/`([^`\n]+)`:\n\n```/g), ([, path]) => path);
      for (const path of paths) expect(existsSync(path) || given.includes(path), path).toBe(true);
    });

    it('names functions that exist', () => {
      const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.ts'),
      );
      const sources = [...files.map((name) => `src/${name}`), 'test/pretext/one-pass.ts'].map(read);
      for (const name of functionsIn(prose))
        expect(
          sources.some((source) => declares(source, name)),
          name,
        ).toBe(true);
    });

    it('links to pages that exist', () => {
      const folder = file.startsWith('docs/') ? 'docs/' : '';
      for (const [, target = ''] of prose.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        expect(existsSync(folder + target), target).toBe(true);
    });
  },
);

/** The functions that a text names as `name()`, with or without arguments. */
function functionsIn(text: string): string[] {
  return Array.from(text.matchAll(/`([A-Za-z]\w*)\([^`]*\)`/g), ([, name = '']) => name);
}

/** Whether a source declares a function, a constant, or a method or field that is one, of that name. */
function declares(source: string, name: string): boolean {
  return new RegExp(
    `\\bfunction\\*? ${name}\\b|\\bconst ${name}\\b|^ +(readonly )?${name}\\??[(<:]`,
    'm',
  ).test(source);
}
