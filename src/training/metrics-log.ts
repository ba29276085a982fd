import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type EventWriter, type GreyPicture, openEventWriter } from '../engine/index.js';
import { jsonOrUndefined } from '../json.js';
import { type FileLine, linesOfFile } from '../text-file.js';
import { appendWhole, cutFile, syncFileNow } from '../whole-file.js';

const number = z.number().nullable();
const stepLine = z.object({
  step: z.int(),
  loss: z.number(),
  losses: z.record(z.string(), z.number()),
  lr: z.number(),
  gradientNorm: z.number(),
  seconds: z.number(),
  waitSeconds: z.number(),
});
const validationLine = z.object({ step: z.int(), validation: z.record(z.string(), number) });

/**
 * One line of `metrics.jsonl`: a step with what it cost, or a validation. `step` counts finished updates,
 * from 1.
 */
export type StepLine = z.infer<typeof stepLine>;
export type ValidationLine = z.infer<typeof validationLine>;
export type MetricsLine = StepLine | ValidationLine;

export interface MetricsLog {
  append(line: MetricsLine): void;
  /** For TensorBoard alone; a run that goes on from a checkpoint begins with none. */
  picture(name: string, picture: GreyPicture, step: number): void;
  /** All lines so far. */
  lines(): MetricsLine[];
  /** Brings what was appended to the disk. */
  flush(): void;
}

const logName = 'metrics.jsonl';

/** Lines of a run folder's `metrics.jsonl`; a last line that was cut off is left out. */
export function readMetrics(folder: string): MetricsLine[] {
  const file = join(folder, logName);
  if (!existsSync(file)) return [];
  return [...linesOfFile(file)].flatMap(parsedLine);
}

function parsedLine({ text = '' }: FileLine): MetricsLine[] {
  const parsed = z.union([stepLine, validationLine]).safeParse(jsonOrUndefined(text));
  return parsed.success ? [parsed.data] : [];
}

/**
 * A look at a run's metrics that each time reads only what was written since the last one, and returns all
 * lines so far. A log that was cut, as resuming does, or written anew is read anew.
 */
export function followMetrics(folder: string): () => readonly MetricsLine[] {
  const file = join(folder, logName);
  let [inode, offset, lines]: [number, number, MetricsLine[]] = [0, 0, []];
  let end: Buffer = Buffer.alloc(0); // of what was read: other bytes there mean that the log was cut and went on
  return () => {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats) return lines;
    const isCut = () => !bytesFrom(file, offset - end.length, end.length).equals(end);
    if (stats.ino !== inode || stats.size < offset || isCut()) {
      [inode, offset, lines] = [stats.ino, 0, []];
      end = Buffer.alloc(0);
    }
    const before = offset;
    // A line that is being written comes with the next look.
    for (const line of linesOfFile(file, before)) {
      lines.push(...parsedLine(line));
      offset = line.end;
    }
    if (offset > before) end = bytesFrom(file, Math.max(0, offset - seenAgain), Math.min(offset, seenAgain));
    return lines;
  };
}

/** Bytes of the end that are compared: a line, which holds how long its step took. */
const seenAgain = 256;

function bytesFrom(file: string, start: number, length: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, start));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens the log to go on after `lastStep`: later lines, which a killed run wrote after its last checkpoint, are
 * cut off where they stand, which takes no room on the disk. The TensorBoard events are written anew from what
 * stays, so that both tell one story: they are a copy, and hold nothing that the log lacks but pictures.
 * @throws WorkError where the log cannot be cut or added to
 */
export async function openMetricsLog(folder: string, lastStep: number): Promise<MetricsLog> {
  const file = join(folder, logName);
  const lines = keptLines(file, lastStep);
  const stale = (await readdir(folder)).filter((name) => name.includes('tfevents'));
  await Promise.all(stale.map((name) => rm(join(folder, name))));
  const events = openEventWriter(folder);
  for (const line of lines) writeEvents(events, line);
  return {
    append: (line) => {
      lines.push(line);
      appendWhole(file, `${JSON.stringify(line)}\n`);
      writeEvents(events, line);
    },
    picture: (name, picture, step) => events.picture(name, picture, step),
    lines: () => lines,
    flush: () => {
      if (existsSync(file)) syncFileNow(file);
      events.flush();
    },
  };
}

/** Cuts a log where its lines are of later steps or torn, and gives those that stay. */
function keptLines(file: string, lastStep: number): MetricsLine[] {
  if (!existsSync(file)) return [];
  const lines: MetricsLine[] = [];
  let kept = 0;
  for (const line of linesOfFile(file)) {
    const found = parsedLine(line);
    if (found.some(({ step }) => step > lastStep)) break;
    lines.push(...found);
    kept = line.end;
  }
  if (kept < statSync(file).size) cutFile(file, kept);
  return lines;
}

function writeEvents(events: EventWriter, line: MetricsLine): void {
  const { step } = line;
  if ('validation' in line) {
    for (const [name, value] of Object.entries(line.validation))
      if (value !== null) events.scalar(`validation/${name}`, value, step);
    return;
  }
  events.scalar('loss/total', line.loss, step);
  for (const [name, value] of Object.entries(line.losses)) events.scalar(`loss/${name}`, value, step);
  events.scalar('learning rate', line.lr, step);
  events.scalar('gradient norm', line.gradientNorm, step);
  events.scalar('seconds/step', line.seconds, step);
  events.scalar('seconds/waiting for data', line.waitSeconds, step);
}
