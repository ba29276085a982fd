import { copyFileSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findDatasets } from '../../src/project/find-datasets.js';
import { planProject } from '../../src/project/index.js';
import { writeNifti } from '../../src/volume/index.js';
import { asLabel, temporaryFolder, volumeOf } from '../dataset/generated-data.js';
import { referenceFile } from '../volume/references.js';

const folder = temporaryFolder();

/** Places files of the references below `test/parity/volume` in a folder of scans. */
function placed(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [to, from] of Object.entries(files)) {
    mkdirSync(join(root, to, '..'), { recursive: true });
    cpSync(referenceFile(from), join(root, to), { recursive: true });
  }
  return root;
}

const scansOf = async (root: string) =>
  (await findDatasets({ folders: [root] })).flatMap((found) =>
    found.layout === 'files'
      ? found.scans.map(({ images, label }) =>
          [images, label].flat().map((path) => path?.slice(root.length + 1)),
        )
      : [],
  );

describe('scans in DICOM', () => {
  it('are found with an ending or without, and labels by what they hold, wherever they lie', async () => {
    const root = placed('patients', {
      'P 01/ct': 'dicom-labels/image-axial',
      'P 01/1.000000-Liver-9/1-1.dcm': 'dicom-labels/seg-axial.dcm',
      'P 02': 'dicom-labels/image-coronal',
      'P 03/a': 'dicom-kinds/without-ending',
      'P 04/b': 'dicom-kinds/uid-names',
    });
    copyFileSync(referenceFile('dicom-labels/contours-coronal.dcm'), join(root, 'P 02', 'RS.1.2.dcm'));
    expect(await scansOf(root)).toEqual([
      ['P 01/ct', 'P 01/1.000000-Liver-9'],
      ['P 02', 'P 02/RS.1.2.dcm'],
      ['P 03/a', undefined],
      ['P 04/b', undefined],
    ]);
    for (const other of ['P 03', 'P 04']) rmSync(join(root, other), { recursive: true });
    const { fingerprint } = await planProject({
      ...{ folders: [root], out: join(folder, 'out'), modality: 'ct', seed: 0 },
      ...{ memoryBytes: 2 ** 33, hours: 1, take: async () => ({ seconds: 0.01, peakBytes: 1 }) },
    });
    expect(fingerprint).toMatchObject({ scans: 2, labelled: 2, classes: { 1: { scans: 2 } } });
  });

  it('are refused beside a scan in another format, but not beside a label', async () => {
    const root = placed('both', { p: 'dicom-labels/image-axial' });
    const volume = volumeOf([8, 8, 8], (x) => x);
    await writeNifti(join(root, 'p', 'liver mask.nii.gz'), asLabel(volume));
    expect(await scansOf(root)).toEqual([['p', 'p/liver mask.nii.gz']]);
    await writeNifti(join(root, 'p', 'ct.nii.gz'), volume);
    await expect(scansOf(root)).rejects.toThrow(
      /both\/p holds slices in DICOM such as .*, and the scan ct\.nii\.gz/,
    );
  });
});
