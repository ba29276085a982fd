import { describe, expect, it } from 'vitest';
import { openContext } from '../../src/cli/context.js';
import { showDryRun } from '../../src/cli/dry-run-text.js';
import { UsageError } from '../../src/errors.js';

const dry = {
  cases: 3,
  steps: 10,
  stepSeconds: 2,
  seconds: 20,
  peakBytes: 2 ** 30,
  freeBytes: 2 ** 33,
  diskBytes: 2 ** 20,
  refused: null,
};

describe('a dry run', () => {
  it('prints what was measured, and then refuses in a sentence what does not fit', () => {
    const printed: string[] = [];
    const context = { ...openContext(), result: (_: object, text: string) => printed.push(text) };
    showDryRun(dry, false, context);
    const why = 'its step needs 9 GiB, but 8 GiB are free';
    const refused = () => showDryRun({ ...dry, peakBytes: null, refused: why }, false, context);
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(`the run would be refused: ${why}`);
    expect(printed[0]).toMatch(/^cases {4}3\nsteps {4}10, 2\.00 s each\n[\s\S]*nothing was written$/);
    expect(printed[1]).toMatch(/memory {3}- of 8\.00 GiB free/);
  });
});
