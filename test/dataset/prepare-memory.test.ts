import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { type Triple, writeNifti } from '../../src/volume/index.js';
import { affineOf, temporaryFolder } from './generated-data.js';

const folder = temporaryFolder();
const size: Triple = [256, 256, 600];
const spacing: Triple = [0.8, 0.8, 0.8];
const voxels = size[0] * size[1] * size[2];
/** 1 GiB for 512 x 512 x 1200 voxels, in proportion. */
const mostBytes = 2 ** 30 * (voxels / (512 * 512 * 1200));

/** Prepares one case in a process of its own. Returns the growth of its memory at its peak, in bytes. */
function peakGrowth(image: string, spacingMm: Triple | null): number {
  const moduleUrl = (name: string) => JSON.stringify(pathToFileURL(join('dist', 'dataset', name)).href);
  const source = {
    id: 'ct/case',
    dataset: 'ct',
    name: 'case',
    split: 'training',
    images: [image],
    label: join(folder, 'label.nii.gz'),
  };
  const code = `import { prepareCase } from ${moduleUrl('prepare/prepare-case.js')};
    import { preprocessingOf } from ${moduleUrl('index.js')};
    import { readFileSync } from 'node:fs';
    // the kernel's own peak of this process; resourceUsage may begin with that of the process it was forked from
    const peakKiB = () => Number(/VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const before = peakKiB();
    const preprocessing = preprocessingOf('ct', { spacing: ${JSON.stringify(spacingMm)} });
    await prepareCase({ out: ${JSON.stringify(join(folder, 'out'))}, source: ${JSON.stringify(source)}, preprocessing, classes: { 1: 'organ' } });
    console.log((peakKiB() - before) * 1024);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }));
}

const onLinux = process.platform === 'linux';

it.skipIf(!onLinux)(
  'takes memory for slabs, not for the volume: an eighth of 1 GiB for an eighth of 512 x 512 x 1200, compressed or not, resampled or not',
  async () => {
    const described = { size, spacing, affine: affineOf(spacing), channels: 1 };
    const image = {
      ...described,
      data: Int16Array.from({ length: voxels }, (_, i) => ((i >> 7) % 1900) - 950),
    };
    const label = {
      ...described,
      data: Uint8Array.from({ length: voxels }, (_, i) => ((i >> 12) % 5 === 0 ? 1 : 0)),
    };
    for (const name of ['image.nii', 'image.nii.gz']) await writeNifti(join(folder, name), image);
    await writeNifti(join(folder, 'label.nii.gz'), label);
    for (const [name, to] of [
      ['image.nii', [1.5, 1.5, 2]],
      ['image.nii.gz', [1.5, 1.5, 2]],
      ['image.nii.gz', null],
    ] as const) {
      const found = peakGrowth(join(folder, name), to);
      expect(found, `${name} to ${to}`).toBeLessThan(mostBytes);
    }
  },
  300_000, // a third of a gigabyte is written and read three times
);
