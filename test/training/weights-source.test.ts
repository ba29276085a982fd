import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preprocessingOf } from '../../src/dataset/index.js';
import { preparationDifference, preparationOf, weightsFile } from '../../src/training/weights-source.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();

describe('a path of weights', () => {
  it('is a file, or the folder of a run, which has its last and may have its best', async () => {
    const [file, run] = [join(folder, 'a.safetensors'), join(folder, 'run')];
    const checkpoints = join(run, 'checkpoints');
    mkdirSync(checkpoints, { recursive: true });
    writeFileSync(file, '');
    expect(await weightsFile(file)).toBe(file);
    await expect(weightsFile(run)).rejects.toThrow(
      `${run} holds no weights: ${join(checkpoints, 'last.safetensors')} is expected, which a run writes with its first checkpoint`,
    );
    writeFileSync(join(checkpoints, 'last.safetensors'), '');
    expect(await weightsFile(run, 'best')).toBe(join(checkpoints, 'last.safetensors'));
    writeFileSync(join(checkpoints, 'best.safetensors'), '');
    expect(await weightsFile(run, 'best')).toBe(join(checkpoints, 'best.safetensors'));
    expect(await weightsFile(run)).toBe(join(checkpoints, 'last.safetensors'));
    await expect(weightsFile(join(folder, 'typo'))).rejects.toThrow(
      /typo does not exist: give a .safetensors file or the folder of a run$/,
    );
    await expect(weightsFile(join(file, 'below'))).rejects.toThrow(/below cannot be read \(ENOTDIR\): give/);
  });
});

describe('weights that meet other scans than they were trained on', () => {
  const ct = preprocessingOf('ct');
  const mr = preprocessingOf('mr');

  it.each([
    [
      'another modality, spacing and intensity',
      { preprocessing: mr, modality: 'mr' } as const,
      { preprocessing: ct, modality: 'ct' } as const,
      'modality: MR there, CT here; spacing: 1 x 1 x 1 mm there, 1.5 x 1.5 x 2 mm here; intensity: "z-score" there, the window [-1000, 1000] HU here',
    ],
    [
      'another window',
      { preprocessing: ct },
      { preprocessing: preprocessingOf('ct', { windowHu: [-175, 250] }) },
      'intensity: the window [-1000, 1000] HU there, the window [-175, 250] HU here',
    ],
    [
      'their own spacing',
      { preprocessing: ct },
      { preprocessing: preprocessingOf('ct', { spacing: null }) },
      'spacing: 1.5 x 1.5 x 2 mm there, their own here',
    ],
  ])('are told with both values: %s', (_, trained, now, said) =>
    expect(preparationDifference('w.safetensors', trained, now)).toBe(
      `the weights in w.safetensors were trained on other scans (${said}): features may not carry over`,
    ),
  );

  it('say nothing where all is alike, or one of both is not known', () => {
    expect(preparationDifference('w', { preprocessing: ct, modality: 'ct' }, { preprocessing: ct })).toBe(
      undefined,
    );
    expect(preparationDifference('w', {}, { preprocessing: ct, modality: 'ct' })).toBe(undefined);
    // What is not used by the scaling is no difference.
    expect(
      preparationDifference(
        'w',
        { preprocessing: mr },
        { preprocessing: preprocessingOf('mr', { windowHu: [0, 1] }) },
      ),
    ).toBe(undefined);
  });

  it('are known by the metadata of their file, as far as it can be read', () => {
    const metadata = { preprocessing: JSON.stringify(ct), modality: 'ct' };
    expect(preparationOf(metadata)).toEqual({ preprocessing: ct, modality: 'ct' });
    expect(preparationOf({ modality: 'xray', preprocessing: '{' })).toEqual({});
  });
});
