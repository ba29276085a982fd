import { itemAt } from '../at.js';
import type { CheckedDataset, CheckOptions, CheckResult, FileAccount, Finding } from '../dataset/index.js';
import { plainLine } from '../plain-text.js';
import type { Context } from './context.js';
import { countingBar } from './terminal.js';

/**
 * `prepare --check`: checks, prints what was found, and sets the exit code: 3 when `prepare` would skip a
 * case, else 0.
 */
export async function checkAndReport(
  options: Omit<CheckOptions, 'signal' | 'onProgress'>,
  json: boolean,
  context: Context,
): Promise<void> {
  const { checkDatasets } = await import('../dataset/index.js');
  const count = countingBar(context.terminal, 'check');
  const checked = await checkDatasets({
    ...options,
    signal: context.signal(),
    onProgress: ({ done, total, id }) => count(done, total, id),
  });
  const { datasets, findings, exitCode } = checked;
  context.result({ schema: 1, ok: exitCode === 0, datasets, findings }, checkText(checked), json);
  process.exitCode = exitCode;
}

/** The report for people: each dataset, then every finding as a line, what is unusable first. */
export function checkText({ datasets, findings }: CheckResult): string {
  const unusable = findings.filter(({ severity }) => severity === 'unusable');
  const odd = findings.filter(({ severity }) => severity === 'odd');
  const cases = new Set(unusable.map(({ id }) => id)).size;
  return [
    ...datasets.flatMap(datasetLines),
    ...unusable.map((finding) => findingLine('UNUSABLE', finding)),
    ...oddLines(odd),
    cases > 0
      ? `${cases} cases are unusable and would be skipped; nothing was changed`
      : `every case can be prepared; nothing was changed`,
  ]
    .map(plainLine)
    .join('\n');
}

function datasetLines({
  name,
  modality,
  classes,
  cases,
  labelled,
  channels,
  spacing,
  size,
  notes,
  files,
}: CheckedDataset): string[] {
  const plural = channels.length === 1 && channels[0] === 1 ? '' : 's';
  const counted = `${cases} cases, ${labelled} with a label, ${channels.join(' or ') || 'unknown'} channel${plural}`;
  const named = Object.entries(classes).map(([value, label]) => `${value} ${label}`);
  return [
    `${name} (${modality.toUpperCase()}): ${counted}`,
    ...(spacing && size ? [`  spacing ${rangeText(spacing)} mm, size ${rangeText(size)} voxels`] : []),
    ...(named.length > 0 ? [`  classes ${named.join(', ')}`] : []),
    ...notes.map((note) => `  note: ${note}`),
    ...fileLines(files),
  ];
}

/** How many files are below the dataset's folder, and what became of them. */
function fileLines({ folder, files, used, notUsed, notEntered }: FileAccount): string[] {
  const sum = (counts: readonly number[]) => counts.reduce((total, n) => total + n, 0);
  const uses = [
    [used.image, 'images'],
    [used.label, 'labels'],
    [used.part, 'parts of images'],
    [used.description, 'descriptions'],
  ].flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]));
  const named = uses.length > 0 ? ` (${uses.join(', ')})` : '';
  const left = sum(notUsed.map(({ count }) => count));
  return [
    `  files: ${files} below ${folder}: ${sum(Object.values(used))} used${named}, ${left} not used`,
    ...notUsed.map(
      ({ what, count, examples }) =>
        `    ${count} ${what}: ${examples.join(', ')}${count > examples.length ? ', ...' : ''}`,
    ),
    ...notEntered.map((path) => `    not entered: ${path}, which leads back or may not be read`),
  ];
}

function rangeText({ min, max }: NonNullable<CheckedDataset['size']>): string {
  const short = (n: number) => String(Number(n.toPrecision(4)));
  return min.map((low, axis) => [...new Set([short(low), short(itemAt(max, axis))])].join('-')).join(' x ');
}

/**
 * What is odd, a line each. Headers that are odd in one way are a line together: a tool that wrote one of them
 * wrote them all.
 */
function oddLines(odd: readonly Finding[]): string[] {
  const wayOf = ({ kind, file, message, id }: Finding) =>
    kind === 'header' && file !== undefined
      ? `${id.split('/')[0]} ${message.replace(file, '')}`
      : `${id} ${kind} ${message}`;
  const alike = new Map<string, Finding[]>();
  for (const finding of odd) alike.set(wayOf(finding), [...(alike.get(wayOf(finding)) ?? []), finding]);
  return [...alike.values()].map((findings) => {
    const line = findingLine('odd', itemAt(findings, 0));
    return findings.length === 1
      ? line
      : `${line} (and ${findings.length - 1} files more, which --json names)`;
  });
}

const findingLine = (mark: string, { id, kind, message }: Finding): string =>
  `${mark} ${id} [${kind}]: ${message}`;
