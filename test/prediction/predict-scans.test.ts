import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { predictScans } from '../../src/prediction/index.js';
import { writeNifti } from '../../src/volume/index.js';
import { temporaryFolder, volumeOf } from '../dataset/generated-data.js';
import { scheme, thresholdPredictor } from '../inference/tiny-predictor.js';

const folder = temporaryFolder();
const size = [16, 16, 16] as const;
const opened = {
  predictor: thresholdPredictor(0, size),
  scheme,
  preprocessing: 'none' as const,
  windows: { window: size, overlap: 0.5 },
  close: () => {},
};

it('predicts the other scans of a folder, and says whether there were any', async () => {
  const said = async (name: string, sound: number) => {
    const [input, out] = [join(folder, name), join(folder, `${name}-out`)];
    mkdirSync(input);
    for (const bad of ['bad', 'worse']) writeFileSync(join(input, `${bad}.nii`), 'no scan');
    for (let i = 0; i < sound; i++)
      await writeNifti(
        join(input, `good${i}.nii`),
        volumeOf([16, 16, 16], (x) => x),
      );
    const error = await predictScans({ opened, input: [input], out, withLogits: false }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(DataError);
    for (let i = 0; i < sound; i++) expect(existsSync(join(out, `good${i}.nii.gz`))).toBe(true);
    return error instanceof Error ? error.message : '';
  };
  expect(await said('some', 1)).toMatch(
    /^2 of 3 scans could not be predicted, the others were; the first: .*bad\.nii/,
  );
  expect(await said('none', 0)).toMatch(/^2 of 2 scans could not be predicted; the first: .*bad\.nii/);
});
