import { describe, expect, it } from 'vitest';
import { devices } from '../../../src/engine/devices.js';
import { normals } from '../computed.js';
import { convolved, largestExcess } from '../convolved.js';

describe('a compiled convolution of few channels', () => {
  const cases: [batch: number, size: [number, number, number], inputs: number, outputs: number][] = [
    [1, [12, 10, 12], 8, 8],
    [2, [9, 11, 14], 4, 7], // odd sizes, two items
    [1, [1, 32, 34], 16, 5], // a single plane, the gradient by the op itself
    [1, [10, 10, 13], 8, 8], // no pairs
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
      for (const name of ['y', 'dx', 'dw']) {
        // Rounding of float32 sums, on either side; 1e-6 was seen.
        expect(largestExcess(graph.results[name]!, eager.results[name]!, 0), name).toBeLessThan(5e-6);
      }
      const folds = devices().avx512 && size[2] % 2 === 0;
      const plain = await convolved('graph', {
        ...values,
        x: normals([batch, ...size.slice(0, 2), 13, inputs], 1),
        dy: normals([batch, ...size.slice(0, 2), 13, outputs], 2),
      });
      if (folds)
        expect(graph.nodes).toBeGreaterThan(plain.nodes); // the route that is meant
      else expect(graph.nodes).toBe(plain.nodes);
    },
  );
});
