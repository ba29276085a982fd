import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

describe('a process that loads the engine', () => {
  it('ends well without ever using it', () => {
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', "await import('./dist/engine/index.js')"],
      { encoding: 'utf8' },
    );
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  });
});
