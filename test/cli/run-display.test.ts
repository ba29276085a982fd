import { describe, expect, it } from 'vitest';
import { progressOf } from '../../src/cli/run-display.js';
import type { Terminal } from '../../src/cli/terminal.js';

describe('what a run shows', () => {
  it('leaves a validation out of the pace of its steps', () => {
    const seen: string[] = [];
    const terminal: Terminal = {
      line: (text) => seen.push(text),
      bar: () => ({
        update: (done, note) => seen.push(`${done} ${note}`),
        passOver: () => seen.push('passed over'),
        stop: () => seen.push('stopped'),
      }),
      close: () => {},
    };
    const run = progressOf(undefined, terminal, 'fine-tuning', 'runs/a');
    const step = { loss: 1.5, losses: {}, lr: 0.1, gradientNorm: 1, seconds: 2, waitSeconds: 0.1 };
    run.onStart?.({ steps: 3, firstStep: 0, cases: 1, parameters: 1e6, compileMs: 10 });
    run.onStep?.({ ...step, step: 1 }, 3);
    run.onValidation?.(1, { dice: 0.5 }, true);
    run.onStep?.({ ...step, step: 2, waitSeconds: 1 }, 3);
    expect(seen.slice(1)).toEqual([
      '1 loss 1.500',
      'passed over',
      'fine-tuning: validation after step 1: dice 0.5000 (best so far)',
      '2 loss 1.500, waited 1 s for data',
    ]);
  });
});
