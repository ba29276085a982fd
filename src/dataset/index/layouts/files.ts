import { UsageError } from '../../../errors.js';
import { datasetFolder, type FilesDataset, resolveSourcePath } from '../dataset-file.js';
import type { ListedCase, Masks } from '../listed-case.js';
import { openListedFiles } from './listed-files.js';
import type { Listing } from './listing.js';

/**
 * Layout `files`: the index itself lists every case with its image (or one image a channel) and label (or one
 * mask a class).
 * @throws UsageError when a case has both or neither of `image` and `images`, both `label` and `masks`, a mask of
 *   no class, or a variable is not set
 */
export async function listFilesCases(name: string, entry: FilesDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const files = openListedFiles();
  const listCase = async (listed: FilesDataset['cases'][number], i: number): Promise<ListedCase> => {
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
    const absolute = (path: string, key: string) =>
      files.find(resolveSourcePath(path, folder, file, `${field}.${key}`));
    const labelMap = listed.labelMap ?? entry.labelMap;
    const masks = listed.masks && (await masksOf(listed.masks, entry, file, field, absolute));
    if (masks && listed.label !== undefined)
      throw new UsageError(`${file}: ${field} ("${listed.id}") has both "label" and "masks": leave one out`, {
        file,
        field,
      });
    const label = listed.label === undefined ? masks?.files[0]?.file : await absolute(listed.label, 'label');
    return {
      name: listed.id,
      images: await Promise.all(channels.map(({ path, key }) => absolute(path, key))),
      ...(label !== undefined && { label }),
      ...(masks && { masks }),
      ...(labelMap && { labelMap }),
      ...(listed.split && { split: listed.split }),
      ...(listed.aligned !== undefined && { aligned: listed.aligned }),
    };
  };
  return {
    modality: entry.modality,
    classes: entry.classes ?? {},
    cases: await Promise.all(entry.cases.map(listCase)),
    folder,
  };
}

/** The masks in the order of classes. */
async function masksOf(
  masks: Readonly<Record<string, string>>,
  { classes = {}, overlap }: FilesDataset,
  file: string,
  field: string,
  absolute: (path: string, key: string) => Promise<string>,
): Promise<Masks> {
  const names = Object.values(classes);
  const stranger = Object.keys(masks).find((name) => !names.includes(name));
  if (stranger !== undefined || Object.keys(masks).length === 0)
    throw new UsageError(
      `${file}: ${field}.masks ${stranger === undefined ? 'is empty' : `has "${stranger}", which is no class`}: ` +
        `name masks by their classes, ${names.map((name) => `"${name}"`).join(', ') || 'which "classes" lacks'}`,
      { file, field: `${field}.masks` },
    );
  const files = Object.entries(classes).flatMap(([value, name]) => {
    const path = masks[name];
    return path === undefined ? [] : [{ value: Number(value), path, name }];
  });
  return {
    overlap,
    files: await Promise.all(
      files.map(async ({ value, path, name }) => ({ value, file: await absolute(path, `masks.${name}`) })),
    ),
  };
}
