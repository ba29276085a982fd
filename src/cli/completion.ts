import yargs from 'yargs';
import { writeOutput } from '../whole-file.js';
import type { Command } from './context.js';

const shells = ['bash', 'zsh', 'fish'] as const;

interface Flags {
  readonly shell: (typeof shells)[number];
}

/**
 * The program is asked with all words up to the cursor, the one at hand by itself, which may be empty. Files are offered
 * beside what it answers, since most flags take one. It writes descriptions where SHELL names fish.
 */
const fishScript = `# Completes commands, flags and files of hybridmim.
# To keep it: hybridmim completion fish > ~/.config/fish/completions/hybridmim.fish
function __hybridmim_completions
    set -lx SHELL fish
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    hybridmim --get-yargs-completions $words[2..] (commandline --current-token --cut-at-cursor)
end
complete --command hybridmim --arguments '(__hybridmim_completions)'
`;

export const completionCommand: Command<Flags> = {
  command: 'completion [shell]',
  describe: 'Print a script that completes commands and flags',
  flags: (parser) =>
    parser.positional('shell', {
      choices: shells,
      default: shells.find((shell) => process.env.SHELL?.includes(shell)) ?? 'bash',
      defaultDescription: 'the one that SHELL names, or bash',
      describe: 'source <(hybridmim completion bash); in fish: hybridmim completion fish | source',
    }),
  run: async ({ shell }) => {
    if (shell === 'fish') return writeOutput(fishScript);
    process.env.SHELL = shell; // by which yargs chooses its script
    yargs().scriptName('hybridmim').showCompletionScript();
  },
};
