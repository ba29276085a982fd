import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openWorkerPool } from '../../src/threads/index.js';

const crops = new URL('../../src/dataset/crops/crop-loader.ts', import.meta.url).href;

it('worker threads may be ended at any moment of their start', async () => {
  // Node.js would end this process: of these pools one or more would be closed while its threads load their module.
  let closed = 0;
  for (let ms = 0; ms < 90; ms += 1.5) {
    const pool = openWorkerPool(crops, './crop-worker.js', { minThreads: 2, maxThreads: 2 });
    await setTimeout(ms);
    await pool.close();
    closed++;
  }
  expect(closed).toBe(60);
});
