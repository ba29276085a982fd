import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { countingBar, openTerminal } from '../../src/cli/terminal.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (seconds: number) => vi.advanceTimersByTime(1000 * seconds);

/** A terminal that keeps its lines. */
function plain() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk).trimEnd());
      done();
    },
  });
  return { lines, terminal: openTerminal(stream as NodeJS.WriteStream) };
}

describe('a progress bar', () => {
  it('says nothing of the time after the first step, which is slow, and counts it never', () => {
    const { lines, terminal } = plain();
    const bar = terminal.bar('pre-training', 101);
    pass(40);
    bar.update(1, 'loss 3');
    pass(20);
    bar.update(11, 'loss 2');
    expect(lines).toEqual([
      'pre-training 1/101 loss 3',
      'pre-training 11/101 loss 2, 2.0 s each, 3 min left',
    ]);
  });

  it('says how fast it was where all comes at once', () => {
    const { lines, terminal } = plain();
    const bar = terminal.bar('download', 2048, 0, (bytes) => `${bytes} bytes`);
    pass(4);
    bar.update(2048);
    expect(lines).toEqual(['download 2048 bytes of 2048 bytes 512 bytes a second, 0 s left']);
  });

  it('takes the pace of the last steps, after a resumption, too', () => {
    const { lines, terminal } = plain();
    const bar = terminal.bar('pre-training', 1000, 500);
    for (let step = 501; step <= 530; step++) {
      pass(step < 510 ? 60 : 10);
      bar.update(step);
    }
    expect(lines.at(-1)).toBe('pre-training 530/1000 10.0 s each, 78 min left');
  });

  it('leaves a validation out of its pace, and counts those to come', () => {
    const { lines, terminal } = plain();
    const bar = terminal.bar('fine-tuning', 40);
    for (let step = 1; step <= 20; step++) {
      pass(10);
      bar.update(step);
      if (step !== 10) continue;
      pass(600);
      bar.passOver();
      pass(5);
    }
    // 20 steps of 10 s, and another validation of 10 minutes.
    expect(lines.at(-1)).toBe('fine-tuning 20/40 10.3 s each, 13 min left');
    expect(lines.at(10)).toBe('fine-tuning 11/40 10.5 s each, 31 min left');
  });

  it('prints names that would act on the terminal as text, and on one line', () => {
    const { lines, terminal } = plain();
    terminal.line('skipped a\u001b]0;owned\u0007');
    terminal.bar('predict', 2).update(2, 'b\u001b[31m\nc');
    expect(lines[0]).toBe('skipped a\\u001b]0;owned\\u0007');
    expect(lines[1]).toMatch(/^predict 2\/2 b\\u001b\[31m c,/);
  });

  it('moves within a scan, by its windows', () => {
    const { lines, terminal } = plain();
    const count = countingBar(terminal, 'predict');
    for (const window of [1, 2, 3]) {
      pass(20);
      count(window / 4, 2, `liver_1, window ${window} of 3`);
    }
    expect(lines).toEqual([
      'predict 0/2 liver_1, window 1 of 3',
      'predict 0/2 liver_1, window 2 of 3, 80.0 s each, 2 min left',
      'predict 0/2 liver_1, window 3 of 3, 80.0 s each, 2 min left',
    ]);
  });
});
