import { describe, expect, it } from 'vitest';
import { mostWorkers, workerChooser } from '../../../src/dataset/crops/worker-count.js';

const plenty = { cores: 64, processes: 1, freeBytes: 2 ** 40, bytesOfWorker: 2 ** 28 };

/** What is chosen over batches that all take as long. */
function chosen(make: number, step: number, batches = 60, limits = plenty) {
  const choose = workerChooser(mostWorkers(limits));
  return Array.from({ length: batches }, () => choose(make, step)).filter((choice) => choice !== undefined);
}

describe('the threads of auto', () => {
  it('stay one where a batch is made while its step lasts, with a quarter to spare', () => {
    expect(chosen(0.01, 4)).toEqual([]);
    expect(chosen(0.08, 0.1)).toEqual([]);
    expect(chosen(0.081, 0.1)).toHaveLength(1);
  });

  it('become as many as keep up with the steps, once, and say why', () => {
    expect(chosen(0.42, 0.12)).toEqual([
      {
        workers: 5, // 1.25 * 3.5, rounded up
        reason:
          '5 threads make crops from here on: a batch takes 420.0 ms to make and 120.0 ms to learn from',
      },
    ]);
  });

  it.each([
    ['cores', { cores: 4 }, 3, 'there are no more cores'],
    ['cores of several processes', { cores: 16, processes: 4 }, 3, 'there are no more cores'],
    ['memory', { freeBytes: 2 ** 30 }, 2, 'the free memory allows no more'],
    [
      'memory of several processes',
      { freeBytes: 2 ** 32, processes: 4 },
      2,
      'the free memory allows no more',
    ],
  ])('are no more than the %s allow, which the reason says', (_, limits, workers, because) => {
    const [choice] = chosen(1, 0.05, 60, { ...plenty, ...limits });
    expect(choice?.workers).toBe(workers);
    expect(choice?.reason).toBe(
      `${workers} threads make crops from here on: a batch takes 1.0 s to make and 50.0 ms to learn from, and 25 would keep up, but ${because}`,
    );
  });

  it('are one on a machine of one core, or with next to no memory', () => {
    expect(mostWorkers({ ...plenty, cores: 1 }).most).toBe(1);
    expect(mostWorkers({ ...plenty, freeBytes: 10 }).most).toBe(1);
  });

  it('do not follow a validation, a slow file or the first steps', () => {
    const choose = workerChooser(mostWorkers(plenty));
    for (let batch = 0; batch < 4; batch++) expect(choose(9, 0.001)).toBeUndefined();
    for (let batch = 0; batch < 48; batch++) {
      const [make, step] = [batch % 16 === 3 ? 60 : 0.05, batch % 16 === 9 ? 600 : 0.1];
      expect(choose(make, step)).toBeUndefined();
    }
  });

  it('are counted over the replicas of a step, whose batches are asked for at once', () => {
    const choose = workerChooser(mostWorkers(plenty));
    const choices = Array.from({ length: 20 }, (_, batch) => choose(0.1, batch % 4 === 3 ? 0.4 : 0));
    expect(choices.filter(Boolean)).toEqual([expect.objectContaining({ workers: 2 })]); // 0.1 s a batch, and the margin
  });

  it('never become fewer', () => {
    const choose = workerChooser(mostWorkers(plenty));
    const choices = Array.from({ length: 80 }, (_, batch) => choose(batch < 30 ? 0.5 : 0.01, 0.1));
    expect(choices.filter(Boolean)).toHaveLength(1);
  });
});
