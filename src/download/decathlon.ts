/** One task of the Medical Segmentation Decathlon, as its archive is published. */
export interface DecathlonTask {
  /** Of the folder in the archive, and of the archive itself before `.tar`. */
  readonly folder: string;
  /** MD5 of the archive, in hexadecimal. */
  readonly md5: string;
}

/** Where the archives lie; each is `<folder>.tar` there. */
export const decathlonAddress = 'https://msd-for-monai.s3-us-west-2.amazonaws.com/';

/** The ten tasks by the names that this program has for them. */
export const decathlonTasks = {
  'msd-brain-tumour': { folder: 'Task01_BrainTumour', md5: '240a19d752f0d9e9101544901065d872' },
  'msd-heart': { folder: 'Task02_Heart', md5: '06ee59366e1e5124267b774dbd654057' },
  'msd-liver': { folder: 'Task03_Liver', md5: 'a90ec6c4aa7f6a3d087205e23d4e6397' },
  'msd-hippocampus': { folder: 'Task04_Hippocampus', md5: '9d24dba78a72977dbd1d2e110310f31b' },
  'msd-prostate': { folder: 'Task05_Prostate', md5: '35138f08b1efaef89d7424d2bcc928db' },
  'msd-lung': { folder: 'Task06_Lung', md5: '8afd997733c7fc0432f71255ba4e52dc' },
  'msd-pancreas': { folder: 'Task07_Pancreas', md5: '4f7080cfca169fa8066d17ce6eb061e4' },
  'msd-hepatic-vessel': { folder: 'Task08_HepaticVessel', md5: '641d79e80ec66453921d997fbf12a29c' },
  'msd-spleen': { folder: 'Task09_Spleen', md5: '410d4a301da4e5b2f6f86ec3ddba524e' },
  'msd-colon': { folder: 'Task10_Colon', md5: 'bad7a188931dc2f6acf72b08eb6202d0' },
} as const satisfies Record<string, DecathlonTask>;

export const decathlonLicence = 'CC-BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/';

export const decathlonCitation =
  'Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022), https://doi.org/10.1038/s41467-022-30695-9';
