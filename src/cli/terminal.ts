import { MultiBar, Presets } from 'cli-progress';
import { itemAt } from '../at.js';
import { plainLine, plainText } from '../plain-text.js';
import { type BarNotes, columnsOf, fittedNotes, wrapped } from './fit-width.js';

/**
 * Standard error for people: lines and one progress bar, or plain lines where it is no terminal. Results go
 * to standard output.
 */
export interface Terminal {
  line(text: string): void;
  /**
   * Begins a bar; another one that is still there ends. `write` is how its counts are written, such as "1.4
   * GiB".
   */
  bar(title: string, total: number, done?: number, write?: (count: number) => string): Bar;
  /** Takes the bar away; call it before the process ends. */
  close(): void;
}

export interface Bar {
  /** `note` stands beside the count, such as the loss. A part of a count fills a part of the bar. */
  update(done: number, note?: string): void;
  /**
   * Says that the time since the last update went to something that comes now and then, such as a validation: the rate
   * leaves it out, and the time left counts it as often as it came so far.
   */
  passOver(): void;
  stop(): void;
}

/** Seconds between plain lines. */
const PLAIN_INTERVAL = 10;

/** Updates that the rate and the time left are taken over. */
const RECENT = 20;

/** A terminal over a stream: with bars where the stream is a terminal, else plain lines. */
export function openTerminal(stream: NodeJS.WriteStream): Terminal {
  return stream.isTTY ? drawingTerminal(stream) : plainTerminal(stream);
}

/** A bar that begins with the first count, whose total nobody knows before, and ends with the last. */
export function countingBar(
  terminal: Terminal,
  title: string,
): (done: number, total: number, note: string) => void {
  let bar: Bar | undefined;
  return (done, total, note) => {
    bar ??= terminal.bar(title, total, done);
    bar.update(done, note);
    if (done === total) bar.stop();
  };
}

function drawingTerminal(stream: NodeJS.WriteStream): Terminal {
  let bars: MultiBar | undefined;
  const close = () => {
    bars?.stop();
    bars = undefined;
  };
  return {
    line: (given) => {
      const text = plainText(given);
      // The drawn bar switches the terminal's own breaking of lines off.
      if (bars) bars.log(`${wrapped(text, columnsOf(stream))}\n`);
      else stream.write(`${text}\n`);
    },
    bar: (title, total, done = 0, write) => {
      close();
      const columns = columnsOf(stream);
      const barsize = columns < 100 ? 12 : 24;
      const format = '{title} {bar} {counts} {notes}';
      bars = new MultiBar(
        { stream, format, hideCursor: true, barsize, autopadding: false },
        Presets.shades_classic,
      );
      const counts = countsOf(total, write);
      const bar = bars.create(total, done, { title, counts: counts(done), notes: '' });
      const pace = paceOf(total, done, write);
      return {
        update: (now, given = '') => {
          const note = plainLine(given);
          const shown = counts(now);
          // One column stays free, so that no terminal breaks the line.
          const room = columnsOf(stream) - title.length - barsize - shown.length - 4;
          bar.update(now, { counts: shown, notes: fittedNotes({ note, ...pace.after(now) }, room) });
        },
        passOver: pace.passOver,
        stop: close,
      };
    },
    close,
  };
}

function plainTerminal(stream: NodeJS.WriteStream): Terminal {
  const line = (text: string) => stream.write(`${plainText(text)}\n`);
  return {
    line,
    bar: (title, total, from = 0, write) => {
      const counts = countsOf(total, write);
      const pace = paceOf(total, from, write);
      let shown = Number.NEGATIVE_INFINITY;
      return {
        update: (done, note = '') => {
          const speed = pace.after(done);
          const now = performance.now() / 1000;
          if (done < total && now - shown < PLAIN_INTERVAL) return;
          shown = now;
          const { rate, left } = speed;
          line(`${title} ${counts(done)} ${[plainLine(note), rate, left].filter(Boolean).join(', ')}`);
        },
        passOver: pace.passOver,
        stop: () => {},
      };
    },
    close: () => {},
  };
}

/** From each count to "3/12", or to "1.1 GiB of 2.0 GiB" where a way to write is given. */
function countsOf(total: number, write: ((count: number) => string) | undefined): (done: number) => string {
  return (done) => (write ? `${write(done)} of ${write(total)}` : `${Math.floor(done)}/${total}`);
}

interface Pace {
  /** What is said after a count. */
  after(done: number): Pick<BarNotes, 'rate' | 'left'>;
  passOver(): void;
}

/**
 * From each count to "2.1 s each" and "3 min left", over the last updates. What comes before the first counts only where
 * that is the last as well: it also makes graphs ready, starts threads or opens files, and would make the first estimate
 * many times too long.
 */
function paceOf(total: number, from: number, write: ((count: number) => string) | undefined): Pace {
  const begun = { done: from, at: performance.now() };
  let passedOver = 0; // milliseconds
  let recent: readonly { readonly done: number; readonly at: number }[] = [];
  return {
    after: (done) => {
      const last = { done, at: performance.now() };
      recent = [...recent, last].slice(-RECENT);
      const first = recent.length === 1 && done === total ? begun : itemAt(recent, 0);
      if (last.done === first.done) return { rate: '', left: '' };
      const seconds = (last.at - first.at) / 1000 / (last.done - first.done);
      const each = seconds >= 1 ? `${seconds.toFixed(1)} s each` : `${(1 / seconds).toFixed(1)} a second`;
      const rate = write ? `${write(1 / seconds)} a second` : each;
      const rests = passedOver / 1000 / (done - from);
      return { rate, left: `${duration((seconds + rests) * (total - done))} left` };
    },
    passOver: () => {
      const last = recent.at(-1);
      if (!last) return;
      const took = performance.now() - last.at;
      passedOver += took;
      recent = recent.map(({ done, at }) => ({ done, at: at + took }));
    },
  };
}

/** "45 s", "12 min", "3 h 20 min". */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
