import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError, UsageError } from '../../../errors.js';
import { firstIssue } from '../../../first-issue.js';
import { datasetFolder, type NnunetDataset, parseJson } from '../dataset-file.js';
import type { SourceDataset } from '../listed-case.js';
import { filesBelow } from './files-below.js';
import { imageCases, labelledCases, unlabelledNote } from './listed-parts.js';
import type { Listing } from './listing.js';
import { type CasePatterns, caseNamed, type MatchedCases, matchCases } from './match-cases.js';

const names = z.record(z.string().regex(/^\d+$/), z.string());
const nnunetJson = z.object({
  channel_names: names.optional(),
  modality: names.optional(), // as version 1 called it
  labels: z.record(z.string(), z.union([z.int(), z.array(z.int()).min(1), z.string()])),
  file_ending: z.string().min(1).default('.nii.gz'),
  numTraining: z.int().optional(),
});
type Description = z.infer<typeof nnunetJson> & { readonly channels: readonly string[] };

/**
 * Layout `nnunet`: nnU-Net's raw format, version 2 (and 1): `imagesTr/CASE_0000.nii.gz` a
 * channel, `labelsTr/CASE.nii.gz`, and `dataset.json` with channels and labels. Labels that
 * are regions (lists of values) become their values. An image of `imagesTr` may have no label, which nnU-Net
 * itself refuses. `imagesTs` is listed with `includeTest`.
 * @throws DataError when `dataset.json` is missing or of another
 *   form or no case is there, UsageError for a label "ignore"
 */
export async function listNnunetCases(name: string, entry: NnunetDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const description = await readDescription(join(folder, 'dataset.json'));
  const patterns = patternsOf(description);
  const matched = matchCases(await filesBelow(folder), patterns);
  const cases = entry.withLabels
    ? labelledCases(matched, entry.includeTest, entry.labelMap)
    : imageCases(matched, patterns, entry.includeTest);
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
    classes: entry.withLabels ? (entry.classes ?? classesOf(description, name, file)) : {},
    cases,
    notes: [...unlabelledNote(matched, entry.includeTest), ...countNote(description, matched)],
  };
}

async function readDescription(file: string): Promise<Description> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DataError(
      `${file} cannot be read: "path" of an "nnunet" dataset must be the folder of one dataset, ` +
        'such as Dataset001_NAME, with dataset.json in it',
      { file },
      { cause },
    );
  });
  const parsed = nnunetJson.safeParse(parseJson(text, file));
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error);
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

/**
 * The name of a value is that of the label which is this value alone, else of the regions that it is part of.
 */
function classesOf({ labels }: Description, dataset: string, file: string): SourceDataset['classes'] {
  const field = `datasets.${dataset}.classes`;
  if ('ignore' in labels) {
    throw new UsageError(
      `${file}: ${field}: the dataset has a label "ignore", which no loss here leaves out: ` +
        'state "classes" and map its value with "labelMap"',
      { file, field },
    );
  }
  const values = Object.entries(labels).flatMap(([label, value]) =>
    [value]
      .flat()
      .map((n) => ({ label, value: Number(n), alone: !Array.isArray(value) || value.length === 1 })),
  );
  const classes = new Map<number, string>();
  for (const value of [...new Set(values.map(({ value }) => value))]
    .filter((n) => n > 0)
    .sort((a, b) => a - b)) {
    const mine = values.filter((entry) => entry.value === value);
    classes.set(
      value,
      mine.find(({ alone }) => alone)?.label ?? mine.map(({ label }) => label).join(' and '),
    );
  }
  return Object.fromEntries(classes);
}

function countNote({ numTraining }: Description, { labelled }: MatchedCases): string[] {
  const found = labelled.filter(({ label, problem }) => label !== undefined || problem !== undefined).length;
  if (numTraining === undefined || numTraining === found || numTraining === labelled.length) return [];
  return [
    `dataset.json promises ${numTraining} training cases, but ${found} are there: ` +
      'some were not copied, or "numTraining" is wrong',
  ];
}
