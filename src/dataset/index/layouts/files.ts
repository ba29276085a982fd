import { UsageError } from '../../../errors.js';
import { datasetFolder, type FilesDataset, resolveSourcePath } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import type { Listing } from './listing.js';

/**
 * Layout `files`: the index itself lists every case with its image (or one image a channel) and label.
 * @throws UsageError when a case has both or neither of `image` and `images`, or a variable is not set
 */
export function listFilesCases(name: string, entry: FilesDataset, file: string): Listing {
  const folder = datasetFolder(name, entry, file);
  const cases = entry.cases.map((listed, i): ListedCase => {
    const field = `datasets.${name}.cases.${i}`;
    if ((listed.image === undefined) === (listed.images === undefined)) {
      throw new UsageError(`${file}: ${field} ("${listed.id}") must have either "image" or "images"`, { file, field });
    }
    const absolute = (path: string, key: string) => resolveSourcePath(path, folder, file, `${field}.${key}`);
    const labelMap = listed.labelMap ?? entry.labelMap;
    return {
      name: listed.id,
      images: listed.images?.map((path, channel) => absolute(path, `images.${channel}`)) ?? [absolute(listed.image!, 'image')],
      ...(listed.label !== undefined && { label: absolute(listed.label, 'label') }),
      ...(labelMap && { labelMap }),
      ...(listed.split && { split: listed.split }),
    };
  });
  return { modality: entry.modality, classes: entry.classes ?? {}, cases };
}
