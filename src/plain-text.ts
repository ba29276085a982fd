/**
 * Text that does nothing to a terminal, whatever names and values of others stand in it: letters of control but ends of
 * lines, and ones that turn the direction of text, become their codes.
 */
export function plainText(text: string): string {
  return text.replace(
    /(?!\n)[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As `plainText`, on one line: breaks become blanks. */
export const plainLine = (text: string): string => plainText(text.replace(/\s*[\n\r\u2028\u2029]+\s*/g, ' '));
