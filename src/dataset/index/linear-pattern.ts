import { RE2JS, RE2JSException } from 're2js';

/** Finds the first place in a text that fits: all of it and then what each of its brackets found; undefined: none. */
export type LinearPattern = (text: string) => readonly (string | undefined)[] | undefined;

/**
 * A regular expression that others wrote, searched in time that grows with the text alone, whatever it says (RE2). With
 * JavaScript's own a pattern such as `(a+)+$` takes years for a name of 60 letters.
 * @returns the pattern, or in words what no such search can have, such as a lookahead
 */
export function linearPattern(source: string): LinearPattern | { readonly problem: string } {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return { problem: error.message.replace(/^error parsing regexp: /, '') };
  }
  const brackets = compiled.groupCount();
  return (text) => {
    const matcher = compiled.matcher(text);
    if (!matcher.find()) return undefined;
    return Array.from({ length: brackets + 1 }, (_, i) => matcher.group(i) ?? undefined);
  };
}
