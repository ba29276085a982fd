import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { itemAt } from '../at.js';
import { InterruptedError, WorkError } from '../errors.js';
import type { Cell } from '../experiment/index.js';
import type { Terminal } from './terminal.js';

/**
 * Carries cells out in processes of their own, which call this program again for one cell; what they say is
 * shown with the cell's name.
 * @param command the arguments of this call without `--jobs`
 * @param signal aborted: the processes are asked to save and end
 */
export function launchCell(
  command: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): (cell: Cell) => Promise<void> {
  return ({ id, title }) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [itemAt(process.argv, 1), ...command, '--only', id, '--json'], {
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true,
      });
      let last = '';
      createInterface({ input: child.stderr }).on('line', (line) => {
        last = line;
        terminal.line(`${id}: ${line}`);
      });
      // A group of its own gets no Ctrl-C from the terminal, so that it comes once.
      const stop = () => child.kill('SIGTERM');
      signal.addEventListener('abort', stop, { once: true });
      child.on('error', reject);
      child.on('close', (code, killed) => {
        signal.removeEventListener('abort', stop);
        if (code === 0) return resolve();
        if (code === 130)
          return reject(new InterruptedError(`stopped in ${title}, state saved: the same command goes on`));
        reject(
          new WorkError(
            killed
              ? `${title} was ended by ${killed}`
              : last.replace(/^hybridmim: /, '') || `${title} ended with code ${code}`,
          ),
        );
      });
    });
}
