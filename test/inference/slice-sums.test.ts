import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { SLICE_KERNELS } from '../../src/inference/slice-kernels-binary.js';
import { openSliceSums } from '../../src/inference/slice-sums.js';
import { mirroredSteps } from '../../src/inference/windows.js';
import { randomStream } from '../../src/random/streams.js';

const { fround } = Math;

describe('sums of slices', () => {
  it('are added by the kernels of slice-kernels.wat as it stands', async () => {
    const text = readFileSync('src/inference/slice-kernels.wat', 'utf8');
    const parsed = (await wabt()).parseWat('slice-kernels.wat', text, { simd: true });
    expect(SLICE_KERNELS).toBe(Buffer.from(parsed.toBinary({}).buffer).toString('base64'));
  });

  it('have the bits of float32 sums of float32 products, and quotients of these, wherever they lie', async () => {
    const side = fc.integer({ min: 1, max: 7 });
    const cases = fc.record({
      window: fc.tuple(side, side),
      margin: fc.tuple(fc.nat(3), fc.nat(3)),
      channels: fc.integer({ min: 1, max: 9 }),
      mirrored: fc.tuple(fc.boolean(), fc.boolean()),
      mostBytes: fc.constantFrom(1, 3000, 2 ** 20),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(
        cases,
        async ({ window: [wx, wy], margin, channels, mirrored: [mx, my], mostBytes, seed }) => {
          const [nx, ny, slices] = [wx + margin[0], wy + margin[1], 3];
          const sums = await openSliceSums({ slices, size: [nx, ny], window: [wx, wy], channels, mostBytes });
          const stream = randomStream(seed, 'init', 0);
          const numbers = (length: number) => Float32Array.from({ length }, () => stream.normal());
          const expected = Array.from({ length: slices }, () => new Float32Array(nx * ny * channels));
          for (let slice = 0; slice < slices; slice++) sums.clear(slice);
          const { first, steps } = mirroredSteps([wx, wy, 1], [mx, my, false]);
          for (const slice of [0, 1, 1, 2, 1]) {
            const at = [
              Math.floor(stream.uniform() * (margin[0] + 1)),
              Math.floor(stream.uniform() * (margin[1] + 1)),
            ] as const;
            const [values, weights] = [numbers(wx * wy * channels), numbers(wx * wy)];
            sums.add(slice, at, { values, first, steps: [steps[0], steps[1]], weights });
            for (let y = 0; y < wy; y++) {
              for (let x = 0; x < wx; x++) {
                for (let c = 0; c < channels; c++) {
                  const into = c + channels * (at[0] + x + nx * (at[1] + y));
                  const product = fround(
                    weights[x + wx * y]! * values[c + channels * (first + steps[0] * x + steps[1] * y)]!,
                  );
                  expected[slice]![into] = fround(expected[slice]![into]! + product);
                }
              }
            }
          }
          const divisors = numbers(nx * ny);
          for (let slice = 0; slice < slices; slice++) {
            expect(sums.values(slice)).toEqual(expected[slice]);
            const planes = Array.from({ length: channels }, () => new Float32Array(nx * ny + 2).fill(7));
            sums.finish(slice, divisors, planes, 1);
            for (let c = 0; c < channels; c++) {
              const quotients = divisors.map((divisor, i) => expected[slice]![c + channels * i]! / divisor);
              expect(planes[c]).toEqual(Float32Array.of(7, ...quotients, 7));
            }
          }
          sums.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('take no memory that is in use, and clear what was used before', async () => {
    const options = { slices: 2, size: [3, 2], window: [3, 2], channels: 2 } as const;
    const plane = {
      values: new Float32Array(12).fill(2),
      first: 0,
      steps: [1, 3],
      weights: new Float32Array(6).fill(3),
    } as const;
    const [one, other] = [await openSliceSums(options), await openSliceSums(options)];
    for (const sums of [one, other]) sums.clear(1);
    one.add(1, [0, 0], plane);
    expect([one.values(1)[0], other.values(1)[0]]).toEqual([6, 0]);
    one.close();
    const again = await openSliceSums(options);
    again.clear(1);
    again.add(1, [0, 0], plane);
    expect([again.values(1)[11], other.values(1)[11]]).toEqual([6, 0]);
  });
});
