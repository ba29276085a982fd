import type { z } from 'zod';
import { itemAt } from './at.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * The first thing that a schema found wrong: the path of the field ("" for the whole), and what is wrong with it.
 * @param content what the schema was given; the message then says what was found there and what is expected,
 *   also where a field may be of several kinds
 */
export function firstIssue(error: z.ZodError, content?: unknown): { field: string; message: string } {
  const issue = itemAt(error.issues, 0);
  if (content === undefined) return { field: issue.path.join('.'), message: issue.message };
  const { path, expected } = innermost(issue, []);
  const field = path.join('.');
  return { field, message: expected.ownSentence ?? sentence(valueAt(content, path), expected.text) };
}

/**
 * What a field should have been, and where the fault is, inside the alternatives of a union too.
 * @returns words to complete "must be ...", or a sentence about the field that says all
 */
export function expectedBySchema(error: z.ZodError): {
  readonly path: Path;
  readonly text: string;
  readonly ownSentence?: string;
} {
  const { path, expected } = innermost(itemAt(error.issues, 0), []);
  return { path, ...expected };
}

/** What a field should have been: words to complete "expected ...", or a sentence that says all. */
interface Expected {
  readonly text: string;
  readonly ownSentence?: string;
}

/** Where the fault is and what is expected there, inside the alternatives of a union too. */
function innermost(issue: Issue, above: Path): { path: Path; expected: Expected } {
  const path = [...above, ...issue.path];
  if (issue.code !== 'invalid_union') return { path, expected: expectedBy(issue) };
  if (issue.errors.length === 0) return { path, expected: { text: oneOf(optionsOf(issue)) } };
  // An alternative whose fault lies deeper is of the kind that was meant; without one, all are possible.
  const [meant] = issue.errors
    .map((issues) => itemAt(issues, 0))
    .filter(({ path: inner }) => inner.length > 0)
    .sort((a, b) => b.path.length - a.path.length);
  if (meant) return innermost(meant, path);
  const texts = issue.errors.map((issues) => {
    const { expected } = innermost(itemAt(issues, 0), path);
    return expected.ownSentence ?? expected.text;
  });
  return { path, expected: { text: [...new Set(texts)].join(' or ') } };
}

/** The words that tell the alternatives apart; one that may be absent is none. */
const optionsOf = (issue: Issue): unknown[] =>
  'options' in issue ? [issue.options].flat().filter((option) => option !== undefined) : [];

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list [...]',
  tuple: 'a list [...]',
  object: 'an object {...}',
  record: 'an object {...}',
  null: 'null',
};

function expectedBy(issue: Issue): Expected {
  switch (issue.code) {
    case 'invalid_type':
      // A schema that says nothing itself has "Invalid input: expected string".
      if (!issue.message.startsWith('Invalid input')) return { text: issue.message };
      return { text: kinds[issue.expected] ?? issue.expected };
    case 'invalid_value':
      return { text: oneOf(issue.values) };
    case 'invalid_key':
      return {
        text: '',
        ownSentence: `the key ${described(issue.path.at(-1))} ${innerMessage(issue.issues)}`,
      };
    case 'unrecognized_keys':
      return { text: '', ownSentence: `has no key ${issue.keys.map((key) => `"${key}"`).join(', ')}` };
    case 'invalid_format':
      if (!issue.message.startsWith('Invalid')) return { text: issue.message, ownSentence: issue.message };
      return { text: `text of the form ${issue.pattern ?? issue.format}` };
    case 'too_small':
      return { text: `${amount(issue.origin)}${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}` };
    case 'too_big':
      return { text: `${amount(issue.origin)}${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}` };
    default:
      return { text: issue.message, ownSentence: issue.message };
  }
}

const innerMessage = (issues: readonly Issue[]): string => issues[0]?.message ?? 'is not allowed';

const amount = (origin: string): string =>
  ({
    array: 'a list whose length is ',
    string: 'text whose length is ',
    number: 'a number ',
    int: 'a number ',
  })[origin] ?? '';

const oneOf = (values: readonly unknown[]): string =>
  values.map((value) => JSON.stringify(value) ?? String(value)).join(' or ');

function sentence(found: unknown, expected: string): string {
  return found === undefined
    ? `is missing; expected ${expected}`
    : `found ${described(found)}, expected ${expected}`;
}

/** A value in a few words, so that somebody finds it in the file. */
function described(value: unknown): string {
  const kind = Array.isArray(value)
    ? 'the list '
    : typeof value === 'object' && value !== null
      ? 'the object '
      : '';
  return kind + shortJson(value);
}

/** A value as JSON, of which the beginning alone is shown where it is long. */
export const shortJson = (value: unknown): string => shortText(JSON.stringify(value) ?? String(value));

/** The beginning of what others wrote, where it is long: an error is one sentence. */
export const shortText = (text: string): string =>
  text.length > longest ? `${text.slice(0, longest)}...` : text;

const longest = 80;

function valueAt(content: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inside, key) =>
      typeof inside === 'object' && inside !== null
        ? (inside as Record<PropertyKey, unknown>)[key]
        : undefined,
    content,
  );
}
