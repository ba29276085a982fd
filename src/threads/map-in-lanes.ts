import { itemAt } from '../at.js';

/**
 * What `of` makes of each item, in the order of the items, up to `lanes` of them at a time. When one fails,
 * no other is begun.
 * @throws what `of` throws first
 */
export async function mapInLanes<Item, Result>(
  items: readonly Item[],
  lanes: number,
  of: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const place = next++;
      try {
        results[place] = await of(itemAt(items, place));
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  return results;
}
