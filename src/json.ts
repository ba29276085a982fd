/**
 * The value of JSON text; undefined when it is not JSON, which the schema that it then goes through refuses.
 */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
