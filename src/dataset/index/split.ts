import { UsageError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';
import type { DatasetFile, SplitName } from './dataset-file.js';
import type { ListedCase } from './listed-case.js';

/**
 * Training or validation for each case of a dataset: what the index fixes stays. Where it fixes cases for
 * validation, the rest trains; else the rest is split by the seed's "split" stream (`validationShare` of
 * them, at least one where there are two or more). Where some cases have labels, those without one all train:
 * nothing can be evaluated on them, and the labelled ones are drawn as if they were alone. The draw depends on the names alone, not on their order in
 * the index or on which cases turn out to be unusable.
 * @throws UsageError when `splits` names an unknown case or contradicts a case's own `split`
 */
export function assignSplits(
  dataset: string,
  cases: readonly ListedCase[],
  fixed: Readonly<Partial<Record<SplitName, readonly string[]>>>,
  { file, seed, validationShare }: Pick<DatasetFile, 'file' | 'seed' | 'validationShare'>,
): Map<string, SplitName> {
  const assigned = new Map<string, SplitName>(
    cases.flatMap(({ name, split }) => (split ? [[name, split] as const] : [])),
  );
  // A case that cannot be used as it is counts with those that it belongs to once it is whole.
  const unlabelled = new Set(
    cases
      .filter(({ label, problem }) => label === undefined && problem === undefined)
      .map(({ name }) => name),
  );
  const known = new Set(cases.map(({ name }) => name));
  for (const [split, names] of Object.entries(fixed) as [SplitName, readonly string[]][]) {
    for (const name of names) {
      const field = `datasets.${dataset}.splits.${split}`;
      if (!known.has(name))
        throw new UsageError(`${file}: ${field} names "${name}", which is no case of the dataset`, {
          file,
          field,
        });
      const other = assigned.get(name);
      if (other !== undefined && other !== split) {
        throw new UsageError(`${file}: ${field} names "${name}", which is in the ${other} split already`, {
          file,
          field,
        });
      }
      assigned.set(name, split);
    }
  }
  const mixed = cases.some(({ label }) => label !== undefined);
  if (mixed) for (const name of unlabelled) if (!assigned.has(name)) assigned.set(name, 'training');
  const open = [...known].filter((name) => !assigned.has(name)).sort();
  const drawn = ![...assigned.values()].includes('validation') && validationShare > 0 && open.length >= 2;
  const validationCount = drawn ? Math.max(1, Math.round(open.length * validationShare)) : 0;
  const shuffled = randomStream(seed, 'split').shuffle(open);
  for (const [rank, name] of shuffled.entries())
    assigned.set(name, rank < validationCount ? 'validation' : 'training');
  return assigned;
}
