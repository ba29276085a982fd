// How much is drawn for a crop, counted: time would depend on the machine.
import { describe, expect, it, vi } from 'vitest';
import { planCrop, visitOrder } from '../../../src/dataset/crops/crop-plan.js';
import type { randomStream } from '../../../src/random/streams.js';
import type { Triple } from '../../../src/volume/index.js';

const drawn = { numbers: 0, shuffles: 0, shuffledItems: 0 };

vi.mock('../../../src/random/streams.js', async (original) => {
  const streams = (await original()) as { randomStream: typeof randomStream };
  const counted: typeof randomStream = (...name) => {
    const stream = streams.randomStream(...name);
    return {
      ...stream,
      uniform: () => {
        drawn.numbers++;
        return stream.uniform();
      },
      integer: (limit) => {
        drawn.numbers++;
        return stream.integer(limit);
      },
      shuffle: (items) => {
        drawn.shuffles++;
        drawn.shuffledItems += items.length;
        return stream.shuffle(items);
      },
    };
  };
  return { ...streams, randomStream: counted };
});

/** What is drawn for the crops of some steps, in their order, by one loader. */
function workOf(cases: number, steps: readonly number[], batchSize: number) {
  const size: Triple = [60, 50, 40];
  const options = {
    cases: Array.from({ length: cases }, () => ({ size, classVoxels: {} })),
    cropSize: [20, 20, 20] as Triple,
    batchSize,
    seed: 5,
    foregroundRatio: 0,
  };
  Object.assign(drawn, { numbers: 0, shuffles: 0, shuffledItems: 0 });
  const order = visitOrder(options.seed, cases);
  for (const step of steps) {
    for (let item = 0; item < batchSize; item++) planCrop(options, order, step, item, () => [0, 0, 0]);
  }
  return { ...drawn };
}

const firstSteps = (count: number, from = 0) => Array.from({ length: count }, (_, step) => from + step);

describe('the work of planning crops', () => {
  it('is the same for a crop of 100,000 cases as of 100, beside one order an epoch', () => {
    const [few, many] = [workOf(100, firstSteps(25), 4), workOf(100_000, firstSteps(25), 4)];
    expect(few).toEqual({ numbers: 400, shuffles: 1, shuffledItems: 100 });
    expect(many).toEqual({ numbers: 400, shuffles: 1, shuffledItems: 100_000 });
  });

  it('draws each order once where batches go from one epoch into the next, and after a step back', () => {
    // Seven cases, three a batch: steps 0 to 6 are visits 0 to 20, of three epochs.
    expect(workOf(7, firstSteps(7), 3).shuffles).toBe(3);
    expect(workOf(7, [2, 1, 2, 3, 2], 3).shuffles).toBe(2); // epochs 0 and 1 alone
  });

  it('draws the order of the epoch alone that a resumed run is in the middle of', () => {
    expect(workOf(100_000, firstSteps(10, 77_777), 4)).toMatchObject({ shuffles: 1, shuffledItems: 100_000 });
  });
});
