import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mapInLanes } from '../../src/threads/map-in-lanes.js';

it('gives results in the order of the items, however they end, and never works on more at a time than it may', async () => {
  let [running, most] = [0, 0];
  const twice = async (item: number): Promise<number> => {
    most = Math.max(most, ++running);
    await setTimeout((item * 7) % 5);
    running--;
    return 2 * item;
  };
  const items = Array.from({ length: 20 }, (_, i) => i);
  expect(await mapInLanes(items, 3, twice)).toEqual(items.map((item) => 2 * item));
  expect(most).toBe(3);
  expect(await mapInLanes([], 3, twice)).toEqual([]);
});

it('begins nothing more when one has failed', async () => {
  const begun: number[] = [];
  const failing = async (item: number) => {
    begun.push(item);
    await setTimeout(1);
    if (item === 1) throw new Error('one');
  };
  await expect(mapInLanes([0, 1, 2, 3, 4, 5], 2, failing)).rejects.toThrow('one');
  await setTimeout(10);
  expect(begun.length).toBeLessThan(6);
});
