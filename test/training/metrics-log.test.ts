import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMetricsLog, readMetrics, type StepLine } from '../../src/training/metrics-log.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metrics-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (step: number): StepLine => ({
  step,
  loss: 1 / step,
  losses: { dice: 0.5 / step },
  lr: 1e-4,
  gradientNorm: 2,
  seconds: 0.5,
  waitSeconds: 0,
});
const validation = (step: number) => ({ step, validation: { dice: 0.5, 'dice spleen': null } });
const events = () => readdirSync(folder).filter((name) => name.includes('tfevents'));

/** The steps of a TensorBoard file: length (8 bytes), its checksum (4), the event, its checksum (4); field 2 of an event is its step. */
function eventSteps(): number[] {
  const bytes = readFileSync(join(folder, events()[0]!));
  const steps: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const event = bytes.subarray(at + 12, at + 12 + length);
    const field = event.indexOf(0x10, 9); // after the 9 bytes of the wall time
    if (field === 9) steps.push(event[10]!); // steps below 128 are one byte
    at += 16 + length;
  }
  return steps;
}

describe('the metrics of a run', () => {
  it('are one line a step and a validation, as they were given', async () => {
    const log = await openMetricsLog(folder, 0);
    for (const entry of [line(1), line(2), validation(2), line(3)]) log.append(entry);
    log.flush();
    expect(readMetrics(folder)).toEqual([line(1), line(2), validation(2), line(3)]);
    expect(log.lines()).toEqual(readMetrics(folder));
    expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8').split('\n')).toHaveLength(5);
    expect(events()).toHaveLength(1);
  });

  it('drop what a killed run wrote after its last checkpoint, and go on from there', async () => {
    const first = await openMetricsLog(folder, 0);
    for (const entry of [line(1), line(2), validation(2), line(3), line(4), validation(4)])
      first.append(entry);
    first.flush();
    const second = await openMetricsLog(folder, 2);
    expect(second.lines()).toEqual([line(1), line(2), validation(2)]);
    expect(readMetrics(folder)).toEqual([line(1), line(2), validation(2)]);
    second.append({ ...line(3), loss: 7 });
    second.flush();
    expect(readMetrics(folder).at(-1)).toEqual({ ...line(3), loss: 7 });
    expect(events()).toHaveLength(1);
    expect([...new Set(eventSteps())]).toEqual([1, 2, 3]); // TensorBoard tells the same story
  });

  it('are read without a last line that was cut off, and begin anew after it', async () => {
    const log = await openMetricsLog(folder, 0);
    log.append(line(1));
    appendFileSync(join(folder, 'metrics.jsonl'), JSON.stringify(line(2)).slice(0, 30));
    expect(readMetrics(folder)).toEqual([line(1)]);
    const next = await openMetricsLog(folder, 5);
    next.append(line(2));
    expect(readMetrics(folder)).toEqual([line(1), line(2)]);
  });

  it('are none before a run, and foreign lines are no metrics', () => {
    expect(readMetrics(folder)).toEqual([]);
    writeFileSync(join(folder, 'metrics.jsonl'), `{"step": 1}\n\nnull\n${JSON.stringify(line(2))}\n`);
    expect(readMetrics(folder)).toEqual([line(2)]);
  });
});
