import { describe, expect, it } from 'vitest';
import { byteAt, doubleAt, entryOf, floatAt, intAt, itemAt, uint32At } from '../src/at.js';
import { WorkError } from '../src/errors.js';

describe('reading by index', () => {
  it.each([
    ['floatAt', (i: number) => floatAt(Float32Array.of(4, 0), i)],
    ['doubleAt', (i: number) => doubleAt(Float64Array.of(4, 0), i)],
    ['byteAt', (i: number) => byteAt(Uint8Array.of(4, 0), i)],
    ['intAt', (i: number) => intAt(Int32Array.of(4, 0), i)],
    ['uint32At', (i: number) => uint32At(Uint32Array.of(4, 0), i)],
    ['itemAt', (i: number) => itemAt([4, 0], i)],
  ] as const)('%s gives the value, 0 too, and throws before and beyond', (_, at) => {
    expect([at(0), at(1)]).toEqual([4, 0]);
    for (const index of [-1, 2, 0.5, Number.NaN]) expect(() => at(index)).toThrow(WorkError);
    expect(() => at(2)).toThrow('index 2 lies beyond the 2 values');
  });

  it('entryOf reads maps and records, and names what there is', () => {
    expect(entryOf(new Map([['a', 0]]), 'a')).toBe(0);
    expect(entryOf({ a: '' }, 'a')).toBe('');
    expect(() => entryOf({ a: 1, b: 2 }, 'c')).toThrow('there is no "c" among a, b');
    expect(() => entryOf(new Map([['a', 1]]), 'c')).toThrow('there is no "c" among a');
  });
});
