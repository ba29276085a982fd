import { resolve } from 'node:path';
import type { Image } from 'itk-wasm';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { requireMemory } from '../free-memory.js';
import { spacingOf } from './affine.js';
import { requireWholeVoxels } from './file-content.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import { metaImageGeometry } from './meta-geometry.js';
import { readMetaImage } from './meta-raw.js';
import { type NrrdGeometry, nrrdGeometry, nrrdSpacingUnits } from './nrrd-geometry.js';
import { readPlainSlices } from './plain-slices.js';
import { readTextHeader, type TextFormat, type TextHeader } from './text-header.js';
import { mapAxes } from './triple.js';
import type { ValueUse, Volume } from './volume.js';

/**
 * Reads MetaImage or NRRD, after checking the header against the file: MetaImage and plain NRRD from the file itself,
 * all else through ITK.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readItkFile(file: string, format: TextFormat, use?: ValueUse): Promise<Volume> {
  const header = await readTextHeader(file, format);
  requireFewAxes(header, file);
  refuseComplex(header, file);
  const own =
    format === 'metaimage' ? await readMetaImage(file, header, use) : await readPlainSlices(file, format);
  if (own) return own;
  const { meta } = header;
  if (meta?.notItks !== undefined) {
    throw new DataError(
      `${file}: ${meta.notItks}, and only ITK can read voxels that are written out as text: spell it as ITK does, ` +
        'such as "BinaryDataByteOrderMSB = True"',
      { file, found: meta.notItks },
    );
  }
  const geometry = format === 'nrrd' ? nrrdGeometry(resolve(file), header) : undefined;
  if (geometry) requireItksKinds(geometry, header, file);
  const metaGeometry = format === 'metaimage' ? metaImageGeometry(resolve(file), header) : undefined;
  requireMemory(2 * header.bytes, file, 'reading it whole');
  await requireWholeData(header, file);
  // Loaded late: who reads NIfTI alone should not wait for it.
  const { metaReadImageNode, nrrdReadImageNode } = await import('@itk-wasm/image-io');
  const read = format === 'metaimage' ? metaReadImageNode : nrrdReadImageNode;
  let image: Image | undefined;
  try {
    image = (await quietly(() => read(resolve(file)))).image;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (!image?.data) throw unreadable(file, undefined);
  const volume = volumeOfItk(image, file, use);
  if (geometry) return inItsSpace(volume, geometry, header, file);
  if (format === 'nrrd') return inMillimetres(volume, nrrdSpacingUnits(resolve(file), header).mm);
  return metaGeometry
    ? { ...volume, affine: metaGeometry.affine, spacing: spacingOf(metaGeometry.affine) }
    : volume;
}

/** Three axes of space, and one of channels. */
function requireFewAxes({ sizes }: TextHeader, file: string): void {
  if (sizes.length <= 4) return;
  throw new DataError(
    `${file} has ${sizes.length} axes (${sizes.join('x')}); expected 3 of space, and a fourth for channels at most`,
    { file, found: sizes },
  );
}

/** Real and imaginary part would pass for two channels. */
function refuseComplex({ fields }: TextHeader, file: string): void {
  const kinds = fields.get('kinds');
  if (!kinds?.toLowerCase().split(/\s+/).includes('complex')) return;
  throw new DataError(
    `${file}: kinds is "${kinds}", so that its voxels are complex numbers; expected real ones, such as their magnitude`,
    { file, field: 'kinds', found: kinds },
  );
}

/** Kinds that make an axis one of channels to ITK; `domain`, `space`, `time` and unknown ones make it one of space. */
const kindsOfChannels =
  /^(list|point|vector|covariant-vector|normal|stub|scalar|complex|[23]-vector|3-color|rgb-color|hsv-color|xyz-color|4-color|rgba-color|3-vector|3-gradient|3-normal|4-vector|quaternion|2d-(masked-)?(symmetric-)?matrix|3d-(masked-)?(symmetric-)?matrix)$/;

/**
 * ITK tells axes of space from channels by `kinds` alone, and refuses, with words about something else, a header in
 * which they and `space directions` contradict each other or are missing.
 */
function requireItksKinds({ axes, timed }: NrrdGeometry, { fields, sizes }: TextHeader, file: string): void {
  if (timed) return; // then the axis of time is one of its space
  const text = fields.get('kinds');
  const kinds = text?.toLowerCase().split(/\s+/).filter(Boolean) ?? sizes.map(() => 'none');
  const wrong = sizes.findIndex((_, axis) => {
    const kind = kinds[axis] ?? 'none';
    return axes.includes(axis) ? kindsOfChannels.test(kind) : !kindsOfChannels.test(kind);
  });
  if (wrong < 0 && kinds.length === sizes.length) return;
  const expected = sizes.map((_, axis) => (axes.includes(axis) ? 'domain' : 'list')).join(' ');
  throw new DataError(
    `${file}: kinds is ${text === undefined ? 'missing' : `"${text}"`}, but "space directions" makes axes ` +
      `${axes.map((axis) => axis + 1).join(', ')} of ${sizes.length} those of space and the others channels; expected ` +
      `"${expected}", so correct it in the header`,
    { file, field: 'kinds', found: text, expected },
  );
}

/** ITK compares no checksum of a zlib stream that it has the bytes of, and none of gzip. */
async function requireWholeData(header: TextHeader, file: string): Promise<void> {
  const { fields, encoding, dataFile, dataOffset, dataSkip, bytes } = header;
  if (encoding !== 'compressed') return;
  const lines = fields.get('line skip') ?? fields.get('lineskip') ?? '0';
  if (lines !== '0') {
    throw new DataError(
      `${file}: "line skip" is ${lines}, but compressed voxels are read without any: write it without lines to skip`,
      { file, field: 'line skip', found: lines, expected: 0 },
    );
  }
  const voxels = { file: dataFile, start: dataOffset, compressed: true, skip: dataSkip, bytes };
  await requireWholeVoxels(voxels).catch((cause: unknown) => {
    if (!(cause instanceof DataError)) throw cause;
    throw new DataError(
      `${file} is damaged or truncated: its voxels could not be read to their end, since ${cause.message}`,
      cause.facts,
      { cause },
    );
  });
}

/** A volume of ITK's with the place that the header says, since ITK misreads some spaces (`nrrdGeometry`). */
function inItsSpace(
  volume: Volume,
  { affine, axes }: NrrdGeometry,
  header: TextHeader,
  file: string,
): Volume {
  const size = mapAxes(axes, (axis) => itemAt(header.sizes, axis));
  if (size.some((n, axis) => n !== volume.size[axis])) {
    throw new DataError(
      `${file}: "space directions" makes axes of ${size.join('x')} voxels those of space, but the data have ` +
        `${volume.size.join('x')}: correct "kinds" and "space directions" in the header`,
      { file, field: 'space directions', found: size, expected: volume.size },
    );
  }
  return { ...volume, affine, spacing: spacingOf(affine) };
}

/** A volume of ITK's, which takes every unit for mm. Its axes are those of space, since nothing says otherwise. */
function inMillimetres(volume: Volume, mm: readonly number[]): Volume {
  const affine = { rows: volume.affine.rows.map((n, i) => n * itemAt(mm, Math.floor(i / 4))) };
  return { ...volume, affine, spacing: spacingOf(affine) };
}

function unreadable(file: string, cause: unknown): DataError {
  return new DataError(
    `${file}: ITK could not read its voxels to their end, so that it is damaged or truncated, or its header says ` +
      'something that ITK does not take; copy or download it again, or write it anew with SimpleITK or 3D Slicer',
    { file },
    { cause },
  );
}
