import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { DataError, errorCode, UsageError } from '../../errors.js';
import { firstIssue } from '../../first-issue.js';
import { readText } from '../../text-file.js';
import { type DatasetEntry, datasetFolder, resolveSourcePath } from './dataset-file.js';
import { linearPattern } from './linear-pattern.js';
import type { ListedCase } from './listed-case.js';

/** Cases that belong together, with their groups, and the file that said so, if one did. */
export interface GroupedCases {
  readonly cases: readonly ListedCase[];
  readonly file?: string;
}

/**
 * Gives each case the group that the index says, by a pattern or a file; else the one that its layout knows;
 * else the subject of a BIDS name (`sub-01_ses-02`). `groups: false` gives none.
 * @param file the index, for errors and relative paths
 * @throws UsageError for a pattern that is none, or finds nothing in a name; DataError for a file that cannot be
 * read, has another form, or lacks a case
 */
export async function groupedCases(
  dataset: string,
  cases: readonly ListedCase[],
  entry: DatasetEntry,
  file: string,
): Promise<GroupedCases> {
  const { groups } = entry;
  const field = `datasets.${dataset}.groups`;
  if (groups === false) return { cases: cases.map(({ group: _, ...listed }) => listed) };
  if (groups === undefined) return { cases: cases.map(withSubject) };
  if (!/\.csv$/i.test(groups)) return { cases: byPattern(cases, groups, file, field) };
  const path = resolveSourcePath(groups, datasetFolder(dataset, entry, file), file, field);
  return { cases: byFile(dataset, cases, path, await readGroups(path)), file: path };
}

/** As BIDS names what belongs to one subject. A name that begins with other words may be of any folder. */
const subject = /(?:^|_)(?<subject>sub-[A-Za-z0-9]+)/;

function withSubject(listed: ListedCase): ListedCase {
  const found = subject.exec(listed.name)?.groups?.subject;
  return listed.group === undefined && found !== undefined ? { ...listed, group: found } : listed;
}

function byPattern(
  cases: readonly ListedCase[],
  groups: string,
  file: string,
  field: string,
): readonly ListedCase[] {
  const wrong = (what: string) => new UsageError(`${file}: ${field} ${what}`, { file, field, found: groups });
  const example = 'such as "^(patient[0-9]+)_", whose brackets find the patient';
  if (!isExpression(groups))
    throw wrong(
      `is "${groups}", which is neither a CSV file nor a regular expression: write one, ${example}`,
    );
  const pattern = linearPattern(groups);
  if ('problem' in pattern)
    throw wrong(
      `is "${groups}", which cannot be searched for in a time that is bounded (${pattern.problem}): write it without ` +
        `lookaheads, lookbehinds and back references, ${example}`,
    );
  return cases.map((listed) => {
    const match = pattern(listed.name);
    const parts = match?.slice(1).filter((part) => part !== undefined && part !== '') ?? [];
    if (match && match.length === 1)
      throw wrong(`is "${groups}", which has no brackets: write a pattern ${example}`);
    if (parts.length > 0) return { ...listed, group: parts.join('_') };
    throw wrong(
      `is "${groups}", which finds nothing in the case "${listed.name}": ` +
        'write a pattern that finds the group of every case; "(...)|(...)" takes names of two kinds',
    );
  });
}

function isExpression(text: string): boolean {
  try {
    return Boolean(new RegExp(text));
  } catch {
    return false;
  }
}

const groupRow = z.looseObject({ case: z.string().min(1), group: z.string().min(1) });

/** The group of each case that a CSV file with the columns "case" and "group" lists. */
async function readGroups(file: string): Promise<Map<string, string>> {
  const expected = 'a first line "case,group" and a line a case';
  const text = await readText(file, (cause) => {
    const why = errorCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read (${errorCode(cause)})`;
    return new DataError(
      `the file of groups ${file} ${why}: correct "groups" in the dataset index`,
      { file },
      { cause },
    );
  });
  const groups = new Map<string, string>();
  for (const [i, row] of rowsOf(text, file, expected).entries()) {
    const parsed = groupRow.safeParse(row);
    if (!parsed.success) {
      const { field, message } = firstIssue(parsed.error);
      throw new DataError(`${file}: record ${i + 1}: ${field}: ${message}; expected ${expected}`, {
        file,
        field,
      });
    }
    const { case: name, group } = parsed.data;
    const other = groups.get(name);
    if (other !== undefined && other !== group) {
      throw new DataError(
        `${file} puts the case "${name}" into "${other}" and into "${group}": remove one line`,
        {
          file,
          found: name,
        },
      );
    }
    groups.set(name, group);
  }
  return groups;
}

function rowsOf(text: string, file: string, expected: string): readonly unknown[] {
  try {
    return parse(text, {
      bom: true,
      columns: (names: readonly string[]) => names.map((name) => name.trim().toLowerCase()),
      delimiter: delimiterOf(text),
      skip_empty_lines: true,
      trim: true,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`${file} is no CSV file: ${reason}; expected ${expected}`, { file }, { cause });
  }
}

/** Spreadsheets write commas, semicolons or tabs, by their language: the one that the first line has most of. */
function delimiterOf(text: string): string {
  const [first = ''] = text.split(/\r?\n/, 1);
  const times = (delimiter: string) => first.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, delimiter) => (times(delimiter) > times(best) ? delimiter : best));
}

function byFile(
  dataset: string,
  cases: readonly ListedCase[],
  file: string,
  groups: ReadonlyMap<string, string>,
): readonly ListedCase[] {
  return cases.map((listed) => {
    const group = groups.get(listed.name) ?? groups.get(`${dataset}/${listed.name}`);
    if (group !== undefined) return { ...listed, group };
    throw new DataError(
      `${file} has no line for the case "${listed.name}" of ${dataset}: add it; a case alone is a group of its own`,
      { file, found: listed.name },
    );
  });
}

/** Cases of one group in the order of their names, the groups in the order of their first names. */
export function groupsOf<T extends { readonly name: string; readonly group?: string | undefined }>(
  cases: readonly T[],
): T[][] {
  const groups = new Map<string, T[]>();
  for (const listed of [...cases].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    // A case without group is alone, also where another one's group has its name.
    const key = listed.group === undefined ? `case ${listed.name}` : `group ${listed.group}`;
    const known = groups.get(key);
    if (known) known.push(listed);
    else groups.set(key, [listed]);
  }
  return [...groups.values()];
}
