import { UsageError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';
import type { DatasetFile, SplitName } from './dataset-file.js';
import { groupsOf } from './groups.js';
import type { ListedCase } from './listed-case.js';

/**
 * Training or validation for each case of a dataset: what the index fixes stays, and what is of one group with
 * it goes with it. Where it fixes cases for validation, the rest trains; else the rest is split by the seed's
 * "split" stream (`validationShare` of them, at least one group where there are two or more). A group is drawn
 * as a whole. Where some cases have labels, those without one train, and the labelled ones are drawn as if they
 * were alone: nothing can be evaluated without a label. A scan without a label whose group is held out is put
 * aside, as a test scan. The draw depends on names and groups alone, not on their order in the index or on which
 * cases turn out to be unusable.
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
  const fixesValidation = [...assigned.values()].includes('validation');
  followGroups(cases, assigned);
  const mixed = cases.some(({ label }) => label !== undefined);
  const counts = ({ name }: ListedCase) => !mixed || !unlabelled.has(name);
  const open = groupsOf(cases.filter(({ name }) => !assigned.has(name)));
  const drawable = open.map((group) => group.filter(counts)).filter((group) => group.length > 0);
  const count = drawable.flat().length;
  const drawn = !fixesValidation && validationShare > 0 && drawable.length >= 2;
  const wanted = drawn ? Math.max(1, Math.round(count * validationShare)) : 0;
  const validating = new Set(drawnGroups(randomStream(seed, 'split').shuffle(drawable), wanted).flat());
  for (const group of open) {
    const heldOut = group.some((listed) => validating.has(listed));
    for (const listed of group)
      assigned.set(listed.name, heldOut ? (counts(listed) ? 'validation' : 'test') : 'training');
  }
  return assigned;
}

/** The sides in the order in which a case is held out by one of its group. */
const heldOutFirst = ['test', 'validation', 'training'] as const;

/**
 * Cases that nothing fixes go where one of their group was put, so that a patient is not on two sides. Test
 * scans without labels evaluate nothing, and take no other with them.
 */
function followGroups(cases: readonly ListedCase[], assigned: Map<string, SplitName>): void {
  for (const group of groupsOf(cases)) {
    const sides = group
      .filter(({ name, label, split }) => assigned.has(name) && (label !== undefined || split !== 'test'))
      .map(({ name }) => assigned.get(name));
    const side = heldOutFirst.find((split) => sides.includes(split));
    if (side === undefined) continue;
    for (const { name } of group) if (!assigned.has(name)) assigned.set(name, side);
  }
}

/**
 * Groups in their order as long as they fit into so many cases; where none fits, the smallest. Never all of
 * them.
 */
function drawnGroups<T>(groups: readonly (readonly T[])[], wanted: number): (readonly T[])[] {
  if (wanted === 0) return [];
  const drawn: (readonly T[])[] = [];
  let count = 0;
  for (const group of groups) {
    if (count + group.length > wanted || drawn.length === groups.length - 1) continue;
    drawn.push(group);
    count += group.length;
  }
  if (drawn.length > 0) return drawn;
  return groups.length < 2
    ? []
    : [groups.reduce((least, group) => (group.length < least.length ? group : least))];
}
