import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isLocked } from '../folder-lock.js';
import { jsonOrUndefined } from '../json.js';
import { linesOfFile } from '../text-file.js';
import { readMetrics } from './metrics-log.js';

/** Where a run stands, as its log tells. */
export interface RunStatus {
  /** Of the whole schedule; undefined before the run has begun. */
  readonly steps: number | undefined;
  /**
   * How it ended: `finished`, the sentence with which it stopped, or that it was killed; undefined while it
   * goes on.
   */
  readonly ended: string | undefined;
  /** Whether it ended without a word in its log. */
  readonly killed: boolean;
}

const logLine = z.object({ level: z.number(), msg: z.string(), steps: z.number().optional() });
type LogLine = z.infer<typeof logLine>;

/** From pino's error level on, a line says why the run stopped. */
const errorLevel = 50;

/** How a run stands by its `log.jsonl`; of a folder without one nothing is known. */
export async function readRunStatus(folder: string): Promise<RunStatus> {
  const lines = await logLines(folder);
  const last = lines.at(-1);
  const killed = isOpen(last) && !(await isLocked(folder));
  return {
    steps: lines.findLast(({ msg }) => msg === 'started')?.steps,
    ended: killed ? killedSentence(folder) : isEnd(last) ? last?.msg : undefined,
    killed,
  };
}

/**
 * What a run says that goes on from one that ended without a word; undefined where the log says how it ended.
 * The caller keeps the folder, so that no other process is at work in it.
 */
export async function endedInSilence(folder: string): Promise<string | undefined> {
  return isOpen((await logLines(folder)).at(-1)) ? killedSentence(folder) : undefined;
}

function killedSentence(folder: string): string {
  const step = readMetrics(folder).at(-1)?.step ?? 0;
  const where = step === 0 ? 'before its first step' : `after step ${step}`;
  return (
    `killed ${where}: its log says no reason, as where the system ends a program for the memory that it takes; ` +
    '--resume goes on from the last checkpoint; if memory ran out, begin another run with a smaller train.batchSize or data.cropSize'
  );
}

async function logLines(folder: string): Promise<LogLine[]> {
  const file = join(folder, 'log.jsonl');
  if (!existsSync(file)) return [];
  return [...linesOfFile(file)].flatMap(({ text = '' }) => {
    const parsed = logLine.safeParse(jsonOrUndefined(text));
    return parsed.success ? [parsed.data] : [];
  });
}

const isEnd = (last: LogLine | undefined): boolean =>
  last !== undefined && (last.msg === 'finished' || last.level >= errorLevel);

const isOpen = (last: LogLine | undefined): boolean => last !== undefined && !isEnd(last);
