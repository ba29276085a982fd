/** Words that name a side; two classes that differ by one of a pair alone tell the sides apart. */
const pairs = [
  ['left', 'right'],
  ['anterior', 'posterior'],
  ['superior', 'inferior'],
  ['upper', 'lower'],
  ['front', 'back'],
  ['l', 'r'],
] as const;

/**
 * Two classes that are told apart by their side, such as the left and the right kidney: mirrored crops would
 * teach that they are one. Undefined where there are none.
 */
export function sidedClasses(names: readonly string[]): readonly [string, string] | undefined {
  const words = (name: string) =>
    name
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter(Boolean);
  for (const first of names) {
    for (const second of names) {
      const [a, b] = [words(first), words(second)];
      if (a.length !== b.length) continue;
      const differing = a.flatMap((word, i) => (word === b[i] ? [] : [[word, b[i]] as const]));
      const [only, more] = differing;
      if (only === undefined || more !== undefined) continue;
      if (pairs.some(([one, other]) => only[0] === one && only[1] === other)) return [first, second];
    }
  }
  return undefined;
}
