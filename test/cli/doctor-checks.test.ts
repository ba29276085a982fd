import { describe, expect, it } from 'vitest';
import { diskCheck, memoryCheck, nodeCheck, platformCheck } from '../../src/cli/doctor-checks.js';

const GIB = 2 ** 30;

describe('what doctor says of the machine', () => {
  it.each([
    ['18.20.0', false],
    ['20.18.3', false],
    ['20.19.0', true],
    ['22.1.0', true],
  ])('takes Node %s as it is: %s', (version, ok) => {
    expect(nodeCheck(version)).toMatchObject({
      ok,
      message: `Node ${version}`,
      remedy: ok ? null : expect.stringContaining('install'),
    });
  });

  it('says what is untested of a platform that is not Linux on x86-64, without failing it', () => {
    expect(platformCheck('linux', 'x64')).toMatchObject({ ok: true, remedy: null });
    expect(platformCheck('darwin', 'arm64')).toMatchObject({
      ok: true,
      message: expect.stringContaining('untested'),
    });
  });

  it('asks for disk below 5 GiB and for memory below 4 GiB', () => {
    expect(diskCheck(5.1 * GIB)).toMatchObject({
      ok: true,
      message: '5.1 GiB free in this folder',
      remedy: null,
    });
    expect(diskCheck(4.9 * GIB)).toMatchObject({
      ok: false,
      remedy: expect.stringContaining('free some space'),
    });
    expect(memoryCheck(4.1 * GIB, 16 * GIB)).toMatchObject({
      ok: true,
      message: '4.1 GiB free of 16.0 GiB',
      remedy: null,
    });
    expect(memoryCheck(3.9 * GIB, 16 * GIB)).toMatchObject({
      ok: false,
      remedy: expect.stringContaining('close other programs'),
    });
  });
});
