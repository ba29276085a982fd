import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { maskFiles, writeMasks } from '../../src/prediction/class-masks.js';
import { readVolume } from '../../src/volume/index.js';
import { asLabel, volumeOf } from '../dataset/generated-data.js';

const root = mkdtempSync(join(tmpdir(), 'class-masks-'));
afterAll(() => rm(root, { recursive: true, force: true }));

describe('one mask a class', () => {
  const label = asLabel(volumeOf([4, 1, 1], (x) => x, [1, 2, 3]));

  it('holds 1 where the label has a value of the class or region, on the same grid', async () => {
    const schemes = [
      { kind: 'classes', names: ['left kidney', 'liver', 'spleen'], values: [[1], [3], [9]] },
      { kind: 'regions', names: ['whole', 'core'], values: [[1, 2, 3], [3]] },
    ] as const;
    const expected = [
      { 'left kidney': [0, 1, 0, 0], liver: [0, 0, 0, 1], spleen: [0, 0, 0, 0] },
      { whole: [0, 1, 1, 1], core: [0, 0, 0, 1] },
    ];
    for (const [i, scheme] of schemes.entries()) {
      const files = await writeMasks(join(root, `c${i}.nii.gz`), label, scheme);
      for (const [name, values] of Object.entries(expected[i]!)) {
        expect(files[name]).toBe(join(root, `c${i}`, `${name.replace(' ', '_')}.nii.gz`));
        const { data, spacing, affine } = await readVolume(files[name]!);
        expect([[...data], spacing, affine.rows]).toEqual([values, label.spacing, [...label.affine.rows]]);
      }
    }
  });

  it('is refused where two classes would have one file', () => {
    expect(() => maskFiles({ names: ['left kidney', 'Left_Kidney'] })).toThrow(
      /"left kidney" and "Left_Kidney" would both be Left_Kidney\.nii\.gz/,
    );
    expect(maskFiles({ names: ['肝', '/..', 'a/b'] })).toEqual(['肝.nii.gz', 'class.nii.gz', 'a_b.nii.gz']);
  });
});
