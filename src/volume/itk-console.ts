/**
 * Runs a reader of ITK without what it prints when it fails: it writes to standard output, which belongs to results, and the caller says
 * the same in one sentence.
 */
export async function quietly<T>(read: () => Promise<T>): Promise<T> {
  const { log, error, warn } = console;
  const silent = () => {};
  Object.assign(console, { log: silent, error: silent, warn: silent });
  try {
    return await read();
  } finally {
    Object.assign(console, { log, error, warn });
  }
}
