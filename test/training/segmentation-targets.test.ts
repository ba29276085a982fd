import { describe, expect, it } from 'vitest';
import { segmentationTargets } from '../../src/training/segmentation-targets.js';

const size = [1, 1, 5] as const;

describe('the targets of a segmentation loss', () => {
  it('are the output channels of the classes, also where label values leave gaps', () => {
    const brats = {
      kind: 'classes',
      names: ['core', 'oedema', 'enhancing'],
      values: [[1], [2], [4]],
    } as const;
    const targets = segmentationTargets(brats, 1, size);
    expect(targets.input).toEqual({ shape: [1, 1, 1, 5], dtype: 'int32' });
    expect(targets.of(Int32Array.of(0, 1, 2, 4, 4))).toEqual(Int32Array.of(0, 1, 2, 3, 3));
    const organs = segmentationTargets({ kind: 'classes', names: ['a', 'b'], values: [[1], [2]] }, 1, size);
    expect(organs.of(Int32Array.of(2, 0, 1, 2, 0))).toEqual(Int32Array.of(2, 0, 1, 2, 0));
  });

  it('are one channel a region, and a voxel lies in every region that has its label', () => {
    const regions = { kind: 'regions', names: ['WT', 'TC', 'ET'], values: [[1, 2, 4], [1, 4], [4]] } as const;
    const targets = segmentationTargets(regions, 1, size);
    expect(targets.input).toEqual({ shape: [1, 1, 1, 5, 3], dtype: 'float32' });
    expect(targets.of(Int32Array.of(0, 1, 2, 3, 4))).toEqual(
      Float32Array.of(...[0, 0, 0], ...[1, 1, 0], ...[1, 0, 0], ...[0, 0, 0], ...[1, 1, 1]),
    );
  });
});
