import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimalFiltering, stretchMatrices } from '../../../src/engine/convolution/winograd-matrices.js';
import { normals } from '../computed.js';
import { convolved, largestExcess } from '../convolved.js';

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);

describe.each([4, 6] as const)("Winograd's minimal filtering in tiles of %i", (tile) => {
  const { ofInput, ofFilter, toOutput } = minimalFiltering(tile);

  it('gives the outputs of a filter of three taps', () => {
    const number = fc.double({ min: -10, max: 10, noNaN: true });
    const numbers = (length: number) => fc.array(number, { minLength: length, maxLength: length });
    fc.assert(
      fc.property(numbers(tile + 2), numbers(3), (inputs, taps) => {
        const products = ofInput.map((row, p) => dot(row, inputs) * dot(ofFilter[p] as number[], taps));
        for (const [i, row] of toOutput.entries())
          expect(dot(row, products)).toBeCloseTo(dot(inputs.slice(i, i + 3), taps), 9);
      }),
    );
  });

  it('filters stretches of any length, with zeros beyond what there is to read', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.nat(19),
        fc.integer({ min: 1, max: 20 }),
        (length, start, most) => {
          const first = start % length;
          const written = { first, count: Math.min(most, length - first) };
          const from = Math.max(0, first - 1);
          const read = { first: from, count: Math.min(length, first + written.count + 1) - from };
          const inputs = Array.from({ length }, (_, i) => Math.sin(3 * i + 1));
          const taps = [0.5, -1.25, 2];
          const stretch = stretchMatrices(minimalFiltering(tile), { written, read });
          const given = inputs.slice(read.first, read.first + read.count);
          const products = stretch.ofInput.map(
            (row, r) => dot(row, given) * dot(ofFilter[Math.floor(r / stretch.tiles)] as number[], taps),
          );
          const outputs = stretch.toOutput.map((row) => dot(row, products));
          const expected = outputs.map((_, i) =>
            dot(
              [-1, 0, 1].map((ahead) => inputs[first + i + ahead] ?? 0),
              taps,
            ),
          );
          for (const [i, output] of outputs.entries()) expect(output).toBeCloseTo(expected[i] as number, 9);
        },
      ),
    );
  });
});

describe('a compiled convolution of many channels', () => {
  const cases: [batch: number, size: [number, number, number], inputs: number, outputs: number][] = [
    [1, [12, 10, 11], 32, 48],
    [2, [9, 11, 13], 64, 48], // no whole tiles, two items
    [1, [1, 32, 33], 48, 50], // a single plane
    [1, [35, 6, 7], 33, 64], // two slabs, the last tile of which is a part
    [1, [28, 6, 7], 24, 24], // the fewest channels
  ];

  it.each(cases)(
    'is the eager one and has its gradients, batch %i, size %j, %i to %i channels',
    async (batch, size, inputs, outputs) => {
      const values = {
        x: normals([batch, ...size, inputs], 1),
        dy: normals([batch, ...size, outputs], 2),
        w: normals([3, 3, 3, inputs, outputs], 3),
      };
      const graph = await convolved('graph', values);
      const eager = await convolved('eager', values);
      expect(graph.nodes).toBeGreaterThan(3 * 6); // at least six products each: the route that is meant
      for (const name of ['y', 'dx', 'dw']) {
        // Rounding of float32 sums, on either side; 2e-6 was seen.
        expect(largestExcess(graph.results[name]!, eager.results[name]!, 0), name).toBeLessThan(5e-6);
      }
    },
  );

  it('has the same bits where it may take more memory for less time', async () => {
    const [size, inputs, outputs] = [[2, 53, 6, 7], 24, 32]; // three slabs of either item
    const values = {
      x: normals([...size, inputs], 1),
      dy: normals([...size, outputs], 2),
      w: normals([3, 3, 3, inputs, outputs], 3),
    };
    const [time, memory] = [
      await convolved('graph', values, 'float32', 'inference'),
      await convolved('graph', values, 'float32', 'training'),
    ];
    expect(time.nodes).toBeLessThan(memory.nodes);
    expect(time.results).toEqual(memory.results);
  });

  it.each(cases)(
    'is that in bfloat16 too, but for one rounding, batch %i, size %j, %i to %i channels',
    async (batch, size, inputs, outputs) => {
      const values = {
        x: normals([batch, ...size, inputs], 1),
        dy: normals([batch, ...size, outputs], 2),
        w: normals([3, 3, 3, inputs, outputs], 3),
      };
      for (const { data } of Object.values(values))
        for (const [i, value] of data.entries()) data[i] = rounded(value);
      const graph = await convolved('graph', values, 'bfloat16');
      const eager = await convolved('eager', values);
      for (const name of ['y', 'dx', 'dw'])
        expect(largestExcess(graph.results[name]!, eager.results[name]!, 2 ** -8), name).toBeLessThan(5e-6);
      expect(graph.results.y!.every((value) => value === rounded(value))).toBe(true); // stored in bfloat16
    },
  );
});

/** To the nearest number of bfloat16, the upper half of a float32, ties to even. */
function rounded(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  const [word = 0] = bits;
  bits[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0] as number;
}
