import { readFileSync, writeFileSync } from 'node:fs';

/** Sets the peak of the resident size back to what is resident now, where the system can (Linux). */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // elsewhere there is no peak to read either
  }
}

/**
 * Bytes of the largest resident size of this process so far, or since `resetPeak`; null where the system does not say. `resourceUsage` would
 * begin with the peak of the process that started this one.
 */
export function residentPeak(): number | null {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}
