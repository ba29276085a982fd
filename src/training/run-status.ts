import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { jsonOrUndefined } from '../json.js';

/** Where a run stands, as its log tells. */
export interface RunStatus {
  /** Of the whole schedule; undefined before the run has begun. */
  readonly steps: number | undefined;
  /**
   * How it ended: `finished`, or the sentence with which it stopped; undefined while it goes on, or was
   * killed.
   */
  readonly ended: string | undefined;
}

const logLine = z.object({ level: z.number(), msg: z.string(), steps: z.number().optional() });

/** From pino's error level on, a line says why the run stopped. */
const errorLevel = 50;

/** How a run stands by its `log.jsonl`; of a folder without one nothing is known. */
export async function readRunStatus(folder: string): Promise<RunStatus> {
  const text = await readFile(join(folder, 'log.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').flatMap((line) => {
    const parsed = logLine.safeParse(jsonOrUndefined(line));
    return parsed.success ? [parsed.data] : [];
  });
  const last = lines.at(-1);
  const hasEnded = last !== undefined && (last.msg === 'finished' || last.level >= errorLevel);
  return {
    steps: lines.findLast(({ msg }) => msg === 'started')?.steps,
    ended: hasEnded ? last.msg : undefined,
  };
}
