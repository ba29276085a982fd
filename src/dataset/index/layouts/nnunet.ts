import { join } from 'node:path';
import { z } from 'zod';
import { entryOf } from '../../../at.js';
import { DataError } from '../../../errors.js';
import { firstIssue } from '../../../first-issue.js';
import { readText } from '../../../text-file.js';
import { caseIds } from '../case-ids.js';
import { datasetFolder, type NnunetDataset, parseJson, resolveSourcePath } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { filesBelow } from '../walk-folder.js';
import { describedLabels, describedLabelsOf, labelsFor, numberedNames } from './described-labels.js';
import { openListedFiles } from './listed-files.js';
import { imageCases, labelledCases, leftOutOf, unlabelledNote, unmatchedNote } from './listed-parts.js';
import type { Listing } from './listing.js';
import { type CasePatterns, caseNamed, type MatchedCases, matchCases } from './match-cases.js';

const path = z.string().min(1);
const nnunetJson = z.object({
  channel_names: numberedNames.optional(),
  modality: numberedNames.optional(), // as version 1 called it
  labels: describedLabels,
  regions_class_order: z.array(z.int().min(1)).optional(),
  file_ending: z.string().min(1).default('.nii.gz'),
  numTraining: z.union([z.int(), z.string().regex(/^\d+$/, 'must be a whole number')]).optional(),
  /** Cases by name, whose files may lie anywhere; without it the folders are searched. */
  dataset: z.record(z.string(), z.object({ images: z.array(path).min(1), label: path })).optional(),
  /** The Decathlon's; nnU-Net 1 writes it too, without the channels. */
  training: z.array(z.unknown()).optional(),
});
type Description = z.infer<typeof nnunetJson> & { readonly channels: readonly string[] };

/**
 * Layout `nnunet`: nnU-Net's raw format, version 2 (and 1): `imagesTr/CASE_0000.nii.gz` a channel,
 * `labelsTr/CASE.nii.gz`, and `dataset.json` with channels and labels. Training cases are those of its key
 * `dataset` where it has one. Labels that are lists of values are regions; the label "ignore" is left out of
 * losses, crops and metrics. An image of `imagesTr` may have no label, which nnU-Net
 * itself refuses. `imagesTs` is listed with `includeTest`.
 * @throws DataError when `dataset.json` is missing or of another form or no case is there
 */
export async function listNnunetCases(name: string, entry: NnunetDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const json = join(folder, 'dataset.json');
  const description = await readDescription(json);
  const patterns = patternsOf(description);
  const found = matchCases(await filesBelow(folder), patterns);
  const listed = description.dataset && (await listedLabelled(description.dataset, folder, json));
  const matched = listed ? withListed(found, listed) : found;
  const cases = casesOf(entry, matched, patterns, listed !== undefined);
  requireNnunetNames(description, matched, json);
  if (cases.length === 0) {
    const expected = `imagesTr/CASE_0000${description.file_ending} with labelsTr/CASE${description.file_ending}`;
    throw new DataError(
      `${folder} holds no ${entry.withLabels ? 'labelled ' : ''}case of the layout "nnunet": ${expected} is expected in it`,
      {
        file: folder,
        field: 'path',
        expected,
      },
    );
  }
  return {
    modality: entry.modality ?? modalityOf(description.channels),
    ...labelsFor(entry, () => describedLabelsOf(description.labels, description.regions_class_order, json)),
    cases,
    notes: [
      ...unlabelledNote(matched, entry.includeTest),
      ...countNote(description, matched),
      ...unmatchedNote(matched.others, 'are no part of the layout "nnunet"'),
    ],
    folder,
    descriptions: [join(folder, 'dataset.json')],
    leftOut: leftOutOf(matched, entry, patterns),
  };
}

async function readDescription(file: string): Promise<Description> {
  const text = await readText(
    file,
    (cause) =>
      new DataError(
        `${file} cannot be read: "path" of an "nnunet" dataset must be the folder of one dataset, ` +
          'such as Dataset001_NAME, with dataset.json in it',
        { file },
        { cause },
      ),
  );
  const content = parseJson(text, file);
  const parsed = nnunetJson.safeParse(content);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error, content);
    throw new DataError(`${file}: ${field}: ${message}`, { file, field });
  }
  const channels = parsed.data.channel_names ?? parsed.data.modality;
  if (channels && Object.keys(channels).length > 0) {
    return {
      ...parsed.data,
      channels: Object.entries(channels)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([, channel]) => channel),
    };
  }
  throw new DataError(`${file}: channel_names is missing: nnU-Net names each channel, as {"0": "CT"}`, {
    file,
    field: 'channel_names',
  });
}

function patternsOf({ channels, file_ending }: Description): CasePatterns {
  const ending = file_ending.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return {
    channels: channels.map((channel, i) => ({
      name: channel,
      caseOf: caseNamed(
        new RegExp(`/images(?:Tr|Ts)/(?<case>[^/]+)_${String(i).padStart(4, '0')}${ending}$`),
      ),
    })),
    labelOf: caseNamed(new RegExp(`/labelsTr/(?<case>[^/]+)${ending}$`)),
    mixed: true,
  };
}

/** nnU-Net calls CT "CT" and gives every other channel its own name. */
function modalityOf(channels: readonly string[]): 'ct' | 'mr' {
  return channels.every((channel) => /^ct$/i.test(channel)) ? 'ct' : 'mr';
}

function casesOf(
  { withLabels, includeTest, labelMap }: NnunetDataset,
  matched: MatchedCases,
  patterns: CasePatterns,
  isListed: boolean,
): readonly ListedCase[] {
  if (withLabels) return labelledCases(matched, includeTest, labelMap);
  if (!isListed) return imageCases(matched, patterns, includeTest);
  const images = matched.labelled.map(({ label: _, ...listed }) => listed);
  return includeTest ? [...images, ...matched.unlabelled] : images;
}

/** The listed cases in place of those of the folders; scans of the folders that are not listed stay unlabelled. */
function withListed(found: MatchedCases, listed: readonly ListedCase[]): MatchedCases {
  const used = new Set(
    listed.flatMap(({ images, label }) =>
      [...images, ...(label === undefined ? [] : [label])].map((file) => file.replaceAll('\\', '/')),
    ),
  );
  return {
    labelled: listed,
    unlabelled: found.unlabelled.filter(({ images }) => !images.some((image) => used.has(image))),
    others: found.others.filter((file) => !used.has(file)),
  };
}

/** The training cases that `dataset.json` lists itself, with paths from its folder. */
async function listedLabelled(
  dataset: NonNullable<Description['dataset']>,
  folder: string,
  file: string,
): Promise<ListedCase[]> {
  const files = openListedFiles();
  const given = Object.keys(dataset);
  const composed = given.map((name) => name.normalize('NFC'));
  const ids = caseIds([...new Set(composed)]);
  const find = (path: string, name: string) =>
    files.find(resolveListedPath(path, folder, file, `dataset.${name}`));
  return Promise.all(
    Object.entries(dataset).map(async ([key, { images, label }]): Promise<ListedCase> => {
      const foundAs = key.normalize('NFC');
      const name = entryOf(ids, foundAs);
      return {
        name,
        ...(foundAs !== name && { foundAs }),
        images: await Promise.all(images.map((image) => find(image, key))),
        label: await find(label, key),
      };
    }),
  );
}

/** nnU-Net expands `$NAME` and `${NAME}` in these paths; the index's own form is the second. */
const resolveListedPath = (path: string, folder: string, file: string, field: string): string =>
  resolveSourcePath(
    path.replace(/\$([A-Za-z_][A-Za-z0-9_]*)/g, (_, variable) => ['$', '{', variable, '}'].join('')),
    folder,
    file,
    field,
  );

/** The Decathlon's images have no channel in their names, so that no image of a listed case is found. */
function requireNnunetNames({ training }: Description, matched: MatchedCases, file: string): void {
  const { labelled, unlabelled, others } = matched;
  if (training === undefined || [...labelled, ...unlabelled].some(({ images }) => images.length > 0)) return;
  const image = others.find((path) => /\/imagesTr\/[^/]+$/.test(path));
  if (image === undefined) return;
  throw new DataError(
    `${file} lists "training" cases, and images have no channel in their names (${image}, not CASE_0000): ` +
      'this is a folder of the Decathlon, set "layout": "msd"',
    { file, field: 'layout', expected: 'msd' },
  );
}

function countNote({ numTraining }: Description, { labelled }: MatchedCases): string[] {
  const found = labelled.filter(({ label, problem }) => label !== undefined || problem !== undefined).length;
  const wanted = Number(numTraining);
  if (numTraining === undefined || wanted === found || wanted === labelled.length) return [];
  return [
    `dataset.json promises ${numTraining} training cases, but ${found} are there: ` +
      'some were not copied, or "numTraining" is wrong',
  ];
}
