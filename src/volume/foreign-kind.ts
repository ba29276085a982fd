/**
 * What a file is by its first bytes, where it is no scan that is read here, and what to do about it: the end of
 * a sentence that begins with the file's name. Undefined for what is unknown.
 * @param bytes the first bytes of its content, uncompressed where it is gzip
 */
export function foreignKind(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'is empty; copy or download it again';
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const known = kinds.find(([start]) =>
    typeof start === 'string' ? text.startsWith(start) : start.test(text),
  )?.[1];
  if (known !== undefined) return known;
  if (bytes.every((byte) => byte === 0)) return 'holds zeros alone at its start; copy or download it again';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 348 && [view.getInt32(0, true), view.getInt32(0, false)].includes(348)) {
    return (
      'is the header of an Analyze 7.5 scan, not of NIfTI: it does not say which way is left, so convert the scan to ' +
      'NIfTI with the program that knows where it comes from'
    );
  }
  return undefined;
}

const packed = (what: string, program: string): string =>
  `is packed with ${what}: unpack it first, such as with ${program}`;
const named = (what: string, ending: string): string =>
  `is ${what}, not NIfTI: give its name the ending ${ending}`;
const picture = (what: string): string =>
  `is a picture (${what}), not a scan: name the scan it was made from`;
const converted = (what: string): string => `is ${what}, which is not read here: convert it to NIfTI first`;

const kinds: readonly (readonly [start: string | RegExp, what: string])[] = [
  ['NRRD0', named('a NRRD file', '.nrrd')],
  [
    /^\s*(ObjectType|NDims)\s*[=:]/i,
    named('a MetaImage', '.mha, or .mhd where its voxels are in another file'),
  ],
  [/^BZh[1-9]/, packed('bzip2', 'bunzip2')],
  ['\xfd7zXZ', packed('xz', 'unxz')],
  ['\x28\xb5\x2f\xfd', packed('Zstandard', 'unzstd')],
  ['\x1f\x9d', packed('compress', 'uncompress')],
  ['\x1f\x8b', packed('gzip twice', 'gunzip')],
  ['PK\x03\x04', 'is a zip archive: unpack it first, and name the scan in it'],
  [/^(7z\xbc\xaf|Rar!)/, 'is an archive: unpack it first, and name the scan in it'],
  [/^.{257}ustar/s, 'is a tar archive: unpack it first, and name the scan in it'],
  ['\x89HDF', converted('an HDF5 file (such as MINC 2)')],
  ['CDF', converted('a netCDF file (such as MINC 1)')],
  ['\x93NUMPY', converted('a NumPy array')],
  [/^# vtk/i, converted('a VTK file')],
  ['MATLAB', converted('a MATLAB file')],
  ['\x89PNG', picture('PNG')],
  ['\xff\xd8\xff', picture('JPEG')],
  [/^(II\*|MM.\*)/s, picture('TIFF')],
  ['%PDF', 'is a PDF document, not a scan: correct the path'],
  ['version https://git-lfs', 'is a pointer of Git LFS, not the scan itself: fetch it with "git lfs pull"'],
  [/^\s*<(!doctype|html)/i, 'is a web page, as a failed download leaves one: download the scan again'],
  [/^\s*<\?xml/i, 'is an XML file, not a scan: correct the path'],
  [/^\s*[{[]/, 'is a text such as JSON, not a scan: correct the path'],
];
