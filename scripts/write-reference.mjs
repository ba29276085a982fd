// Writes the pages of docs that list every setting and every command, from the schemas that the program checks files by and from its own help.
// Usage: node scripts/write-reference.mjs, after the sources are compiled
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandParser } from '../dist/cli/parser.js';
import { jsonSchemas } from '../dist/config/index.js';

const clone = dirname(dirname(fileURLToPath(import.meta.url)));

/** Each kind of file, what it is, and where it is explained. */
const files = {
  pretrain: ['A pre-training configuration', 'pretrain'],
  finetune: ['A fine-tuning configuration', 'finetune'],
  predict: ['What `predict --set` takes', 'predict'],
  experiment: ['An experiment', 'experiment'],
  datasets: ['A dataset index', 'prepare'],
  preset: ['A preset of `predict`', 'predict'],
  task: ['A task', 'evaluate'],
};

/** The pages by their files. */
export async function referencePages() {
  return { 'docs/reference-settings.md': settingsPage(), 'docs/reference-commands.md': await commandsPage() };
}

function settingsPage() {
  const schemas = jsonSchemas();
  const parts = Object.entries(files).map(([name, [title, guide]]) => {
    const { else: whole = schemas[name] } = schemas[name];
    return `## ${title}\n\nExplained in [${guide}](${guide}.md).\n\n${tables(whole)}`;
  });
  return `# Every setting

By file, from the schemas that files are checked by. A key with dots is one of a group: \`train.steps\` is \`steps\` below \`train:\`, and
\`--set train.steps=100\` on the command line. \`*\` stands for a name of your own, \`[]\` for each item of a list. A key without a
default is required, unless its type says "optional".

${parts.join('\n\n')}
`;
}

/** The tables of a schema: one of its own keys, and one of each choice that it names. */
function tables(schema) {
  const own = [];
  const choices = [];
  collect(schema, '', own, choices);
  return [
    ...(own.length > 0 ? [table(own)] : []),
    ...choices.map(({ title, rows }) => `### ${title}\n\n${table(rows)}`),
  ].join('\n\n');
}

/** The keys below a path. Objects that are told apart by a word, such as the networks, become choices. */
function collect(schema, path, rows, choices) {
  for (const [name, value] of Object.entries(schema.properties ?? {})) {
    const key = path === '' ? name : `${path}.${name}`;
    addKey(key, value, schema.required?.includes(name) ?? false, rows, choices);
  }
}

function addKey(key, value, isRequired, rows, choices) {
  const variants = (value.anyOf ?? value.oneOf ?? []).filter(({ properties }) => properties);
  if (variants.length > 1) {
    for (const variant of variants) {
      const [word, told] =
        Object.entries(variant.properties).find(([, { const: only }]) => only !== undefined) ??
        choiceOf(variant);
      const names = told.const === undefined ? told.enum : [told.const];
      const found = { title: `${key}.${word}: ${names.join(', ')}`, rows: [] };
      choices.push(found);
      collect({ ...variant, properties: without(variant.properties, word) }, key, found.rows, choices);
    }
  } else if (value.properties) collect(value, key, rows, choices);
  else if (value.items?.properties) {
    if (value.description) rows.push(row(key, value, isRequired));
    collect(value.items, `${key}.[]`, rows, choices);
  } else if (holdsObjects(value.additionalProperties))
    addKey(`${key}.*`, value.additionalProperties, false, rows, choices);
  else rows.push(row(key, value, isRequired));
}

const holdsObjects = (values) =>
  [values ?? {}, ...(values?.anyOf ?? values?.oneOf ?? [])].some(
    ({ properties }) => properties !== undefined,
  );

/** A choice of several words, such as the layouts of public datasets. */
function choiceOf({ properties }) {
  const found = Object.entries(properties).find(
    ([, value]) => value.enum && ['layout', 'name'].includes(properties.layout === value ? 'layout' : 'name'),
  );
  if (!found) throw new Error(`nothing tells this choice from others: ${Object.keys(properties).join(', ')}`);
  return found;
}

const without = (properties, word) =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => name !== word));

function row(key, value, isRequired) {
  if (value.description === undefined) throw new Error(`${key} has no description in its schema`);
  const fallback = value.default === undefined ? '' : `\`${JSON.stringify(value.default)}\``;
  const type = `${typeOf(value)}${isRequired || fallback ? '' : ', optional'}`;
  return [`\`${key}\``, type, fallback, value.description].map((cell) =>
    cell.replaceAll('|', '\\|').replaceAll('<', '&lt;'),
  );
}

const table = (rows) =>
  [
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');

/** Bounds of whole numbers in JSON. */
const largest = Number.MAX_SAFE_INTEGER;

/** The type of a value in words. */
function typeOf(value) {
  const choices = value.anyOf ?? value.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(' or ');
  if (value.const !== undefined) return `\`${value.const}\``;
  if (value.enum) return value.enum.map((word) => `\`${word}\``).join(', ');
  if (Array.isArray(value.type)) return value.type.map((type) => typeOf({ ...value, type })).join(' or ');
  switch (value.type) {
    case 'integer':
      return `whole number${range(value)}`;
    case 'number':
      return `number${range(value)}`;
    case 'string':
      return 'text';
    case 'boolean':
      return '`true` or `false`';
    case 'null':
      return '`null`';
    case 'array':
      return Array.isArray(value.items)
        ? `list of ${value.items.length}: ${typeOf(value.items[0])}`
        : `list: ${typeOf(value.items ?? {})}`;
    case 'object':
      return 'names with values';
    default:
      return 'anything';
  }
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const low =
    exclusiveMinimum !== undefined
      ? ` above ${exclusiveMinimum}`
      : minimum !== undefined && minimum > -largest
        ? ` from ${minimum}`
        : '';
  const high =
    exclusiveMaximum !== undefined
      ? ` below ${exclusiveMaximum}`
      : maximum !== undefined && maximum < largest
        ? ` to ${maximum}`
        : '';
  return `${low}${high}`;
}

/** Columns that fit on a page. */
const columns = 100;

const helpOf = (args) => commandParser(args, async () => {}, columns).getHelp();

async function commandsPage() {
  const all = await helpOf([]);
  const names = [...all.matchAll(/^ {2}hybridmim ([a-z-]+)/gm)].map(([, name]) => name);
  if (names.length < 10) throw new Error('the help lists too few commands');
  const parts = [];
  for (const name of names)
    parts.push(`## ${name}\n\n\`\`\`text\n${(await helpOf([name])).trimEnd()}\n\`\`\``);
  return `# Every command

What \`hybridmim COMMAND --help\` prints. Guides with examples are in the list of commands at the side.

\`\`\`text
${all.trimEnd()}
\`\`\`

${parts.join('\n\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of Object.entries(await referencePages())) {
    const known = join(clone, file);
    let before;
    try {
      before = readFileSync(known, 'utf8');
    } catch {
      before = undefined;
    }
    if (before !== text) writeFileSync(known, text);
    process.stdout.write(`${file}${before === text ? ' is as it was' : ' written'}\n`);
  }
}
