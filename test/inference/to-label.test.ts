import { describe, expect, it } from 'vitest';
import { type PreprocessedImage, type Preprocessing, preprocessImage } from '../../src/dataset/index.js';
import { dice } from '../../src/evaluation/index.js';
import { channelValue, type LabelScheme, labelScheme, outputChannels } from '../../src/inference/index.js';
import { labelOnGrid, logitsOnGrid } from '../../src/inference/to-label.js';
import {
  applyAffine,
  axisAlignedAffine,
  cropBox,
  invertAffine,
  reorientToRas,
  resampleToSpacing,
  type Triple,
  type Volume,
  voxelCount,
} from '../../src/volume/index.js';
import { largestDifference } from '../volume/references.js';
import { ellipsoid, sampled, sourceGrids } from './grids.js';

const organs = labelScheme({ 1: 'liver', 2: 'tumour' });
const brats = labelScheme(
  { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' },
  { WT: [1, 2, 4], TC: [1, 4], ET: [4] },
);

/** CT as `prepare` makes it by default, with the box around the body kept. */
const ct: Preprocessing = {
  spacing: [1.5, 1.5, 2],
  intensity: 'ct-window',
  windowHu: [-1000, 1000],
  foregroundThreshold: -900,
};

const body = ellipsoid([0, 0, 0], [38, 36, 30]);
const bodyHu = (world: Triple) => (body(world) < 1 ? 40 : -1000);
/** A big ellipsoid off the middle, so that a mirrored or shifted result shows, and a smaller one inside it. */
const [outer, inner, core] = [
  ellipsoid([5, -4, 3], [26, 22, 19]),
  ellipsoid([8, -2, 1], [15, 13, 12]),
  ellipsoid([9, -2, 0], [9, 9, 9]),
];
const organValues = (world: Triple) => (inner(world) < 1 ? 2 : outer(world) < 1 ? 1 : 0);
const bratsValues = (world: Triple) =>
  core(world) < 1 ? 4 : inner(world) < 1 ? 1 : outer(world) < 1 ? 2 : 0;

/** What a perfect network says of a prepared label: 4 for what is there, -4 for what is not. */
function perfectLogits(label: Volume, scheme: LabelScheme): Volume {
  const voxels = voxelCount(label);
  const channels = outputChannels(scheme);
  const holds = (c: number, value: number) =>
    scheme.kind === 'regions' ? scheme.values[c]!.includes(value) : channelValue(scheme, c) === value;
  const data = Float32Array.from({ length: channels * voxels }, (_, i) =>
    holds(Math.floor(i / voxels), label.data[i % voxels]!) ? 4 : -4,
  );
  return { ...label, channels, data };
}

/** The label on the grid that its image was brought to, as `prepare` makes it of a case that it reads in slices. */
function onPreparedGrid(
  label: Volume,
  { spacing }: Preprocessing,
  { image, cropStart }: PreprocessedImage,
): Volume {
  const upright = reorientToRas(label);
  return cropBox(
    spacing === null ? upright : resampleToSpacing(upright, spacing, 'nearest'),
    cropStart,
    image.size,
  );
}

const masksOf = ({ data }: Volume, values: readonly number[]) =>
  Uint8Array.from(data, (value) => Number(values.includes(value)));

describe.each(sourceGrids)('a label brought to the prepared grid and back, $name', ({ size, affine }) => {
  const image = sampled(size, affine, bodyHu);

  it.each([
    { scheme: organs, values: organValues },
    { scheme: brats, values: bratsValues },
  ])('keeps its classes and their places: $scheme.kind', ({ scheme, values }) => {
    const label = {
      ...sampled(size, affine, values),
      data: Uint8Array.from(sampled(size, affine, values).data),
    };
    const prepared = preprocessImage(image, ct);
    const back = labelOnGrid(perfectLogits(onPreparedGrid(label, ct, prepared), scheme), image, scheme);
    expect(back).toMatchObject({ size, affine, spacing: image.spacing, channels: 1 });
    expect(back.data).toBeInstanceOf(Uint8Array);
    const [first, ...others] = scheme.values.map(
      (members) => dice(masksOf(back, members), masksOf(label, members))!,
    );
    const big = scheme.kind === 'classes' ? dice(masksOf(back, [1, 2]), masksOf(label, [1, 2]))! : first!;
    // Nearest neighbour one way and linear back move a boundary by half a voxel at most: 1.5 to 2.5 mm of radii about 22 mm, and 9 to 15.
    expect(big).toBeGreaterThan(0.95);
    for (const small of others) expect(small).toBeGreaterThan(0.85);
  });

  it('returns to the very same voxels when nothing is resampled', () => {
    const label = {
      ...sampled(size, affine, bratsValues),
      data: Uint8Array.from(sampled(size, affine, bratsValues).data),
    };
    const settings = { ...ct, spacing: null };
    const prepared = preprocessImage(image, settings);
    const back = labelOnGrid(perfectLogits(onPreparedGrid(label, settings, prepared), brats), image, brats);
    expect(largestDifference(back.data, label.data)).toBe(0);
  });

  it('is background outside the prepared crop, and only there, when the network finds its class everywhere', () => {
    const prepared = preprocessImage(image, ct).image;
    const everywhere = {
      ...prepared,
      channels: 3,
      data: new Float32Array(3 * voxelCount(prepared)).fill(1, 2 * voxelCount(prepared)),
    };
    const { data } = labelOnGrid(everywhere, image, organs);
    const toPrepared = invertAffine(prepared.affine);
    let [outside, i] = [0, 0];
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        for (let x = 0; x < size[0]; x++, i++) {
          const at = applyAffine(toPrepared, applyAffine(affine, [x, y, z]));
          // How far inside the box of whole voxels, in voxels of the prepared grid; on its very face either answer is right.
          const depth = Math.min(...at.map((n, axis) => Math.min(n + 0.5, prepared.size[axis]! - 0.5 - n)));
          if (Math.abs(depth) < 0.01) continue;
          if (data[i] !== (depth > 0 ? 2 : 0))
            expect.fail(`voxel [${[x, y, z]}], ${depth} voxels inside, is ${data[i]}`);
          if (depth < 0) outside++;
        }
      }
    }
    expect(outside).toBeGreaterThan(100);
  });
});

describe('the label that logits decide', () => {
  const grid = {
    size: [4, 1, 1] as const,
    spacing: [1, 1, 1] as const,
    affine: axisAlignedAffine([1, 1, 1]),
  };
  const logits = (...channels: number[][]): Volume => ({
    ...grid,
    channels: channels.length,
    data: Float32Array.from(channels.flat()),
  });
  const decided = (scheme: LabelScheme, ...channels: number[][]) => [
    ...labelOnGrid(logits(...channels), grid, scheme).data,
  ];

  it('is the class of the largest channel, the first of equals', () => {
    expect(decided(organs, [3, 1, 0, -5], [2, 2, 0, -4], [1, 3, 0, -6])).toEqual([0, 2, 0, 1]);
  });

  it('is the value of the last region above 0, each region on its own', () => {
    expect(decided(brats, [1, 1, 1, -1], [-1, 2, 1, -1], [-1, -3, 0.5, -1])).toEqual([2, 1, 4, 0]);
    expect(decided(brats, [-1, 0, 9, -9], [-1, 0, -9, -9], [5, 0, -9, 1e-6])).toEqual([4, 0, 2, 4]);
  });

  it('holds values above 255', () => {
    const { data } = labelOnGrid(logits([0, 0, 0, 9], [1, 1, 1, 1]), grid, labelScheme({ 300: 'organ' }));
    expect(data).toBeInstanceOf(Uint16Array);
    expect([...data]).toEqual([300, 300, 300, 0]);
  });

  it('changes half way between voxels where the logits cross', () => {
    const fine = {
      size: [13, 1, 1] as const,
      spacing: [0.25, 1, 1] as const,
      affine: axisAlignedAffine([0.25, 1, 1]),
    };
    const { data } = labelOnGrid(logits([1, 1, -1, -1], [-1, -1, 1, 1]), fine, labelScheme({ 1: 'organ' }));
    expect([...data]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  });

  it('stays within a box of the grid, whole voxels', () => {
    const small = cropBox(logits([1, 1, 1, 1]), [1, 0, 0], [2, 1, 1]);
    const { data } = labelOnGrid(small, grid, labelScheme({ 1: 'organ' }, { organ: [1] }));
    expect([...data]).toEqual([0, 1, 1, 0]);
  });
});

describe('logits on the grid of the scan', () => {
  it('keep every channel, and go on beyond their own grid', () => {
    const grid = {
      size: [3, 1, 1] as const,
      spacing: [1, 1, 1] as const,
      affine: axisAlignedAffine([1, 1, 1]),
    };
    const coarse = {
      size: [2, 1, 1] as const,
      spacing: [0.5, 1, 1] as const,
      affine: axisAlignedAffine([0.5, 1, 1], [1, 0, 0]),
    };
    const found = logitsOnGrid({ ...coarse, channels: 2, data: Float32Array.of(1, 3, -2, -4) }, grid);
    expect(found).toMatchObject({ ...grid, channels: 2 });
    expect([...found.data]).toEqual([1, 1, 3, -2, -2, -4]);
  });
});
