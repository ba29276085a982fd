/** Endings of scans. Of a pair of `.hdr` and `.img` the header stands for both. */
const scanEnding = /\.(nii|nii\.gz|hdr|hdr\.gz|mhd|mha|nrrd|nhdr|mgh|mgz|mgh\.gz)$/i;

/**
 * Whether a file's name is that of a scan: NIfTI, MetaImage, NRRD or FreeSurfer's. Files that only hold another's
 * voxels (`.raw`, `.zraw`, `.img`) are none.
 */
export const isScanFile = (file: string): boolean => scanEnding.test(file);

/** The name without the extension of a scan: `liver_1.nii.gz` is `liver_1`. */
export const scanName = (file: string): string => file.replace(scanEnding, '');
