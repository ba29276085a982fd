import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Image } from 'itk-wasm';
import { DataError } from '../errors.js';
import { type DicomSlice, orderedSlices } from './dicom-slices.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import { scanParts } from './scan-parts.js';
import type { ValueUse, Volume } from './volume.js';

/**
 * Reads a folder with the slices of one DICOM series, whatever their names; rescale slope and intercept are
 * applied (HU for CT). Files that are no DICOM are passed over. Each slice's header is read on its own, which
 * takes most of the time: about 20 s for 300 slices.
 * @throws DataError when the folder holds no series or several, a slice is missing, of another size or
 * direction, or damaged
 */
export async function readDicomSeries(folder: string, use?: ValueUse): Promise<Volume> {
  const slices: DicomSlice[] = [];
  for (const file of await scanParts(resolve(folder)))
    if (await isDicom(file)) slices.push(await readSlice(file));
  const inputImages = orderedSlices(slices, folder).map(({ file }) => file);
  const { readImageDicomFileSeriesNode } = await import('@itk-wasm/dicom');
  let image: Image | undefined;
  try {
    image = (await quietly(() => readImageDicomFileSeriesNode({ inputImages, singleSortedSeries: true })))
      .outputImage;
  } catch (cause) {
    throw new DataError(
      `the DICOM series in ${folder} could not be read to its end: copy or download it again`,
      { file: folder },
      { cause },
    );
  }
  return volumeOfItk(image, folder, use);
}

/**
 * Every DICOM file has these four letters after 128 bytes of anything; `DICOMDIR` has them too, but is an
 * index.
 */
async function isDicom(file: string): Promise<boolean> {
  if (/(^|[\\/])DICOMDIR$/i.test(file)) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 128);
    return bytesRead === 4 && buffer.toString('latin1') === 'DICM';
  } finally {
    await handle.close();
  }
}

const wanted = {
  series: '0020|000e',
  position: '0020|0032',
  directions: '0020|0037',
  rows: '0028|0010',
  columns: '0028|0011',
};

async function readSlice(file: string): Promise<DicomSlice> {
  const { readDicomTagsNode } = await import('@itk-wasm/dicom');
  let tags: Map<string, string>;
  try {
    const result = await quietly(() =>
      readDicomTagsNode(file, { tagsToRead: { tags: Object.values(wanted) } }),
    );
    tags = new Map(result.tags);
  } catch (cause) {
    throw new DataError(
      `${file} is damaged or truncated: its DICOM header cannot be read; copy or download it again`,
      { file },
      { cause },
    );
  }
  const text = (tag: string) => (tags.get(tag) ?? '').trim();
  const numbers = (tag: string) => text(tag).split('\\').map(Number);
  return {
    file,
    series: text(wanted.series),
    position: numbers(wanted.position),
    directions: numbers(wanted.directions),
    size: [...numbers(wanted.columns), ...numbers(wanted.rows)],
  };
}
