import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

describe.skipIf(process.platform !== 'linux')('the memory that a process may still take', () => {
  it.each([3_000_000, 4_000_000])('is what it has not taken of "ulimit -v %i"', (kib) => {
    const script = `import { freeMemory } from './dist/free-memory.js';
      import { readFileSync } from 'node:fs';
      const free = freeMemory();
      const taken = /^VmSize:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
      console.log(free / 1024, taken)`;
    const command = `ulimit -v ${kib}; exec ${process.execPath} --input-type=module -e "$0"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', command, script], { encoding: 'utf8' });
    const [free = 0, taken = 0] = stdout.split(' ').map(Number);
    expect(taken, stderr).toBeGreaterThan(100_000);
    expect(free).toBeGreaterThan(0);
    expect(Math.abs(free + taken - kib)).toBeLessThan(0.05 * kib);
  });
});
