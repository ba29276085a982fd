import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readChannels } from '../../../src/dataset/prepare/read-channels.js';
import { DataError } from '../../../src/errors.js';
import { type Triple, type Volume, writeNifti } from '../../../src/volume/index.js';
import { affineOf, temporaryFolder, volumeOf } from '../generated-data.js';

const folder = temporaryFolder();
const size: Triple = [4, 3, 2];
const voxels = 24;
const numbered = (offset: number) => volumeOf(size, (x, y, z) => offset + x + 10 * y + 100 * z, [1, 1, 2]);

async function written(name: string, volume: Volume): Promise<string> {
  const file = join(folder, name);
  await writeNifti(file, volume);
  return file;
}

async function refusal(files: readonly string[]): Promise<DataError> {
  const error = await readChannels(files).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

describe('reading the channels of a scan', () => {
  it('leaves a single file as it is, in the type of the file', async () => {
    const file = await written('one.nii.gz', { ...numbered(0), data: Int16Array.from(numbered(-50).data) });
    const volume = await readChannels([file]);
    expect(volume.channels).toBe(1);
    expect(volume.data).toEqual(Int16Array.from(numbered(-50).data));
  });

  it('puts files one after another, in their order, on the grid they share', async () => {
    const files = [
      await written('t1.nii.gz', numbered(0)),
      await written('t2.nii.gz', { ...numbered(0), data: Uint8Array.from({ length: voxels }, () => 7) }),
    ];
    const volume = await readChannels(files);
    expect(volume).toMatchObject({ size, channels: 2, affine: numbered(0).affine });
    expect([...volume.data]).toEqual([...numbered(0).data, ...Array.from({ length: voxels }, () => 7)]);
    expect([...(await readChannels(files.toReversed())).data.subarray(voxels)]).toEqual([
      ...numbered(0).data,
    ]);
  });

  it('takes files that hold several channels each', async () => {
    const both = {
      ...numbered(0),
      channels: 2,
      data: Float32Array.from([...numbered(0).data, ...numbered(500).data]),
    };
    const volume = await readChannels([
      await written('both.nii.gz', both),
      await written('third.nii.gz', numbered(900)),
    ]);
    expect(volume.channels).toBe(3);
    expect([0, voxels, 2 * voxels].map((i) => volume.data[i])).toEqual([0, 500, 900]);
  });

  it('accepts affines that differ by rounding', async () => {
    const rounded = { ...numbered(5), affine: affineOf([1, 1, 2], [0, 0.001, 0]) };
    expect(
      (await readChannels([await written('a.nii.gz', numbered(0)), await written('rounded.nii.gz', rounded)]))
        .channels,
    ).toBe(2);
  });

  it('refuses a channel of another size, naming both files', async () => {
    const [first, second] = [
      await written('first.nii.gz', numbered(0)),
      await written(
        'small.nii.gz',
        volumeOf([4, 3, 1], () => 1, [1, 1, 2]),
      ),
    ];
    const { message, facts } = await refusal([first, second]);
    expect(message).toBe(
      `channel 2 ${second} has 4x3x1 voxels, but its image ${first} has 4x3x2: they must share one grid`,
    );
    expect(facts).toMatchObject({ file: second, field: 'size', found: [4, 3, 1], expected: [4, 3, 2] });
  });

  it('refuses a channel that lies elsewhere, even with as many voxels', async () => {
    const moved = await written('moved.nii.gz', { ...numbered(0), affine: affineOf([1, 1, 2], [0, 0, 6]) });
    const flipped = { rows: [-1, 0, 0, 3, 0, 1, 0, 0, 0, 0, 2, 0] };
    const turned = await written('turned.nii.gz', { ...numbered(0), affine: flipped });
    const first = await written('first.nii.gz', numbered(0));
    expect((await refusal([first, first, moved])).message).toContain(
      `channel 3 ${moved} lies elsewhere than its image ${first}`,
    );
    expect((await refusal([first, turned])).message).toContain('3.00 mm apart');
  });

  it.each([
    ['first', 0],
    ['second', 1],
  ])('refuses NaN and infinity in the %s file, naming the voxel', async (_, position) => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const spoilt = numbered(0);
      spoilt.data[1 + 4 * (2 + 3 * 1)] = value;
      const files = [
        await written('good.nii.gz', numbered(0)),
        await written('good-too.nii.gz', numbered(0)),
      ];
      files[position] = await written('spoilt.nii.gz', spoilt);
      const { message, facts } = await refusal(files);
      // A number beyond float32 reads as infinity, never as NaN.
      const said = Number.isNaN(value) ? 'NaN' : '-Infinity (or a number that float32 cannot hold)';
      expect(message).toContain(`image ${files[position]} holds ${said} at voxel [1,2,1]`);
      expect(facts.file).toBe(files[position]);
    }
  });

  it('refuses a file that is missing', async () => {
    const first = await written('first.nii.gz', numbered(0));
    expect((await refusal([first, join(folder, 'none.nii.gz')])).facts.file).toBe(
      join(folder, 'none.nii.gz'),
    );
  });
});
