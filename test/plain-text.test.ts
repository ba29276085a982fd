import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkText } from '../src/cli/check-report.js';
import { openContext } from '../src/cli/context.js';
import { DataError } from '../src/errors.js';
import { plainLine, plainText } from '../src/plain-text.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const acts = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const hostile = 'liver\u001b]0;owned\u0007\r\n\u202etxt\u009b31m.nii.gz';
const texts = fc.string({
  unit: fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: 'binary', maxLength: 1 })),
});

describe('text for people', () => {
  it('does nothing to a terminal, and is as it was where it did nothing', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(acts.test(plainText(text))).toBe(false);
        expect(/[\n\u2028]/.test(plainLine(text))).toBe(false);
        expect(plainText(text).split('\n')).toHaveLength(text.split('\n').length);
        if (!acts.test(text) && !/[\u200e\u200f]/.test(text)) expect(plainText(text)).toBe(text);
      }),
    );
    expect(plainLine(hostile)).toBe('liver\\u001b]0;owned\\u0007 \\u202etxt\\u009b31m.nii.gz');
  });

  it('is so in errors, in results, and in the lines of a check', () => {
    expect(new DataError(`${hostile} is none`).message).toBe(`${plainLine(hostile)} is none`);
    const written: unknown[] = [];
    const { write } = process.stdout;
    process.stdout.write = (chunk: unknown) => written.push(chunk) > 0;
    try {
      openContext().result({ name: hostile }, hostile, false);
      openContext().result({ name: hostile }, hostile, true);
    } finally {
      process.stdout.write = write;
    }
    expect(written).toHaveLength(2);
    expect(acts.test(written.join(''))).toBe(false);
    expect(JSON.parse(String(written[1]))).toEqual({ name: hostile });
    const finding = {
      severity: 'odd',
      id: 'd/a',
      kind: 'duplicate',
      message: `image ${hostile} is twice`,
    } as const;
    const text = checkText({ datasets: [], findings: [finding], exitCode: 0 });
    expect(text.split('\n')).toEqual([
      `odd d/a [duplicate]: image ${plainLine(hostile)} is twice`,
      'every case can be prepared; nothing was changed',
    ]);
  });
});
