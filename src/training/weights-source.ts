import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type PreparedIndex, type Preprocessing, preprocessingSchema } from '../dataset/index.js';
import { DataError, errorCode } from '../errors.js';
import { jsonOrUndefined } from '../json.js';

/**
 * The weights file that a path means: itself, or of a run folder its last weights, or its best where those are
 * asked for and there.
 * @throws DataError when there is no such file, or no weights in the folder
 */
export async function weightsFile(path: string, prefer: 'last' | 'best' = 'last'): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    const why = errorCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read (${errorCode(cause)})`;
    throw new DataError(
      `the weights file ${path} ${why}: give a .safetensors file or the folder of a run`,
      { file: path },
      { cause },
    );
  });
  if (!found.isDirectory()) return path;
  const names = prefer === 'best' ? ['best', 'last'] : ['last', 'best'];
  const files = names.map((name) => join(path, 'checkpoints', `${name}.safetensors`));
  const file = files.find((candidate) => existsSync(candidate));
  if (file !== undefined) return file;
  throw new DataError(
    `${path} holds no weights: ${files[0]} is expected, which a run writes with its first checkpoint`,
    { file: path },
  );
}

const modality = z.enum(['ct', 'mr']);

/** What weights were trained on, as their file says. */
export interface Preparation {
  readonly preprocessing?: Preprocessing | undefined;
  readonly modality?: z.infer<typeof modality> | undefined;
}

/** What a file's metadata says of the scans that its weights were trained on; older ones say less. */
export function preparationOf(metadata: Readonly<Record<string, string>>): Preparation {
  const preprocessing = preprocessingSchema.safeParse(jsonOrUndefined(metadata.preprocessing ?? ''));
  const said = modality.safeParse(metadata.modality);
  return {
    ...(preprocessing.success && { preprocessing: preprocessing.data }),
    ...(said.success && { modality: said.data }),
  };
}

/** The same for metadata of weights that are trained on a case. */
export function preparationMetadata(
  { datasets }: Pick<PreparedIndex, 'datasets'>,
  { dataset, preprocessing }: PreparedIndex['cases'][number],
): Record<string, string> {
  const of = datasets[dataset]?.modality;
  return { preprocessing: JSON.stringify(preprocessing), ...(of && { modality: of }) };
}

/**
 * In what the scans that weights were trained on differ from those that they now meet, both values named;
 * undefined where they do not, or nothing is known.
 */
export function preparationDifference(
  file: string,
  trained: Preparation,
  now: Preparation,
): string | undefined {
  const [before, after] = [trained.preprocessing, now.preprocessing];
  const millimetres = ({ spacing }: Preprocessing) =>
    spacing === null ? 'their own' : `${spacing.join(' x ')} mm`;
  const intensity = ({ intensity: scaling, windowHu }: Preprocessing) =>
    scaling === 'ct-window' ? `the window [${windowHu.join(', ')}] HU` : `"${scaling}"`;
  const pairs: (readonly [what: string, trained: string, now: string])[] = [
    ...(trained.modality && now.modality
      ? [['modality', trained.modality.toUpperCase(), now.modality.toUpperCase()] as const]
      : []),
    ...(before && after
      ? [
          ['spacing', millimetres(before), millimetres(after)] as const,
          ['intensity', intensity(before), intensity(after)] as const,
        ]
      : []),
  ];
  const differing = pairs.filter(([, one, other]) => one !== other);
  if (differing.length === 0) return undefined;
  const said = differing.map(([what, one, other]) => `${what}: ${one} there, ${other} here`);
  return `the weights in ${file} were trained on other scans (${said.join('; ')}): features may not carry over`;
}
