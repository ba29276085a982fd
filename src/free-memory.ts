import { freemem } from 'node:os';
import { byteSize } from './byte-size.js';
import { DataError } from './errors.js';

/**
 * Bytes that this process may still take: what the machine has free, caches that it gives up among it, and of
 * a container's limit what this process has not taken.
 */
export function freeMemory(): number {
  const limit = process.constrainedMemory();
  const ofLimit = limit > 0 ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(freemem(), ofLimit));
}

/**
 * Refuses a file that takes more memory than is free, before any of it is taken: the system would end the
 * whole program, and the other files with it.
 * @param bytes at the peak
 * @param what is done with the file, as in "reading it whole"
 * @throws DataError
 */
export function requireMemory(bytes: number, file: string, what: string, free = freeMemory()): void {
  if (bytes <= free) return;
  throw new DataError(
    `${file}: ${what} takes ${byteSize(bytes)} of memory, but ${byteSize(free)} is free: ` +
      'check its size and spacing, or use a machine with more memory',
    { file, found: bytes, expected: free },
  );
}
