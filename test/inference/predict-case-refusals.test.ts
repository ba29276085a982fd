import { describe, expect, it } from 'vitest';
import type { Preprocessing } from '../../src/dataset/index.js';
import { createState } from '../../src/engine/index.js';
import { DataError, WorkError } from '../../src/errors.js';
import { openPredictor, predictCase } from '../../src/inference/index.js';
import { sampled, upright } from './grids.js';
import { ct, network, parameters, scanHu, scheme, tinyPredictor, window, written } from './tiny-predictor.js';

const predictor = tinyPredictor();

describe('a scan that cannot be predicted', () => {
  const refusal = async (
    images: readonly string[],
    using = predictor,
    preprocessing: Preprocessing | 'none' = 'none',
  ) =>
    predictCase(using, { images, preprocessing, scheme }).catch((thrown: unknown) => thrown) as Promise<
      DataError | WorkError
    >;
  const small = sampled([20, 18, 16], upright.affine, scanHu);

  it('is refused when it has another number of channels than the network takes', async () => {
    const [a, b] = [await written('a', small), await written('b', small)];
    const error = await refusal([a, b]);
    expect(error).toBeInstanceOf(DataError);
    expect(error.exitCode).toBe(3);
    expect(error.message).toBe(`${a}, ${b} has 2 channels, but the network takes 1`);
    expect(error.facts).toMatchObject({ file: a, found: 2, expected: 1 });
  });

  it('is refused when its channel files do not share one grid', async () => {
    const moved = { ...small, affine: { rows: small.affine.rows.map((n, i) => (i === 3 ? n + 10 : n)) } };
    const [a, b] = [await written('a', small), await written('moved', moved)];
    const error = await refusal([a, b]);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(`channel 2 ${b} lies elsewhere than its image ${a}`);
  });

  it('is refused when it holds NaN, which would make it all background', async () => {
    const spoilt = { ...small, data: small.data.slice() };
    spoilt.data[7] = Number.NaN;
    const error = await refusal([await written('spoilt', spoilt)]);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain('holds NaN at voxel [7,0,0]');
  });

  it('is refused when nothing is above the foreground threshold, naming the file', async () => {
    const file = await written('air', { ...small, data: small.data.map(() => -1000) });
    const error = await refusal([file], predictor, ct);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(`${file} has no voxel above the foreground threshold -900`);
  });

  it('is refused where the spacing of the weights would make it larger than can be, before the memory is taken', async () => {
    const file = await written('tiny-spacing', small);
    for (const mm of [1e-6, 0.01]) {
      const error = await refusal([file], predictor, { ...ct, spacing: [mm, mm, mm] });
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toMatch(/tiny-spacing.*: 20x18x16 voxels .* would become .*, more than/);
    }
  });

  it('is a fault of the weights, not of the scan, when the network gives what is not finite', async () => {
    const broken = createState(
      { ...parameters, 'final_conv.bias': { shape: [3], data: Float32Array.of(0, Number.NaN, 0) } },
      { engine: 'graph', threads: 1 },
    );
    const file = await written('fine', small);
    const error = await refusal(
      [file],
      openPredictor({
        network,
        states: [broken],
        kind: 'classes',
        window,
        overlap: 0,
        windowBatch: 1,
        mirror: [],
        precision: 'float32',
      }),
    );
    broken.dispose();
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toContain(`the network's output for ${file} is not finite`);
  });
});
