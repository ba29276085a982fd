import { UsageError } from '../errors.js';
import type { Network } from '../network/index.js';

/**
 * Refuses a network that a method was not made for.
 * @param why what the method needs of its network, to end the sentence "... because it ..."
 * @throws UsageError naming the method, the network found and the one expected
 */
export function requireNetwork(method: string, { name }: Network, expected: string, why: string): void {
  if (name === expected) return;
  throw new UsageError(
    `method.name ${method} goes with network.name ${expected} alone, because it ${why}, but ` +
      `network.name is ${name}`,
    {
      field: 'network.name',
      found: name,
      expected,
    },
  );
}
