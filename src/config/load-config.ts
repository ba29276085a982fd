import { dirname } from 'node:path';
import { parseDocument, visit, YAMLError } from 'yaml';
import { z } from 'zod';
import { itemAt } from '../at.js';
import { DataError, UsageError } from '../errors.js';
import { expectedBySchema, shortJson, shortText } from '../first-issue.js';
import { readText } from '../text-file.js';
import { nearestName } from './nearest-name.js';
import { inheritedName, isInheritedName, overlaid, type Section } from './overlay.js';
import { configFile } from './shipped-configs.js';

/**
 * Reads a YAML configuration, applies `--set key=value` overrides and checks it.
 * @param file a YAML file, or the name of a configuration that the package ships, see `configFile`
 * @param overrides such as `train.steps=10`; values are YAML
 * @throws DataError when the file is missing, UsageError naming the file, the key, what was found and what
 *   was expected
 */
export async function loadConfig<S extends z.ZodType>(
  schema: S,
  file: string,
  overrides: readonly string[] = [],
): Promise<z.infer<S>> {
  return checkConfig(schema, await readConfig(file, overrides), file);
}

/**
 * What `loadConfig` checks: the file upon what it extends, and the overrides. Parameters and errors as there.
 * @param absent sections for those that the file does not have, such as the network of given weights
 */
export async function readConfig(
  file: string,
  overrides: readonly string[] = [],
  absent: Section = {},
): Promise<Section> {
  const content = { ...(await readExtended(await configFile(file))) };
  for (const [name, section] of Object.entries(absent)) content[name] ??= section;
  for (const override of overrides) applyOverride(content, override);
  return content;
}

/** Bytes of a configuration: the longest that is shipped has some 5 KB, and a list of 10,000 names 200 KB. */
const mostConfig = 2 ** 20;

/** Settings that come from `--set key=value` alone, over a schema's defaults. Throws as `loadConfig` does. */
export function loadSettings<S extends z.ZodType>(schema: S, overrides: readonly string[]): z.infer<S> {
  const content: Record<string, unknown> = {};
  for (const override of overrides) applyOverride(content, override);
  return checkConfig(schema, content, '--set');
}

/** Settings of a section as overrides, `section.key=value`, for `loadSettings`. */
export const overridesOf = (section: string, settings: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(settings).map(([key, value]) => `${section}.${key}=${JSON.stringify(value)}`);

/** A configuration that is already in memory, checked. `source` names it in errors. */
export function checkConfig<S extends z.ZodType>(schema: S, content: unknown, source: string): z.infer<S> {
  const { success, data, error } = schema.safeParse(content);
  if (success) return data;
  const issue = itemAt(error.issues, 0);
  throw new UsageError(`${source}: ${sentence(error, schema, content)}`, {
    file: source,
    field: issue.path.join('.'),
  });
}

/**
 * The content of a configuration, laid upon those that its key `extends` names (one or several, files
 * relative to it or shipped ones; later ones upon earlier ones).
 */
async function readExtended(file: string, within: readonly string[] = []): Promise<Section> {
  if (within.includes(file))
    throw new UsageError(`${file} extends itself, by way of ${within.at(-1)}`, { file, field: 'extends' });
  const text = await readText(
    file,
    (cause) =>
      new DataError(`configuration ${file} cannot be read: check its permissions`, { file }, { cause }),
    mostConfig,
  );
  const { extends: bases, ...own } = parsed(text, file);
  if (bases === undefined) return own;
  const names = [bases].flat();
  if (!names.every((name) => typeof name === 'string')) {
    throw new UsageError(
      `${file}: "extends" is ${shortJson(bases)}, but must be a file name or a list of them`,
      { file, field: 'extends' },
    );
  }
  let content: Section = {};
  for (const name of names)
    content = overlaid(content, await readExtended(await configFile(name, dirname(file)), [...within, file]));
  return overlaid(content, own);
}

/**
 * The content of a text in YAML: groups, lists, texts, numbers, true, false and null. Other types that its tags can make,
 * such as bytes or dates, are no settings, and a run's folder could not keep them.
 * @throws Error that says what is wrong
 */
function plainYaml(text: string): unknown {
  const document = parseDocument(text);
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong) throw wrong;
  visit(document, {
    Node: (_, { tag }) => {
      if (tag !== undefined && !plainTags.test(tag))
        throw new Error(
          `the tag ${tag} makes what is no text, number, list or group of keys: write it without one`,
        );
    },
  });
  return document.toJS();
}

const plainTags = /^(!|tag:yaml\.org,2002:(str|int|float|bool|null|map|seq))$/;

function parsed(text: string, file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = plainYaml(text);
  } catch (cause) {
    const line = cause instanceof YAMLError ? cause.linePos?.[0].line : undefined;
    const what = reasonOf(cause);
    throw new UsageError(
      `${file}${line ? ` line ${line}` : ''} is not valid YAML: ${what}`,
      { file },
      { cause },
    );
  }
  const name = inheritedName(content);
  if (name !== undefined)
    throw new UsageError(`${file} has a key "${name}", which no setting is named: remove it`, {
      file,
      field: name,
    });
  if (isRecord(content)) return content;
  throw new UsageError(
    `${file} holds ${content === null ? 'nothing' : typeof content}, but a configuration of keys ` +
      `and values is expected`,
    {
      file,
    },
  );
}

/** Why a text is no YAML, in a line. The parser has no bound of its own but the stack. */
function reasonOf(cause: unknown): string {
  const [what = ''] = String(cause instanceof Error ? cause.message : cause).split('\n');
  return /call stack/.test(what) ? 'lists and groups lie within each other too deep' : shortText(what);
}

function applyOverride(content: Record<string, unknown>, override: string): void {
  const at = override.indexOf('=');
  if (at < 1)
    throw new UsageError(`--set ${shortText(override)} has no "=": write it as --set train.steps=10`, {
      field: '--set',
      found: override,
    });
  const path = override.slice(0, at);
  const dot = path.lastIndexOf('.');
  const [groups, last] = dot < 0 ? [[], path] : [path.slice(0, dot).split('.'), path.slice(dot + 1)];
  const wrong = [...groups, last].find((key) => key === '' || isInheritedName(key));
  if (wrong !== undefined) {
    throw new UsageError(
      `--set ${shortText(override)}: "${wrong}" is no name of a setting: write it as --set train.steps=10`,
      { field: '--set', found: override },
    );
  }
  let section = content;
  for (const key of groups) {
    const next = (Object.hasOwn(section, key) ? section[key] : undefined) ?? {};
    if (!isRecord(next))
      throw new UsageError(`--set ${shortText(override)}: ${key} is a value, not a group of keys`, {
        field: path,
      });
    section[key] = next;
    section = next;
  }
  section[last] = parsedValue(override, override.slice(at + 1));
}

function parsedValue(override: string, text: string): unknown {
  let value: unknown;
  try {
    value = plainYaml(text);
  } catch (cause) {
    const what = reasonOf(cause);
    throw new UsageError(
      `--set ${shortText(override)}: the value is not valid YAML: ${what}`,
      { field: '--set', found: override },
      { cause },
    );
  }
  if (inheritedName(value) === undefined) return value;
  throw new UsageError(`--set ${shortText(override)}: the value has a key that no setting is named`, {
    field: '--set',
    found: override,
  });
}

function sentence(error: z.ZodError, schema: z.ZodType, content: unknown): string {
  const issue = itemAt(error.issues, 0);
  if (issue.code === 'unrecognized_keys') {
    const key = itemAt(issue.keys, 0);
    const full = [...issue.path, key].join('.');
    const nearest = nearestName(key, keysAt(schema, issue.path, content));
    return `there is no key "${full}"${nearest ? `; did you mean "${[...issue.path, nearest].join('.')}"?` : ''}`;
  }
  if (issue.code === 'custom') return issue.message;
  const { path, text, ownSentence } = expectedBySchema(error);
  const found = path.reduce<unknown>(
    (value, key) => (isRecord(value) || Array.isArray(value) ? Reflect.get(value, key) : undefined),
    content,
  );
  const field = path.join('.');
  if (ownSentence !== undefined) return `"${field}": ${ownSentence}`;
  return found === undefined
    ? `"${field}" is missing: it must be ${text}`
    : `"${field}" is ${shortJson(found)}, but must be ${text}`;
}

/**
 * The keys that the schema knows at a path; of a section with a form for each `name`, those of the form that
 * the content names.
 */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[], content: unknown): string[] {
  let value = content;
  let node = formOf(unwrapped(schema), value);
  for (const key of path) {
    value = isRecord(value) ? Reflect.get(value, key) : undefined;
    node = formOf(unwrapped(partOf(partOf(node, 'shape'), key)), value);
  }
  const shape = partOf(node, 'shape');
  return isRecord(shape) ? Object.keys(shape) : [];
}

/** A schema without the defaults around it and what is done to its input. */
function unwrapped(schema: unknown): unknown {
  const def = partOf(schema, 'def');
  const inner = partOf(def, 'innerType') ?? partOf(def, 'out');
  return inner ? unwrapped(inner) : schema;
}

/** Of a union of forms told apart by their `name`, the one of this value, or the first. */
function formOf(schema: unknown, value: unknown): unknown {
  const options = partOf(partOf(schema, 'def'), 'options');
  if (!Array.isArray(options)) return schema;
  const name = isRecord(value) ? value.name : undefined;
  const takesName = (form: unknown) => {
    const ofName = partOf(partOf(form, 'shape'), 'name');
    return ofName instanceof z.ZodType && ofName.safeParse(name).success;
  };
  return options.find(takesName) ?? options[0];
}

/** What a part of a schema has under a key; undefined where it has nothing. */
const partOf = (value: unknown, key: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
