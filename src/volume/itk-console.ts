/** Readers at work, and what the console was before the first of them. */
let running = 0;
let spoken: Pick<Console, 'log' | 'error' | 'warn'>;

/**
 * Runs a reader of ITK without what it prints when it fails: it writes to standard output, which belongs to
 * results, and the caller says the same in one sentence. Several may run at once.
 */
export async function quietly<T>(read: () => Promise<T>): Promise<T> {
  const silent = () => {};
  if (running++ === 0) {
    const { log, error, warn } = console;
    spoken = { log, error, warn };
    Object.assign(console, { log: silent, error: silent, warn: silent });
  }
  try {
    return await read();
  } finally {
    if (--running === 0) Object.assign(console, spoken);
  }
}
