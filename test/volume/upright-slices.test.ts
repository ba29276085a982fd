import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Affine,
  openSlices,
  readVolume,
  reorientToRas,
  resampleToSpacing,
  type Triple,
  uprightSlices,
  type Volume,
  type VolumeSlices,
  type VoxelArray,
} from '../../src/volume/index.js';
import { referenceFile } from './references.js';

const slicesOf = (volume: Volume): VolumeSlices => ({
  ...volume,
  slices: async function* () {
    const voxels = volume.size[0] * volume.size[1];
    const slice = volume.data.slice(0, voxels); // used again for each, as a file's is
    for (let at = 0; at < volume.data.length; at += voxels) {
      slice.set(volume.data.subarray(at, at + voxels));
      yield slice;
    }
  },
});

/** Puts the slices where they belong, one voxel at a time. */
async function gathered(
  source: VolumeSlices,
  spacing: Triple | null,
  mode: 'linear' | 'nearest',
): Promise<Volume> {
  const { grid, channels, across, through, slices } = uprightSlices(source, spacing, mode);
  const strides = [1, grid.size[0], grid.size[0] * grid.size[1]];
  const count = grid.size[0] * grid.size[1] * grid.size[2];
  const data: number[] = new Array(count * channels).fill(Number.NaN);
  for await (const { channel, index, values } of slices()) {
    const width = grid.size[across[0]]!;
    values.forEach((value, i) => {
      data[
        channel * count +
          strides[through]! * index +
          strides[across[0]]! * (i % width) +
          strides[across[1]]! * Math.floor(i / width)
      ] = value;
    });
  }
  return { ...grid, channels, data: Float32Array.from(data) };
}

function whole(volume: Volume, spacing: Triple | null, mode: 'linear' | 'nearest'): Volume {
  const upright = reorientToRas(volume);
  const resampled = spacing === null ? upright : resampleToSpacing(upright, spacing, mode);
  return { ...resampled, data: Float32Array.from(resampled.data) };
}

const side = fc.integer({ min: 1, max: 9 });
const millimetres = fc.constantFrom(0.5, 0.7, 1, 1.3, 2, 3.1);
const axes = fc.constantFrom([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]);
const sign = fc.constantFrom(-1, 1);
const geometries = fc.record({
  size: fc.tuple(side, side, side),
  spacing: fc.tuple(millimetres, millimetres, millimetres),
  axes,
  signs: fc.tuple(sign, sign, sign),
  tilt: fc.constantFrom(0, 0.2),
  channels: fc.integer({ min: 1, max: 2 }),
});

/** Voxel axis `i` runs along world axis `axes[i]`, turned by `tilt` about the third world axis. */
function affineOf({
  spacing,
  axes,
  signs,
  tilt,
}: {
  spacing: Triple;
  axes: readonly number[];
  signs: Triple;
  tilt: number;
}): Affine {
  const rows = new Array<number>(12).fill(0);
  axes.forEach((world, i) => {
    const step = signs[i]! * spacing[i]!;
    if (world === 2) rows[8 + i] = step;
    else {
      rows[4 * world + i] = step * Math.cos(tilt);
      rows[4 * (1 - world) + i] = step * Math.sin(tilt) * (world === 0 ? 1 : -1);
    }
  });
  return { rows: rows.map((n, i) => (i % 4 === 3 ? 5 + i : n + 0)) }; // no -0
}

describe('a volume read slice by slice', () => {
  it('becomes bit for bit what the whole volume becomes, whatever the axes, obliqueness, spacing and type', async () => {
    const target = fc.option(fc.tuple(millimetres, millimetres, millimetres));
    await fc.assert(
      fc.asyncProperty(
        geometries,
        target,
        fc.constantFrom('linear', 'nearest'),
        fc.boolean(),
        async (geometry, spacing, mode, whole16) => {
          const { size, channels } = geometry;
          const values = Array.from(
            { length: size[0] * size[1] * size[2] * channels },
            (_, i) => ((i * 7919) % 1997) - 1000,
          );
          const data: VoxelArray = whole16
            ? Int16Array.from(values)
            : Float32Array.from(values, (value) => value / 7);
          const volume: Volume = {
            size,
            spacing: geometry.spacing,
            affine: affineOf(geometry),
            channels,
            data,
          };
          expect(await gathered(slicesOf(volume), spacing, mode)).toEqual(whole(volume, spacing, mode));
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    'int16-be-2.nii.gz',
    'float64-le-1.nii.gz',
    'slope.nii',
    'four-axes.nii.gz',
    'uint8-le-2.nii',
    'extension.nii',
  ])('has the values, in the same type, and the place that the whole file has: %s', async (name) => {
    const expected = await readVolume(referenceFile(name));
    const { slices, ...described } = await openSlices(referenceFile(name));
    const read: VoxelArray[] = [];
    for await (const slice of slices()) read.push(slice.slice());
    const { data, ...facts } = expected;
    expect(described).toEqual(facts);
    expect(read).toHaveLength(described.size[2] * described.channels);
    expect(read.every((slice) => slice.constructor === data.constructor)).toBe(true);
    expect(read.flatMap((slice) => [...slice])).toEqual([...data]);
  });

  it('is refused as the whole file is', async () => {
    await expect(openSlices(join('test', 'absent.nii'))).rejects.toThrow(/absent.nii does not exist/);
  });
});
