import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsOf, fittedNotes, wrapped } from '../../src/cli/fit-width.js';

const notes = { note: 'patient_0001_baseline', rate: '2.1 s each', left: '3 min left' };

describe('what stands behind a bar', () => {
  it('is all of it where there is room; then less of the note, then no rate, then no note', () => {
    expect(fittedNotes(notes, 50)).toBe('patient_0001_baseline, 2.1 s each, 3 min left');
    expect(fittedNotes(notes, 45)).toBe('patient_0001_baseline, 2.1 s each, 3 min left');
    expect(fittedNotes(notes, 34)).toBe('patie…line, 2.1 s each, 3 min left');
    expect(fittedNotes(notes, 29)).toBe('patient_…baseline, 3 min left');
    expect(fittedNotes(notes, 15)).toBe('3 min left');
    expect(fittedNotes(notes, 5)).toBe('');
    expect(fittedNotes({ note: '', rate: '2 s each', left: '1 s left' }, 20)).toBe('2 s each, 1 s left');
  });

  it('is never wider than its room', () => {
    const texts = fc.record({
      note: fc.string({ maxLength: 60 }),
      rate: fc.string({ maxLength: 12 }),
      left: fc.string({ maxLength: 12 }),
    });
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 100 }), (given, room) => {
        expect(fittedNotes(given, room).length).toBeLessThanOrEqual(room);
      }),
    );
  });
});

describe('text above a bar', () => {
  it('is broken between words, and loses nothing', () => {
    expect(wrapped('one two three', 8)).toBe('one two\nthree');
    expect(wrapped('/a/very/long/path.nii.gz is', 10)).toBe('/a/very/lo\nng/path.ni\ni.gz is');
    expect(wrapped('abcdefgh i', 7)).toBe('abcdefg\nh i');
    expect(wrapped('abcdefg h', 7)).toBe('abcdefg\nh');
    expect(wrapped('a\nb', 10)).toBe('a\nb');
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 40 }), (text, columns) => {
        const lines = wrapped(text, columns);
        for (const line of lines.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
        expect(lines.replace(/[ \n]/g, '')).toBe(text.replace(/[ \n]/g, ''));
      }),
    );
  });

  it('has 80 columns where the terminal says none', () => {
    expect([columnsOf({}), columnsOf({ columns: 0 }), columnsOf({ columns: 120 })]).toEqual([80, 80, 120]);
  });
});
