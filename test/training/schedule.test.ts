import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learningRateAt, type Schedule, scheduleOf } from '../../src/training/schedule.js';

describe('the learning rate', () => {
  it('rises linearly over the warm-up and falls as half a cosine, as computed by hand', () => {
    const schedule: Schedule = { steps: 12, warmupSteps: 4, peak: 0.8 };
    const rates = Array.from({ length: 12 }, (_, step) => learningRateAt(step, schedule));
    const half = Math.SQRT1_2;
    const cosines = [
      1,
      Math.cos(Math.PI / 8),
      half,
      Math.sin(Math.PI / 8),
      0,
      -Math.sin(Math.PI / 8),
      -half,
      -Math.cos(Math.PI / 8),
    ];
    const expected = [0.2, 0.4, 0.6, 0.8, ...cosines.map((cosine) => 0.4 * (1 + cosine))];
    for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[step]!, 12);
  });

  it('is what PyTorch gives for LinearLR to the peak and CosineAnnealingLR to 0, one after the other', () => {
    // SequentialLR([LinearLR(start_factor=1 / w, total_iters=w - 1), CosineAnnealingLR(T_max=n - w)], [w]) by their recursive forms
    const [n, w, peak] = [40, 7, 1e-4];
    let [rate, step] = [peak / w, 0];
    for (; step < w; step++) {
      expect(learningRateAt(step, { steps: n, warmupSteps: w, peak })).toBeCloseTo(rate, 15);
      rate *= 1 + 1 / (step + 1);
    }
    rate = peak;
    for (; step < n; step++) {
      expect(learningRateAt(step, { steps: n, warmupSteps: w, peak })).toBeCloseTo(rate, 15);
      const [now, next] = [step - w, step - w + 1].map((t) => 1 + Math.cos((Math.PI * t) / (n - w))) as [
        number,
        number,
      ];
      rate *= next / now;
    }
  });

  it('rises, then falls, stays between 0 and the peak, and reaches the peak', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (steps, share) => {
          const warmupSteps = Math.round(share * steps);
          const rates = Array.from({ length: steps }, (_, step) =>
            learningRateAt(step, { steps, warmupSteps, peak: 1 }),
          );
          expect(Math.max(...rates)).toBe(1);
          for (let step = 0; step < steps; step++) {
            expect(rates[step]! > 0 && rates[step]! <= 1).toBe(true);
            if (step > 0 && step < warmupSteps) expect(rates[step]!).toBeGreaterThan(rates[step - 1]!);
            if (step > warmupSteps) expect(rates[step]!).toBeLessThan(rates[step - 1]!);
          }
        },
      ),
    );
  });
});

describe('the schedule of a run', () => {
  const settings = { learningRate: 1e-4, batchSize: 4 };

  it('counts epochs of which each shows every case once', () => {
    expect(scheduleOf({ ...settings, epochs: 2000, warmupEpochs: 50 }, 24)).toEqual({
      steps: 12_000,
      warmupSteps: 300,
      peak: 1e-4,
    });
    expect(scheduleOf({ ...settings, epochs: 3, warmupEpochs: 1 }, 10)).toEqual({
      steps: 8,
      warmupSteps: 3,
      peak: 1e-4,
    }); // 7.5 and 2.5, up
  });

  it('takes steps before epochs, and ends the warm-up with the run', () => {
    expect(
      scheduleOf({ ...settings, steps: 100, epochs: 7, warmupSteps: 5, warmupEpochs: 50 }, 24),
    ).toMatchObject({ steps: 100, warmupSteps: 5 });
    expect(scheduleOf({ ...settings, steps: 10, warmupEpochs: 50 }, 24)).toMatchObject({
      steps: 10,
      warmupSteps: 10,
    });
    expect(scheduleOf({ ...settings, steps: 10 }, 24)).toMatchObject({ warmupSteps: 0 });
  });

  it('has no step where neither steps nor epochs are given, and a rate even behind a run that is warm-up throughout', () => {
    expect(scheduleOf(settings, 24)).toEqual({ steps: 0, warmupSteps: 0, peak: 1e-4 });
    expect(learningRateAt(10, { steps: 10, warmupSteps: 10, peak: 0.5 })).toBe(0.5);
  });
});
