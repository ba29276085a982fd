import { basename, dirname } from 'node:path';
import { entryOf, itemAt } from '../../../at.js';
import { caseIds } from '../case-ids.js';
import type { ListedCase } from '../listed-case.js';

/**
 * The name of the case that a file (an absolute path with "/") belongs to; undefined when it is no such file.
 */
export type CaseOf = (file: string) => string | undefined;

/** How files become cases. */
export interface CasePatterns {
  /** One a channel, in the order of the channels; `name` is for people. */
  readonly channels: readonly { readonly name: string; readonly caseOf: CaseOf }[];
  readonly labelOf?: CaseOf;
  /**
   * Whether an image may have no label beside others that have one, as in a folder of somebody's own. Of a
   * published release it means that a file was not downloaded.
   */
  readonly mixed?: boolean;
  /** The folder whose cases have labels all together or not at all; default: the image's own. */
  readonly partOf?: (image: string) => string;
}

/** The files of a folder, sorted into cases. */
export interface MatchedCases {
  /** Of parts of the release in which cases have labels, where `mixed` not all of them. */
  readonly labelled: readonly ListedCase[];
  /** Of parts without any label, such as the test set of a challenge. */
  readonly unlabelled: readonly ListedCase[];
  /** Files that are no part of any case. */
  readonly others: readonly string[];
}

/**
 * Sorts files into cases; names are the same in any Unicode form. A case that lacks a channel, has a label without
 * image, no label where its neighbours have one (unless `mixed`), or two files for one role is listed with the sentence
 * that says so as its `problem`.
 */
export function matchCases(files: readonly string[], patterns: CasePatterns): MatchedCases {
  const { found, others } = collect(files, patterns);
  const partOf = patterns.partOf ?? dirname;
  const partsWithLabels = new Set(
    [...found.values()].flatMap(({ label, images }) => (label ? images.flat().map(partOf) : [])),
  );
  const labelled: ListedCase[] = [];
  const unlabelled: ListedCase[] = [];
  const ids = caseIds([...found.keys()]);
  const byId = [...found].map(([foundAs, files]) => ({ foundAs, files, name: entryOf(ids, foundAs) }));
  for (const { foundAs, files, name } of byId.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const images = files.images.flat();
    const inLabelledPart = images.length === 0 || images.some((image) => partsWithLabels.has(partOf(image)));
    const problem = problemOf(name, files, patterns, inLabelledPart);
    const listed: ListedCase = {
      name,
      ...(foundAs !== name && { foundAs }),
      images,
      ...(files.label?.[0] && { label: files.label[0] }),
      ...(problem && { problem, problemFiles: [...images, ...(files.label ?? [])] }),
    };
    (inLabelledPart ? labelled : unlabelled).push(listed);
  }
  return { labelled, unlabelled, others };
}

/**
 * What the group `case` of a pattern finds, after `prefix`. Capitals do not count: Windows and scanners write
 * `.NII.GZ`.
 */
export function caseNamed(pattern: RegExp, prefix = ''): CaseOf {
  const inAnyCase = new RegExp(pattern.source, 'i');
  return (file) => {
    const name = inAnyCase.exec(file)?.groups?.case;
    return name === undefined ? undefined : prefix + name;
  };
}

/** What was found for a case: for each channel its files (one, if all is well), and its labels. */
interface CaseFiles {
  readonly images: readonly string[][];
  label?: string[];
}

function collect(
  files: readonly string[],
  { channels, labelOf }: CasePatterns,
): { found: Map<string, CaseFiles>; others: string[] } {
  const found = new Map<string, CaseFiles>();
  const others: string[] = [];
  const filesOf = (given: string): CaseFiles => {
    const name = given.normalize('NFC');
    const known = found.get(name) ?? { images: channels.map(() => []) };
    found.set(name, known);
    return known;
  };
  for (const file of files) {
    const labelled = labelOf?.(file);
    if (labelled !== undefined) {
      const known = filesOf(labelled);
      known.label = [...(known.label ?? []), file];
      continue;
    }
    const [match] = channels.flatMap(({ caseOf }, channel) => {
      const name = caseOf(file);
      return name === undefined ? [] : [{ name, channel }];
    });
    if (match) itemAt(filesOf(match.name).images, match.channel).push(file);
    else others.push(file);
  }
  return { found, others };
}

function problemOf(
  name: string,
  { images, label }: CaseFiles,
  { channels, labelOf, mixed = false }: CasePatterns,
  labelled: boolean,
): string | undefined {
  const lists = label ? [...images, label] : images;
  const twice = lists.find((files) => files.length > 1);
  if (twice && twice === label) {
    return (
      `the case ${name} has two labels where one is expected, ${twice[0]} and ${twice[1]}: remove one, or, where each is ` +
      'the mask of one structure, use the layout "masks"'
    );
  }
  if (twice)
    return `the case ${name} has two files where one is expected, ${twice[0]} and ${twice[1]}: remove one`;
  const present = images.flat();
  const [first] = present;
  if (first === undefined) {
    return `the label ${label?.join(', ')} has no image: download the image of ${name}, or remove the label`;
  }
  const missing = channels
    .filter((_, channel) => itemAt(images, channel).length === 0)
    .map(({ name }) => name);
  if (missing.length > 0) {
    const there = present.map((file) => basename(file)).join(', ');
    const place = `${dirname(first)}, where there is ${there}`;
    return `the case ${name} lacks its ${missing.join(' and ')} image in ${place}: download the case again`;
  }
  if (labelOf && labelled && !label && !mixed) {
    return `the image ${first} has no label, but others beside it have one: download the label of ${name}`;
  }
  return undefined;
}
