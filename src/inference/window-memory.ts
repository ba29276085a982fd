import { byteSize } from '../byte-size.js';
import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { type Network, spatialSize } from '../network/index.js';
import type { WindowSettings } from './sliding-window.js';

/** Windows were measured to take 5 (UNet, SegResNet) to 22 times (UNETR) what a training pass keeps of the encoder. */
const leastShare = 2;

/**
 * Refuses windows that cannot fit in memory, by what is known without running one.
 * @param free bytes
 * @throws UsageError
 */
export function requireWindowMemory(
  network: Network,
  { window, windowBatch }: Pick<WindowSettings, 'window' | 'windowBatch'>,
  free: number = freeMemory(),
): void {
  const needed = leastShare * network.encoderBytes(windowBatch, spatialSize(window));
  if (needed <= free) return;
  throw new UsageError(
    `inference.window [${window}] with inference.windowBatch ${windowBatch} needs at least ${byteSize(needed)} of memory, but ` +
      `${byteSize(free)} is free: make one of them smaller`,
    { field: 'inference.window', found: needed, expected: free },
  );
}
