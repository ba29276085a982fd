import { resolve } from 'node:path';
import type { Image } from 'itk-wasm';
import { DataError } from '../errors.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import { readPlainMetaImage } from './meta-raw.js';
import { readTextHeader, type TextFormat } from './text-header.js';
import type { ValueUse, Volume } from './volume.js';

/**
 * Reads MetaImage or NRRD, after checking the header against the file: a plain MetaImage from the file
 * itself, all else through ITK.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readItkFile(file: string, format: TextFormat, use?: ValueUse): Promise<Volume> {
  const header = await readTextHeader(file, format);
  const plain = format === 'metaimage' ? await readPlainMetaImage(file, header) : undefined;
  if (plain) return plain;
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
  return volumeOfItk(image, file, use);
}

function unreadable(file: string, cause: unknown): DataError {
  return new DataError(
    `${file} is damaged or truncated: its voxels could not be read to their end; copy or download it again`,
    { file },
    { cause },
  );
}
