import { dirname } from 'node:path';
import type { ListedCase } from '../listed-case.js';
import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * `BraTS20_Training_001_flair.nii.gz` up to 2021,
 * `BraTS-GLI-00000-000-t2f.nii.gz` since 2023; in a folder with the case's name.
 */
const channel = (name: string, old: string, recent: string) => ({
  name,
  caseOf: caseNamed(new RegExp(`/(?<case>[^/]+)(?:_${old}|-${recent})\\.nii(?:\\.gz)?$`)),
});

/**
 * BraTS, glioma: a folder a case with four modalities, here the channels FLAIR, T1, T1
 * with contrast and T2. Training cases have a segmentation, validation cases do not.
 * One case of 2020 has its segmentation under the name `W39_1998.09.19_Segm.nii`.
 */
export const brats: Release = {
  modality: 'mr',
  patterns: {
    channels: [
      channel('FLAIR', 'flair', 't2f'),
      channel('T1', 't1', 't1n'),
      channel('T1 with contrast', 't1ce', 't1c'),
      channel('T2', 't2', 't2w'),
    ],
    labelOf: caseNamed(/\/(?<case>[^/]+)(?:[_-]seg|\/W39_1998\.09\.19_Segm)\.nii(?:\.gz)?$/),
    partOf: (image) => dirname(dirname(image)),
  },
  // Since 2023 the last number is the time point: `BraTS-GLI-00005-001`. Before, every case is a patient.
  patientOf: (name) => /^(?<patient>BraTS-[A-Za-z0-9]+-\d+)-\d+$/i.exec(name)?.groups?.patient,
  scheme: (cases) => ({
    classes: { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' },
    labelMap: labelMapOf(cases),
  }),
  preset: { spacing: [1, 1, 1] },
  expected:
    'BraTS20_Training_001/BraTS20_Training_001_{flair,t1,t1ce,t2,seg}.nii.gz, ' +
    'or BraTS-GLI-00000-000/BraTS-GLI-00000-000-{t2f,t1n,t1c,t2w,seg}.nii.gz',
};

/**
 * Releases since 2023 write the enhancing tumour as 3, not 4. In the post-treatment
 * releases (2024) 4 is the resection cavity, which must not pass for enhancing
 * tumour: it becomes 5, which is refused unless the index names such a class.
 */
function labelMapOf(cases: readonly ListedCase[]): Record<string, number> {
  const recent = cases.some(({ images }) => images.some((image) => /-(?:t2f|t1n|t1c|t2w)\.nii/i.test(image)));
  return recent ? { 3: 4, 4: 5 } : { 3: 4 };
}
