/** Endings of scans. Of a pair of `.hdr` and `.img` the header stands for both. */
const scanEnding = /\.(nii|nii\.gz|hdr|hdr\.gz|mhd|mha|nrrd|nhdr|mgh|mgz|mgh\.gz)$/i;

/**
 * Whether a file's name is that of a scan: NIfTI, MetaImage, NRRD or FreeSurfer's. Files that only hold another's
 * voxels (`.raw`, `.zraw`, `.img`) are none.
 */
export const isScanFile = (file: string): boolean => scanEnding.test(file);

/** The name without the extension of a scan: `liver_1.nii.gz` is `liver_1`. */
export const scanName = (file: string): string => file.replace(scanEnding, '');

/**
 * Whether a file's name is that of an image that is read only with others, or in a format that is not read: voxels
 * of a header, slices of DICOM, MINC, Philips, compressed by other means than gzip, or an archive.
 */
export function isOtherImageFile(file: string): boolean {
  return /\.(raw|zraw|img|img\.gz|dcm|dicom|ima|mnc|par|rec|nii\.(bz2|xz|zst|zip|lz4)|zip|tar|tgz|tar\.gz|7z|rar|npy|npz|h5|hdf5|pt|b2nd|tiff?)$/i.test(
    file,
  );
}
