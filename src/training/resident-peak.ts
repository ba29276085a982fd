import { readFileSync } from 'node:fs';

/**
 * Bytes of the largest resident size of this process so far; null where the system does not say.
 * `resourceUsage` would begin with the peak of the process that started this one.
 */
export function residentPeak(): number | null {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}
