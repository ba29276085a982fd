import type { Command } from './context.js';

/**
 * `bin/hybridmim.mjs` runs set-up before there is anything compiled; it stands here so that the help lists it.
 */
export const setupCommand: Command<object> = {
  command: 'setup',
  describe: 'Fetch TensorFlow and build what it needs; once, after the installation',
  flags: (yargs) => yargs,
  run: async () => {
    await import(new URL('../../scripts/setup.mjs', import.meta.url).href);
  },
};
