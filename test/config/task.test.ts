import { expect, it } from 'vitest';
import { parseClasses } from '../../src/config/index.js';
import { UsageError } from '../../src/errors.js';

it('reads classes from a flag, with or without spaces', () => {
  expect(parseClasses('1=liver, 2 = liver tumour')).toEqual({ classes: { 1: 'liver', 2: 'liver tumour' } });
});

it.each([
  ['liver', /^--classes is "liver", but must be label values and names such as 1=liver,2=tumour$/],
  ['0=background', /must be label values and names/],
  [
    '1=liver,1=tumour',
    /^--classes is "1=liver,1=tumour", but has the value 1 twice: give each class one value and one name$/,
  ],
  [
    '1=liver,2=liver',
    /^--classes is "1=liver,2=liver", but has the name liver twice: give each class one value and one name$/,
  ],
])('refuses %s', (text, message) => {
  expect(() => parseClasses(text)).toThrow(UsageError);
  expect(() => parseClasses(text)).toThrow(message);
});
