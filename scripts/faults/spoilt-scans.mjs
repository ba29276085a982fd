// Scans of every format, and ways to spoil them of which it is known what must become of them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readVolume } from '../../dist/volume/index.js';
import { cut, editBytes, editText, oneOf, turnBits } from './mutations.mjs';

const references = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'test/parity/volume');

/** By format; a scan is a file, a header whose voxels lie beside it, or a folder of slices. */
export const scanFiles = {
  nifti: [
    'anisotropic.nii.gz',
    'int16-be-1.nii',
    'float32-be-1.nii',
    'uint8-le-2.nii',
    'float64-le-1.nii.gz',
    'int64-be-2.nii.gz',
    'slope.nii',
    'extension.nii',
    'four-axes.nii.gz',
    'oblique.nii.gz',
    'headers/metres-2-be.nii',
    'headers/sform-not-qform.nii',
  ],
  gzip: [
    'gzip-members/one.nii.gz',
    'gzip-members/two.nii.gz',
    'gzip-members/many.nii.gz',
    'gzip-members/stored.nii.gz',
    'gzip-members/described.nii.gz',
    'gzip-members/zeros-behind.nii.gz',
  ],
  metaimage: [
    'formats/int16.mha',
    'formats/float64.mha',
    'formats/compressed.mha',
    'formats/channels.mha',
    'formats/axial.mhd',
    'formats/zraw.mhd',
    'formats/big-endian.mhd',
    'gzip-members/channels.mha',
  ],
  nrrd: [
    'formats/int16.nrrd',
    'formats/float32.nrrd',
    'formats/channels.nrrd',
    'formats/axial.nrrd',
    'formats/detached.nhdr',
    'formats/detached-gz.nhdr',
    'formats/oblique.nrrd',
    'gzip-members/channels.nrrd',
  ],
  dicom: [
    'formats/dicom-axial',
    'dicom/slopes',
    'dicom/frames',
    'encapsulated-dicom/rle',
    'encapsulated-dicom/deflated',
    'encapsulated-dicom/jpeg2000',
  ],
};

/** Scans with their bytes and their true voxels, by the paths of `scanFiles`. */
export async function scanSamples(paths) {
  const samples = [];
  for (const path of paths) {
    const files = filesOf(join(references, path)).map((file) => ({
      name: basename(file),
      bytes: readFileSync(file),
    }));
    const isFolder = statSync(join(references, path)).isDirectory();
    const truth = await readVolume(join(references, path));
    samples.push({ files, isFolder, truth, ...packed(files, isFolder), path });
  }
  return samples;
}

const filesOf = (path) =>
  statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : withDataFile(path);

function withDataFile(path) {
  if (!/\.(mhd|nhdr)$/.test(path)) return [path];
  const text = readFileSync(path, 'latin1');
  const data = /(?:ElementDataFile *= *|data ?file: *)(\S+)/i.exec(text)[1];
  return [path, join(dirname(path), data)];
}

/** For comparing voxels where their order may be another. */
export const sorted = (values) => Float32Array.from(values).sort();

export const sameValues = (a, b) =>
  a.data.length === b.data.length && a.data.every((value, i) => Object.is(value + 0, b.data[i] + 0));

/** The last file of a scan holds its voxels: where they begin, and whether they are compressed. */
function packed(files, isFolder) {
  const { name, bytes } = files.at(-1);
  if (isFolder) return { start: 0, compressed: false };
  if (/\.(nii\.gz|raw\.gz|zraw)$/.test(name)) return { start: 0, compressed: true };
  if (/\.raw$/.test(name)) return { start: 0, compressed: false };
  if (name.endsWith('.nii')) return { start: 352, compressed: false };
  const head = bytes.toString('latin1', 0, 4096);
  const end = /\n\n|ElementDataFile *= *LOCAL\r?\n/i.exec(head);
  const compressed = /CompressedData *= *True|encoding: *gz/i.test(head);
  return { start: end ? end.index + end[0].length : 0, compressed };
}

/**
 * The files of a sample, spoilt in one way: in their headers, where nothing covers them, or in what is packed alone.
 * @returns `harmless` where an accepted scan must have the true voxels; `refused` where none may be accepted
 */
export function spoilt(random, { files, isFolder, start, compressed }, packedAlone) {
  const ways = ['bits', 'cut', 'packed'];
  const way = oneOf(random, packedAlone ? ways : ['header', 'header', ...ways]);
  return { way, ...spoiltBy(random, { files, isFolder, start, compressed }, way) };
}

function spoiltBy(random, { files, isFolder, start, compressed }, way) {
  const changed = files.map((file) => ({ ...file }));
  const chosen = isFolder ? oneOf(random, changed) : changed.at(-1);
  if (way === 'cut') {
    const before = chosen.bytes;
    chosen.bytes = cut(random, before, random.integer(2) ? start : 0);
    // Something behind what is compressed may go, and the zeros behind a DICOM file's last element.
    const refused = !compressed && !isFolder && before.length - chosen.bytes.length > 0;
    return { files: changed, harmless: { refused, why: 'bytes of it are cut off' } };
  }
  if (way === 'bits' || way === 'packed') {
    if (compressed) {
      const edit = way === 'bits' ? turnBits : editBytes;
      chosen.bytes = edit(random, chosen.bytes, start);
      return { files: changed, harmless: { refused: false } };
    }
    chosen.bytes = way === 'bits' ? turnBits(random, chosen.bytes) : editBytes(random, chosen.bytes);
    return { files: changed };
  }
  const head = isFolder ? chosen : changed[0];
  if (isFolder) head.bytes = editBytes(random, head.bytes, 128, Math.min(head.bytes.length, 1500));
  else if (/\.nii(\.gz)?$/.test(head.name)) {
    const zipped = head.name.endsWith('.gz');
    const content = zipped ? gunzipSync(head.bytes) : head.bytes;
    const edited = random.integer(4) ? setField(random, content) : editBytes(random, content, 0, 352);
    head.bytes = zipped ? gzipSync(edited) : edited;
  } else {
    const end = files.length > 1 ? head.bytes.length : start;
    const text = editText(random, head.bytes.toString('latin1', 0, end));
    head.bytes = Buffer.concat([Buffer.from(text, 'latin1'), head.bytes.subarray(end)]);
  }
  return { files: changed };
}

/** Fields of a NIfTI-1 header, by where they stand and how wide they are. */
const fields = [
  [0, 4],
  [40, 2],
  [42, 2],
  [44, 2],
  [46, 2],
  [48, 2],
  [50, 2],
  [70, 2],
  [72, 2],
  [76, 4],
  [80, 4],
  [84, 4],
  [88, 4],
  [92, 4],
  [108, 4],
  [112, 4],
  [116, 4],
  [123, 1],
  [252, 2],
  [254, 2],
  [256, 4],
  [260, 4],
  [264, 4],
  [268, 4],
  [272, 4],
  [276, 4],
  [280, 4],
  [284, 4],
  [288, 4],
  [292, 4],
  [296, 4],
  [300, 4],
  [304, 4],
  [308, 4],
  [312, 4],
  [344, 4],
  [348, 4],
];

function setField(random, content) {
  const edited = Buffer.from(content);
  for (let n = 1 + random.integer(3); n > 0; n--) {
    const [at, width] = oneOf(random, fields);
    edited.set(editBytes(random, edited.subarray(at, at + width)).subarray(0, width), at);
    if (width === 4 && random.integer(2))
      edited.writeFloatLE(oneOf(random, [0, Number.NaN, Infinity, 1e30, 1e-30, -1, 0.001, 1000]), at);
    if (width === 2 && random.integer(2))
      edited.writeInt16LE(oneOf(random, [0, 1, 2, 3, 4, 7, 8, 16, 64, 128, 512, 1024, -1, 32_767]), at);
  }
  return edited;
}
