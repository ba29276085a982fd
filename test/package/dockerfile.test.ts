import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Instruction {
  readonly word: string;
  readonly rest: string;
  /** The name of its stage. */
  readonly stage: string;
}

/** The instructions of the Dockerfile, each with its stage. */
function instructions(): Instruction[] {
  const lines = readFileSync('Dockerfile', 'utf8').replaceAll(/\\\n/g, ' ').split('\n');
  let stage = '';
  return lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, word = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
      if (word === 'FROM') stage = / AS ([a-z-]+)$/.exec(rest)?.[1] ?? '';
      return { word, rest, stage };
    });
}

const all = instructions();
const stages = all.filter(({ word }) => word === 'FROM').map(({ stage }) => stage);

describe('the Dockerfile', () => {
  it('has instructions of Docker alone, in named stages, and both targets', () => {
    const known = ['FROM', 'RUN', 'COPY', 'WORKDIR', 'ENV', 'USER', 'ENTRYPOINT', 'CMD'];
    expect(all.filter(({ word }) => !known.includes(word))).toEqual([]);
    expect(all.filter(({ stage }) => stage === '')).toEqual([]);
    expect(new Set(stages).size).toBe(stages.length);
    expect(stages.at(-1)).toBe('cpu');
    expect(stages).toContain('cuda');
  });

  it('copies from stages that come before, or what is in the repository', () => {
    for (const { rest, stage } of all.filter(({ word }) => word === 'COPY')) {
      const from = /^--from=(\S+)/.exec(rest)?.[1];
      if (from !== undefined) expect(stages.slice(0, stages.indexOf(stage))).toContain(from);
      else for (const source of rest.split(/\s+/).slice(0, -1)) expect(existsSync(source), source).toBe(true);
    }
  });

  it('says its entry point and command in JSON, and runs as no superuser', () => {
    for (const target of ['cpu', 'cuda']) {
      const own = Object.fromEntries(
        all.filter(({ stage }) => stage === target).map(({ word, rest }) => [word, rest]),
      );
      expect(JSON.parse(own.ENTRYPOINT ?? '')).toEqual(['node', '/app/bin/hybridmim.mjs']);
      expect(JSON.parse(own.CMD ?? '')).toEqual(['--help']);
      expect(own.USER).toBe('node');
      expect(own.COPY).toBe(`--from=installed-${target} /app/ /app/`);
      const setup = all.filter(({ stage, word }) => stage === `installed-${target}` && word === 'RUN');
      expect(setup.map(({ rest }) => rest)).toEqual([
        `node scripts/setup.mjs --runtime ${target}`,
        'npm prune --omit=dev --ignore-scripts',
      ]);
    }
  });

  it('has a Node that the package takes, and the tools that set-up asks for', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(engines.node).toContain('^20.');
    for (const { rest } of all.filter(({ word }) => word === 'FROM')) {
      const [image = ''] = rest.split(' ');
      expect(stages.includes(image) || /^node:20-bookworm(?:-slim)?$/.test(image), image).toBe(true);
    }
    for (const { rest } of all.filter(({ rest }) => rest.includes('apt-get install')))
      expect(rest).toMatch(/g\+\+ make python3 python3-pip/);
  });

  it('has the targets that docs/docker.md builds', () => {
    const page = readFileSync('docs/docker.md', 'utf8');
    const built = [...page.matchAll(/--target (\S+)/g)].map(([, target]) => target);
    expect(built).toEqual(['cuda']);
    for (const target of built) expect(stages).toContain(target);
  });
});
