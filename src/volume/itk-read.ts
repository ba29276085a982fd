import { resolve } from 'node:path';
import type { Image } from 'itk-wasm';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { requireMemory } from '../free-memory.js';
import { spacingOf } from './affine.js';
import { requireWholeVoxels } from './file-content.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import { readPlainMetaImage } from './meta-raw.js';
import { type NrrdGeometry, nrrdGeometry } from './nrrd-geometry.js';
import { readPlainSlices } from './plain-slices.js';
import { readTextHeader, type TextFormat, type TextHeader } from './text-header.js';
import { mapAxes } from './triple.js';
import type { ValueUse, Volume } from './volume.js';

/**
 * Reads MetaImage or NRRD, after checking the header against the file: plain ones from the file itself, all else
 * through ITK.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readItkFile(file: string, format: TextFormat, use?: ValueUse): Promise<Volume> {
  const header = await readTextHeader(file, format);
  const plain = format === 'metaimage' ? await readPlainMetaImage(file, header) : undefined;
  if (plain) return plain;
  // What slices are read of is read here by the same code: `prepare` and `--check` must agree on every file.
  const own = await readPlainSlices(file, format);
  if (own) return own;
  const { meta } = header;
  if (meta?.notItks !== undefined) {
    throw new DataError(
      `${file}: ${meta.notItks}, and only ITK can read this type of voxels: spell it as ITK does, such as ` +
        '"BinaryDataByteOrderMSB = True"',
      { file, found: meta.notItks },
    );
  }
  const geometry = format === 'nrrd' ? nrrdGeometry(resolve(file), header) : undefined;
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
  return meta ? inMillimetres(volume, meta.mm) : volume;
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

function inMillimetres(volume: Volume, mm: number): Volume {
  const affine = { rows: volume.affine.rows.map((n) => n * mm) };
  return mm === 1 ? volume : { ...volume, affine, spacing: spacingOf(affine) };
}

function unreadable(file: string, cause: unknown): DataError {
  return new DataError(
    `${file} is damaged or truncated: its voxels could not be read to their end; copy or download it again`,
    { file },
    { cause },
  );
}
