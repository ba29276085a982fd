/**
 * Text as it may stand in Markdown, in a cell of a table too: nothing of it ends the cell or the line, begins an
 * element of HTML or a link. A letter of control, which a terminal may act on, becomes a blank.
 */
export const markdownText = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\\|<]/g, (letter) => `\\${letter}`)
    .replaceAll('](', ']\\(');
