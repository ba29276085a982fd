import { InterruptedError } from '../errors.js';
import type { Cell } from './cells.js';

/** A cell that failed, or was not run because what it needs failed. */
export interface FailedCell {
  readonly id: string;
  readonly title: string;
  readonly reason: string;
}

/**
 * Runs cells, up to `jobs` at a time, each after what it needs. A cell that fails stops only what needs it.
 * @throws InterruptedError as soon as what was running has saved and ended
 */
export async function runCells(
  cells: readonly Cell[],
  jobs: number,
  run: (cell: Cell) => Promise<void>,
): Promise<FailedCell[]> {
  const failed = new Map<string, FailedCell>();
  const done = new Set<string>();
  const waiting = [...cells];
  const known = new Set(cells.map(({ id }) => id)); // what is needed but not among them is taken to be there
  const running = new Map<string, Promise<void>>();
  let interrupted: InterruptedError | undefined;
  const start = (cell: Cell): void => {
    const ended = run(cell).then(
      () => void done.add(cell.id),
      (error: unknown) => {
        if (error instanceof InterruptedError) interrupted ??= error;
        else
          failed.set(cell.id, {
            id: cell.id,
            title: cell.title,
            reason: error instanceof Error ? error.message : String(error),
          });
      },
    );
    running.set(
      cell.id,
      ended.finally(() => running.delete(cell.id)),
    );
  };
  for (;;) {
    for (const cell of [...waiting]) {
      if (interrupted || running.size >= jobs) break;
      const needs = cell.kind === 'finetune' ? cell.needs : undefined;
      const cause = needs === undefined ? undefined : failed.get(needs);
      if (cause !== undefined) {
        failed.set(cell.id, {
          id: cell.id,
          title: cell.title,
          reason: `not run, because ${cause.title} failed`,
        });
      } else if (needs !== undefined && known.has(needs) && !done.has(needs)) continue;
      else start(cell);
      waiting.splice(waiting.indexOf(cell), 1);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (interrupted) throw interrupted;
  return cells.flatMap(({ id }) => failed.get(id) ?? []);
}
