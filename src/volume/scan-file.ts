/**
 * Whether a file's name is that of a scan: NIfTI, MetaImage or NRRD. Files that only hold another's voxels
 * (`.raw`, `.zraw`) are none.
 */
export function isScanFile(file: string): boolean {
  return /\.(nii|nii\.gz|mhd|mha|nrrd|nhdr)$/i.test(file);
}

/** The name without the extension of a scan: `liver_1.nii.gz` is `liver_1`. */
export function scanName(file: string): string {
  return file.replace(/\.(nii|nii\.gz|mhd|mha|nrrd|nhdr)$/i, '');
}
