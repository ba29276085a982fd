import { expect, it } from 'vitest';
import { DataError } from '../src/errors.js';

it('keeps an error on one line that does nothing to a terminal, and its facts as they are', () => {
  const name = 'a\r\n  b\u2028c\u001b[31md\u202ee\u0000f\u009bg';
  const error = new DataError(`scan ${name} is none`, { file: name });
  expect(error.message).toBe('scan a b c\\u001b[31md\\u202ee\\u0000f\\u009bg is none');
  expect(error.facts.file).toBe(name);
  expect(new DataError('Leber ä 肝 😀 stays').message).toBe('Leber ä 肝 😀 stays');
});
