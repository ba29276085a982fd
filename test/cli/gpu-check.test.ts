import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { askDriver, type GpuFacts, gpuCheck, parseGpus } from '../../src/cli/gpu-check.js';
import { temporaryFolder } from '../dataset/generated-data.js';

const [a100] = parseGpus('NVIDIA A100-SXM4-80GB, 550.54.15, 81920, 8.0\n');
const kepler = { ...a100!, name: 'Tesla K80', computeCapability: '3.7' };
const listed = [{ name: 'GPU:0', memoryBytes: 77 * 2 ** 30 }];
const facts: GpuFacts = {
  variant: 'cuda',
  listed: [],
  driver: { gpus: [a100!] },
  missing: [],
  visible: undefined,
};

describe('what doctor says of GPUs', () => {
  it('reads the lines of nvidia-smi', () => {
    expect(
      parseGpus('NVIDIA A100-SXM4-80GB, 550.54.15, 81920, 8.0\nTesla K80, 470.82.01, 11441, 3.7\n'),
    ).toEqual([
      {
        name: 'NVIDIA A100-SXM4-80GB',
        driver: '550.54.15',
        memoryBytes: 80 * 2 ** 30,
        computeCapability: '8.0',
      },
      { name: 'Tesla K80', driver: '470.82.01', memoryBytes: 11441 * 2 ** 20, computeCapability: '3.7' },
    ]);
    expect(parseGpus('\n')).toEqual([]);
  });

  it('one that TensorFlow sees, with its memory and driver', () => {
    expect(gpuCheck({ ...facts, listed })).toEqual({
      name: 'gpu',
      ok: true,
      message:
        'GPU:0 with 77.0 GiB to take; NVIDIA A100-SXM4-80GB, 80.0 GiB, driver 550.54.15, compute capability 8.0',
      remedy: null,
    });
  });

  it.each<[string, Partial<GpuFacts>, RegExp, RegExp]>([
    ['hidden', { visible: '-1' }, /CUDA_VISIBLE_DEVICES is "-1"/, /^unset it/],
    ['hidden', { visible: '' }, /CUDA_VISIBLE_DEVICES is ""/, /^unset it/],
    [
      'no driver',
      { driver: { silent: 'nvidia-smi is not there' } },
      /no driver answers \(nvidia-smi is not/,
      /^install/,
    ],
    ['no GPU', { driver: { gpus: [] } }, /the driver lists none/, /slot/],
    [
      'old driver',
      { driver: { gpus: [{ ...a100!, driver: '525.60.12' }] } },
      /525\.60\.12 is too old/,
      /525\.60\.13/,
    ],
    [
      'older driver',
      { driver: { gpus: [{ ...a100!, driver: '99.100' }] } },
      /99\.100 is too old/,
      /525\.60\.13/,
    ],
    [
      'old GPU',
      { driver: { gpus: [kepler] } },
      /Tesla K80, .* begin at compute capability 6\.0/,
      /newer GPU/,
    ],
    [
      'library',
      { missing: ['libcudnn.so.9'] },
      /libcudnn\.so\.9 cannot be loaded/,
      /setup --runtime cuda" again/,
    ],
    ['other reasons', {}, /the driver lists NVIDIA A100/, /TF_CPP_MIN_LOG_LEVEL=0/],
  ])('none for the CUDA build, which fails and says why: %s', (_, changed, message, remedy) => {
    const check = gpuCheck({ ...facts, ...changed });
    expect(check.ok).toBe(false);
    expect(check.message).toMatch(message);
    expect(check.remedy).toMatch(remedy);
    expect(check.remedy).toMatch(/or run "hybridmim setup --runtime cpu"$/);
  });

  it.each(['525.60.13', '525.60.13.1', '525.61', '526', '560.28.03'])('driver %s is new enough', (driver) => {
    const { message } = gpuCheck({ ...facts, driver: { gpus: [{ ...a100!, driver }] } });
    expect(message).not.toMatch(/too old/);
  });

  it('one of two that is new enough is enough', () => {
    expect(gpuCheck({ ...facts, driver: { gpus: [kepler, a100!] } }).message).not.toMatch(/begin at/);
    expect(
      gpuCheck({ ...facts, driver: { gpus: [{ ...a100!, computeCapability: '10.0' }] } }).message,
    ).not.toMatch(/begin at/);
  });

  it('none for the CPU build is right, and one that is there could be used', () => {
    const cpu = { ...facts, variant: 'cpu' } as const;
    expect(gpuCheck({ ...cpu, driver: { silent: 'nvidia-smi is not there' } })).toMatchObject({
      ok: true,
      remedy: null,
    });
    expect(gpuCheck(cpu)).toMatchObject({
      ok: true,
      message: expect.stringContaining('A100'),
      remedy: expect.stringContaining('setup --runtime cuda'),
    });
  });
});

describe('asking the driver', () => {
  const path = process.env.PATH;
  afterEach(() => {
    process.env.PATH = path;
  });

  const withProgram = (script: string) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'nvidia-smi'), 0o755);
    process.env.PATH = `${folder}:/usr/bin:/bin`;
  };

  it('gives what it answers, by the fields that were asked for', async () => {
    withProgram(
      'test "$1 $2" = "--query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader,nounits" && ' +
        'echo "NVIDIA A100-SXM4-80GB, 550.54.15, 81920, 8.0"',
    );
    expect(await askDriver()).toEqual({ gpus: [a100] });
  });

  it('says why it does not answer', async () => {
    process.env.PATH = temporaryFolder();
    expect(await askDriver()).toEqual({ silent: 'nvidia-smi is not there' });
    withProgram('echo "NVIDIA-SMI has failed because it could not communicate with the driver."; exit 9');
    expect(await askDriver()).toEqual({
      silent: 'nvidia-smi says: NVIDIA-SMI has failed because it could not communicate with the driver.',
    });
  });
});
