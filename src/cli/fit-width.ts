/** Columns where the terminal does not say. */
const usual = 80;

/** The least of a note that is worth its place. */
const shortestNote = 6;

/** Columns of a stream. */
export const columnsOf = ({ columns }: { readonly columns?: number }): number =>
  columns !== undefined && columns > 0 ? columns : usual;

/** What stands behind a bar. */
export interface BarNotes {
  /** Beside the count, such as a scan's name or the loss. */
  readonly note: string;
  /** "2.1 s each" */
  readonly rate: string;
  /** "3 min left" */
  readonly left: string;
}

/**
 * The text behind a bar, in the room that there is: the note is shortened first, then the rate is left out, then
 * the note, so that the time left stays.
 * @param room columns
 */
export function fittedNotes({ note, rate, left }: BarNotes, room: number): string {
  const joined = (parts: readonly string[]) => parts.filter(Boolean).join(', ');
  for (const pace of [joined([rate, left]), left]) {
    const whole = joined([note, pace]);
    if (whole.length <= room) return whole;
    const forNote = room - pace.length - (pace === '' ? 0 : 2);
    if (forNote >= shortestNote) return joined([shortened(note, forNote), pace]);
  }
  return left.length <= room ? left : '';
}

/** A text with its middle left out: names of files differ at both ends. */
function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = most - 1;
  const end = Math.floor(kept / 2);
  return `${text.slice(0, kept - end)}…${text.slice(text.length - end)}`;
}

/**
 * A text on lines of at most so many columns, broken between words; a longer word is broken where the line ends.
 * For where a terminal does not break lines itself, as while a bar is drawn.
 */
export function wrapped(text: string, columns: number): string {
  return text
    .split('\n')
    .flatMap((line) => linesOf(line, columns))
    .join('\n');
}

function linesOf(line: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const space = rest.lastIndexOf(' ', columns);
    const at = space > 0 ? space : columns;
    lines.push(rest.slice(0, at));
    rest = rest.slice(space > 0 ? at + 1 : at);
  }
  return [...lines, rest];
}
