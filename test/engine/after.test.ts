import { expect, it } from 'vitest';
import { after, type Tensor, tf } from '../../src/engine/index.js';
import { computed, engines, normals } from './computed.js';

it.each(engines)('gives the value that waited, unchanged, floats and integers, %s', async (engine) => {
  const x = normals([3, 4], 1);
  const { kept, counted } = await computed(
    engine,
    ({ x: input }) => {
      const late = (input as Tensor).sum();
      return { kept: after(input as Tensor, late), counted: after(tf.range(0, 5, 1, 'int32'), late) };
    },
    { x },
  );
  expect(kept).toEqual(x.data);
  expect([...counted!]).toEqual([0, 1, 2, 3, 4]);
});
