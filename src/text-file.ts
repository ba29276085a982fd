import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { byteSize } from './byte-size.js';
import { DataError, errorCode, type HybridMimError } from './errors.js';

/** Bytes of a file that people write: an index that lists 100,000 cases has some 20 MB. */
const mostWritten = 2 ** 26;

/**
 * Bytes of a record that this program writes: an index of 100,000 prepared cases has 300 MB. A text of JavaScript has 512 MiB
 * at most.
 */
const mostRecorded = 500 * 2 ** 20;

/** Bytes of a line of a log; longer ones are none of ours. */
const mostLine = 2 ** 20;

/**
 * The text of a file, as UTF-8.
 * @param unreadable the error for what the system refuses; absent: a DataError that says so
 * @param most bytes that such a file may have
 * @throws DataError where it has more, without reading on; what `unreadable` gives
 */
export async function readText(
  file: string,
  unreadable: (cause: unknown) => HybridMimError = cannotBeRead(file),
  most: number = mostWritten,
): Promise<string> {
  let content: Buffer | undefined;
  try {
    content = await contentUpTo(file, most);
  } catch (cause) {
    throw unreadable(cause);
  }
  if (content) return content.toString('utf8');
  throw new DataError(
    `${file} has more than ${byteSize(most)}, which no such file has: check that it is the one that is meant`,
    { file, expected: most },
  );
}

/** The bytes of a file; undefined where it has more than `most`. */
async function contentUpTo(file: string, most: number): Promise<Buffer | undefined> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > most) return undefined;
    const parts: Buffer[] = [];
    let bytes = 0;
    // Devices and pipes have a size of 0, whatever comes of them.
    for await (const part of handle.createReadStream({ end: most, autoClose: false })) {
      parts.push(part);
      bytes += part.length;
    }
    return bytes > most ? undefined : Buffer.concat(parts);
  } finally {
    await handle.close();
  }
}

/** As `readText`; undefined where there is no such file. */
export async function readTextIfAny(file: string, most?: number): Promise<string | undefined> {
  try {
    return await readText(file, undefined, most);
  } catch (error) {
    const code = error instanceof Error ? errorCode(error.cause) : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The text of a record that this program wrote. Throws as `readText` does. */
export const readRecordText = (file: string): Promise<string> => readText(file, undefined, mostRecorded);

/** As `readRecordText`; undefined where there is no such file. */
export const readRecordTextIfAny = (file: string): Promise<string | undefined> =>
  readTextIfAny(file, mostRecorded);

/** A line of a file, without its end; undefined where it is longer than any of ours. */
export interface FileLine {
  readonly text: string | undefined;
  /** Bytes of the file up to the beginning of the next line. */
  readonly end: number;
}

/**
 * The lines of a file that have an end, from a byte on, read piece by piece, so that none of a file of gigabytes stays in
 * memory.
 * @throws Error of the system where the file cannot be read
 */
export function* linesOfFile(file: string, from = 0): Generator<FileLine> {
  const descriptor = openSync(file, 'r');
  try {
    const piece = Buffer.alloc(2 ** 16);
    let line: Buffer[] = [];
    let length = 0;
    let at = from;
    for (;;) {
      const read = readSync(descriptor, piece, 0, piece.length, at);
      if (read === 0) return;
      const bytes = piece.subarray(0, read);
      let start = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
        length += end - start;
        line.push(bytes.subarray(start, end));
        const text = length > mostLine ? undefined : Buffer.concat(line).toString('utf8');
        yield { text, end: at + end + 1 };
        [line, length, start] = [[], 0, end + 1];
      }
      const rest = bytes.subarray(start);
      length += rest.length;
      if (length <= mostLine) line.push(Buffer.from(rest));
      at += read;
    }
  } finally {
    closeSync(descriptor);
  }
}

const cannotBeRead =
  (file: string) =>
  (cause: unknown): DataError =>
    new DataError(
      `${file} cannot be read (${errorCode(cause) ?? cause}): check that it is there, and its permissions`,
      { file },
      { cause },
    );
