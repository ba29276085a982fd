import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
mkdirSync(join(folder, 'bin'));
symlinkSync(resolve('bin/hybridmim.mjs'), join(folder, 'bin', 'hybridmim'));
writeFileSync(join(folder, 'datasets.json'), '{}');

/** How each shell is asked what it completes a line to: a line for each, some with a description behind. */
const asked = {
  bash: (words: readonly string[]) => `source <(hybridmim completion bash)
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
    _hybridmim_yargs_completions; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // What compsys itself shows cannot be had without a terminal: this is what it is given.
  zsh: (words: readonly string[]) => `compdef() { : }; _describe() { print -l -- $reply }; _default() { ls }
    source <(hybridmim completion zsh)
    words=(${words.map((word) => `'${word}'`).join(' ')}) CURRENT=${words.length}; _hybridmim_yargs_completions`,
  fish: (words: readonly string[]) => `hybridmim completion fish | source; complete -C '${words.join(' ')}'`,
};

const completions = (shell: keyof typeof asked, ...words: string[]) =>
  lines(shell, words).map((line) => line.split(/\t|:/)[0]);

function lines(shell: keyof typeof asked, words: readonly string[]): string[] {
  const flags = shell === 'fish' ? ['--no-config'] : shell === 'zsh' ? ['-f'] : ['--norc'];
  const printed = execFileSync(shell, [...flags, '-c', asked[shell](['hybridmim', ...words])], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      HOME: folder,
      SHELL: '/bin/sh',
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
    },
  });
  return printed.split('\n');
}

describe.each(['bash', 'zsh', 'fish'] as const)('completion in %s', (shell) => {
  const lacksShell = spawnSync(shell, ['--version']).status !== 0;

  it.skipIf(lacksShell)('offers commands, flags and subcommands', () => {
    expect(completions(shell, 'pre')).toEqual(expect.arrayContaining(['prepare', 'pretrain', 'predict']));
    expect(completions(shell, 'prepare', '--da')).toContain('--datasets');
    expect(completions(shell, 'weights', '')).toContain('inspect');
  });

  it.skipIf(lacksShell || shell !== 'fish')('offers files, and descriptions', () => {
    expect(completions(shell, 'prepare', '--datasets', 'd')).toContain('datasets.json');
    expect(lines(shell, ['doctor', '--js'])).toContain(
      '--json\tprint the diagnosis as JSON on standard output',
    );
  });
});
