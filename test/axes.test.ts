import { describe, expect, it } from 'vitest';
import { type FileSize, fileSize, type SpatialSize, spatialSize } from '../src/network/index.js';
import type { Triple } from '../src/volume/index.js';

/** A volume's size, as files have it. */
const voxels: Triple = [64, 48, 32];

describe('sizes', () => {
  it('along [x, y, z] and along [D, H, W] are two types: the compiler holds them apart', () => {
    const tensorSize = (size: SpatialSize): SpatialSize => size;
    const sizeOfFile = (size: FileSize): FileSize => size;
    // @ts-expect-error a volume's size is no tensor's size
    tensorSize(voxels);
    // @ts-expect-error and the other way round
    sizeOfFile(spatialSize(voxels));
    expect(tensorSize(spatialSize(voxels))).toEqual([32, 48, 64]);
    expect(sizeOfFile(fileSize(spatialSize(voxels)))).toEqual(voxels);
  });
});
