/** Names in one line; of a long list the first ten, and how many there are besides. */
export function shortList(names: readonly string[]): string {
  const left = names.length - most;
  return left > 1 ? `${names.slice(0, most).join(', ')} and ${left} others` : names.join(', ');
}

const most = 10;
