import { describe, expect, it } from 'vitest';
import { sumInRing } from '../../../src/engine/ops/collective.js';
import { computed, normals } from '../computed.js';

/**
 * TensorFlow's ring, told again: values lie in a row, in chunks of a multiple of 16 values, one a rank. The sum of chunk c
 * begins with rank c's and goes round, in float32.
 */
function ringOf(rows: readonly Float32Array[]): number[] {
  const count = rows[0]?.length ?? 0;
  const chunk = 16 * Math.ceil(Math.ceil(count / rows.length) / 16);
  return Array.from({ length: count }, (_, at) => {
    const first = Math.floor(at / chunk);
    const order = rows.map((_, step) => rows[(first + step) % rows.length]?.[at] ?? Number.NaN);
    return order.reduce((sum, value) => Math.fround(sum + value));
  });
}

describe('the sums of replicas in one process', () => {
  it.each([
    [3, [5, 1, 40]],
    [3, [97, 3, 1]],
    [4, [64, 64]],
    [5, [7, 2]],
    [7, [1000, 33]],
  ])('of %i go round as those of as many ranks, over tensors of %j values', async (ranks, sizes) => {
    const names = sizes.map((_, i) => `t${i}`);
    const values = Array.from({ length: ranks }, (_, rank) =>
      sizes.map((size, i) => normals([size], 100 * rank + i)),
    );
    const inputs = Object.fromEntries(
      values.flatMap((own, rank) => own.map((value, i) => [`${rank} ${names[i]}`, value] as const)),
    );
    const found = await computed(
      'graph',
      (fed) =>
        sumInRing(
          values.map((_, rank) => Object.fromEntries(names.map((name) => [name, fed[`${rank} ${name}`]!]))),
        ),
      inputs,
    );
    const expected = ringOf(values.map((own) => Float32Array.from(own.flatMap(({ data }) => [...data]))));
    expect(names.flatMap((name) => [...(found[name] as Float32Array)])).toEqual(expected);
    // The order matters for some of these values, so that another one would be seen.
    if (sizes.length === 2 && ranks === 7)
      expect(expected).not.toEqual(
        expected.map((_, at) => {
          const all = values.map((own) => [...own.flatMap(({ data }) => [...data])][at] ?? 0);
          return all.reduce((sum, value) => Math.fround(sum + value));
        }),
      );
  });
});
