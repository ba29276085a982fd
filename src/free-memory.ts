import { existsSync, readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { byteSize } from './byte-size.js';
import { DataError } from './errors.js';

/**
 * Bytes that this process may still take: what the machine has free, caches that it gives up among it, and what
 * this process has not taken of a container's limit and of that of "ulimit -v".
 */
export function freeMemory(): number {
  const limit = process.constrainedMemory();
  const ofLimit = limit > 0 ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(freemem(), ofLimit, addressSpaceLeft()));
}

/** Bytes; infinite where no limit is set or the system does not say. */
function addressSpaceLeft(): number {
  const [limits, status] = ['limits', 'status'].map((name) => {
    const file = `/proc/self/${name}`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  });
  const limit = /^Max address space +(\d+)/m.exec(limits ?? '')?.[1];
  const taken = /^VmSize:\s+(\d+) kB/m.exec(status ?? '')?.[1];
  if (limit === undefined || taken === undefined) return Number.POSITIVE_INFINITY;
  return Number(limit) - 1024 * Number(taken);
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
