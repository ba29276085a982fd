/**
 * The value of JSON text.
 * @throws Error where it is no JSON, or has a key `__proto__`: schemas pass over it, so that what stands there would be
 *   lost without a word
 */
export function parsedJson(text: string): unknown {
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
