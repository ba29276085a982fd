/** Lists and objects within each other. What this program reads has 10 at most. */
const deepest = 100;

/**
 * The value of JSON text.
 * @throws Error where it is no JSON; where it is nested so deep that what walks through it, as schemas do, would have no
 *   stack left; or where a key is `__proto__`: schemas pass over it, so that what stands there would be lost without a word
 */
export function parsedJson(text: string): unknown {
  if (isDeeper(text, deepest))
    throw new Error(`lists and objects lie within each other more than ${deepest} deep`);
  // To look at each key takes time, and text with neither letters nor an escape of this name has none.
  if (!/proto|\\u00/i.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, value) => {
    if (key === '__proto__') throw new Error('a key is named "__proto__", which nothing may be named');
    return value;
  });
}

/** As `parsedJson`; undefined where that throws, which the schema that it then goes through refuses. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return parsedJson(text);
  } catch {
    return undefined;
  }
}

/** Whether brackets outside of strings are open more than `most` at a time. */
function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    if (letter === quote) inString = !inString;
    else if (inString && letter === backslash)
      at++; // what it escapes
    else if (!inString && opens.has(letter)) depth++;
    else if (!inString && closes.has(letter)) depth--;
    if (depth > most) return true;
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;
const opens = new Set([0x5b, 0x7b]); // [ and {
const closes = new Set([0x5d, 0x7d]);
