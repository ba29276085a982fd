import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAnswer, requestHeaders } from '../../src/download/answer.js';
import { type KeptPart, nothingKept } from '../../src/download/partial-file.js';

const kept: KeptPart = { bytes: 100, etag: '"a"', lastModified: null, size: 300 };
const kindOf = (status: number, headers: Record<string, string>, before = kept) =>
  readAnswer(status, new Headers(headers), before).kind;

describe('an answer of a server', () => {
  it.each([
    ['the rest', 206, { 'content-range': 'bytes 100-299/300', etag: '"a"' }, kept, 'bytes'],
    ['the rest, of a size it does not say', 206, { 'content-range': 'bytes 100-299/*' }, kept, 'bytes'],
    ['another rest', 206, { 'content-range': 'bytes 99-299/300', etag: '"a"' }, kept, 'changed'],
    ['a rest of unknown place', 206, { etag: '"a"' }, kept, 'changed'],
    ['the rest of another file', 206, { 'content-range': 'bytes 100-299/300', etag: '"b"' }, kept, 'changed'],
    ['the rest of a larger file', 206, { 'content-range': 'bytes 100-300/301' }, kept, 'changed'],
    ['a part that nobody asked for', 206, { 'content-range': 'bytes 5-9/300' }, nothingKept, 'refused'],
    ['a whole file', 200, { 'content-length': '300' }, kept, 'bytes'],
    ['a file in an encoding', 200, { 'content-encoding': 'gzip' }, nothingKept, 'refused'],
    ['that nothing is left', 416, { 'content-range': 'bytes */100' }, { ...kept, size: null }, 'complete'],
    [
      'that nothing is left of less',
      416,
      { 'content-range': 'bytes */99' },
      { ...kept, size: null },
      'changed',
    ],
    ['that nothing is left of no size', 416, {}, { ...kept, size: null }, 'changed'],
    ['416 to no range', 416, {}, nothingKept, 'refused'],
    ['too many requests', 429, {}, kept, 'busy'],
    ['a gateway without its server', 502, {}, kept, 'busy'],
    ['not found', 404, {}, kept, 'refused'],
    ['not allowed', 403, {}, kept, 'refused'],
    ['nothing new', 304, {}, kept, 'refused'],
  ])('with %s, status %i, is understood', (_, status, headers, before, kind) => {
    expect(kindOf(status, headers, before)).toBe(kind);
  });

  it('is gone on from only where place, size, ETag and date are those of what is kept', () => {
    const text = fc.constantFrom('x', 'y', null);
    const number = fc.integer({ min: 1, max: 3 });
    fc.assert(
      fc.property(text, text, text, text, number, number, number, number, (...drawn) => {
        const [etag, etagBefore, date, dateBefore, from, bytes, size, sizeBefore] = drawn;
        const headers = {
          'content-range': `bytes ${from}-${size}/${size}`,
          ...(etag !== null && { etag }),
          ...(date !== null && { 'last-modified': date }),
        };
        const before = { bytes, etag: etagBefore, lastModified: dateBefore, size: sizeBefore };
        const differ = (a: string | null, b: string | null) => a !== null && b !== null && a !== b;
        const other =
          from !== bytes || size !== sizeBefore || differ(etag, etagBefore) || differ(date, dateBefore);
        expect(kindOf(206, headers, before)).toBe(other ? 'changed' : 'bytes');
      }),
    );
  });
});

describe('the headers of a request', () => {
  it.each([
    [nothingKept, {}],
    [kept, { range: 'bytes=100-', 'if-range': '"a"' }],
    [{ ...kept, etag: 'W/"a"' }, { range: 'bytes=100-' }],
    [
      { ...kept, etag: 'W/"a"', lastModified: 'Sun' },
      { range: 'bytes=100-', 'if-range': 'Sun' },
    ],
  ])('of %o ask for what is missing, on a condition that is strong enough', (before, expected) => {
    expect(requestHeaders(before)).toEqual({ 'accept-encoding': 'identity', ...expected });
  });
});
