import { DataError } from '../../../errors.js';
import { datasetFolder, type ReleaseDataset } from '../dataset-file.js';
import { filesBelow } from '../walk-folder.js';
import { atm22 } from './atm22.js';
import { brats } from './brats.js';
import { btcv } from './btcv.js';
import { covid1920 } from './covid-19-20.js';
import { flare21 } from './flare21.js';
import { imageCases, labelledCases, leftOutOf, unlabelledNote, unmatchedNote } from './listed-parts.js';
import type { Listing, Release } from './listing.js';
import { luna16 } from './luna16.js';
import { type MatchedCases, matchCases } from './match-cases.js';

const releases: Readonly<Record<ReleaseDataset['layout'], Release>> = {
  atm22,
  brats,
  btcv,
  'covid-19-20': covid1920,
  flare21,
  luna16,
};

/**
 * Lists a dataset that lies as it was released, at whatever depth below `path`. With `withLabels:
 * false` every case is an image alone, for pre-training. Parts without labels (challenge test sets)
 * are listed with `includeTest`: as split `test`, or drawn like the others where no labels are used.
 * @throws DataError when the folder holds no case of the layout
 */
export async function listRelease(name: string, entry: ReleaseDataset, file: string): Promise<Listing> {
  const { modality, patterns, patientOf, scheme, preset, expected } = releases[entry.layout];
  const folder = datasetFolder(name, entry, file);
  const matched = matchCases(await filesBelow(folder), patterns);
  const withLabels = entry.withLabels && patterns.labelOf !== undefined;
  const { classes, labelMap } = scheme([...matched.labelled, ...matched.unlabelled]);
  const cases = withLabels
    ? labelledCases(matched, entry.includeTest, entry.labelMap ?? labelMap)
    : imageCases(matched, patterns, entry.includeTest);
  if (cases.length === 0) throw nothingFound(folder, entry.layout, expected, matched);
  return {
    modality,
    classes: withLabels ? (entry.classes ?? classes) : {},
    cases: cases.map((listed) => {
      const group = patientOf?.(listed.name);
      return group === undefined ? listed : { ...listed, group };
    }),
    ...(preset && { preset }),
    folder,
    leftOut: leftOutOf(matched, { ...entry, withLabels: entry.withLabels || !patterns.labelOf }, patterns),
    notes: [
      ...(patterns.labelOf ? unlabelledNote(matched, entry.includeTest) : []),
      ...unmatchedNote(matched.others, `are no part of the layout "${entry.layout}"`),
    ],
  };
}

function nothingFound(
  folder: string,
  layout: string,
  expected: string,
  { unlabelled }: MatchedCases,
): DataError {
  const facts = { file: folder, field: 'path', expected };
  if (unlabelled.length === 0)
    return new DataError(
      `${folder} is no folder of the layout "${layout}": ${expected} is expected in it or below`,
      facts,
    );
  return new DataError(
    `${folder} holds ${unlabelled.length} scans of the layout "${layout}" but no label: ` +
      `add the labels (${expected}), or set "withLabels": false and "includeTest": true to use images alone`,
    facts,
  );
}
