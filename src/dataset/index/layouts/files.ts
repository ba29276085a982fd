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
    const { image, images } = listed;
    const channels = images?.map((path, channel) => ({ path, key: `images.${channel}` })) ?? [];
    if (image !== undefined) channels.push({ path: image, key: 'image' });
    if ((image === undefined) === (images === undefined)) {
      throw new UsageError(`${file}: ${field} ("${listed.id}") must have either "image" or "images"`, {
        file,
        field,
      });
    }
    const absolute = (path: string, key: string) => resolveSourcePath(path, folder, file, `${field}.${key}`);
    const labelMap = listed.labelMap ?? entry.labelMap;
    return {
      name: listed.id,
      images: channels.map(({ path, key }) => absolute(path, key)),
      ...(listed.label !== undefined && { label: absolute(listed.label, 'label') }),
      ...(labelMap && { labelMap }),
      ...(listed.split && { split: listed.split }),
    };
  });
  return { modality: entry.modality, classes: entry.classes ?? {}, cases, folder };
}
