import { z } from 'zod';
import { DataError, UsageError } from '../../errors.js';
import { firstIssue } from '../../first-issue.js';
import { readText } from '../../text-file.js';
import { type DatasetFile, parseJson } from './dataset-file.js';

const splitFile = z.record(
  z.string(),
  z.strictObject({
    training: z.array(z.string()).optional(),
    validation: z.array(z.string()).optional(),
    test: z.array(z.string()).optional(),
  }),
);

/**
 * The dataset index with the splits of a file of the user's, `{dataset: {training: [name], validation:
 * [name], test: [name]}}`, beside those it has itself. Cases that neither names are drawn.
 * @throws DataError when the file is missing, UsageError when
 *   it has another form or names a dataset that the index lacks
 */
export async function withSplitFile(index: DatasetFile, file: string | undefined): Promise<DatasetFile> {
  if (file === undefined) return index;
  const text = await readText(
    file,
    (cause) => new DataError(`split file ${file} cannot be read: check the path`, { file }, { cause }),
  );
  const content = parseJson(text, file);
  const parsed = splitFile.safeParse(content);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error, content);
    const expected = '{"dataset": {"training": ["case"], "validation": ["case"]}}';
    throw new UsageError(`${file}: ${field}: ${message}; expected ${expected}`, { file });
  }
  const unknown = Object.keys(parsed.data).find((name) => !(name in index.datasets));
  if (unknown !== undefined) {
    throw new UsageError(
      `${file} names the dataset "${unknown}", which ${index.file} lacks: it has ${Object.keys(index.datasets).join(', ')}`,
      {
        file,
      },
    );
  }
  const datasets = Object.entries(index.datasets).map(([name, entry]) => {
    const own = entry.splits ?? {};
    const given = parsed.data[name] ?? {};
    const both = (split: 'training' | 'validation' | 'test') => [
      ...new Set([...(own[split] ?? []), ...(given[split] ?? [])]),
    ];
    return [
      name,
      {
        ...entry,
        splits: { training: both('training'), validation: both('validation'), test: both('test') },
      },
    ] as const;
  });
  return { ...index, datasets: Object.fromEntries(datasets) };
}
