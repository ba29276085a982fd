/**
 * Whether a file's name is that of a scan: NIfTI, MetaImage or NRRD, in capitals or not. Files that only hold
 * another's voxels (`.raw`, `.zraw`) are none.
 */
export function isScanFile(file: string): boolean {
  return /\.(nii|nii\.gz|mhd|mha|nrrd|nhdr)$/i.test(file);
}

/** The name without the extension of a scan: `liver_1.nii.gz` is `liver_1`. */
export function scanName(file: string): string {
  return file.replace(/\.(nii|nii\.gz|mhd|mha|nrrd|nhdr)$/i, '');
}

/**
 * Whether a file's name is that of an image in a format that is not read, or is read only with others: voxels
 * of a header, slices of DICOM, Analyze, MINC, MGH, compressed by other means than gzip, or an archive.
 */
export function isOtherImageFile(file: string): boolean {
  return /\.(raw|zraw|img|hdr|img\.gz|hdr\.gz|dcm|dicom|ima|mnc|mgz|mgh|par|rec|nii\.(bz2|xz|zst|zip|lz4)|zip|tar|tgz|tar\.gz|7z|rar|npy|npz|h5|hdf5|pt|b2nd|tiff?)$/i.test(
    file,
  );
}
