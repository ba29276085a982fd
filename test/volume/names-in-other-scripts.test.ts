import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlices, readVolume, scanParts, writeNifti } from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_format_references.py` with SimpleITK. */
const { references } = readReference<{ references: Record<string, { readonly values: string }> }>(
  'formats.json',
);
const root = mkdtempSync(join(tmpdir(), 'hybridmim-scripts-'));
afterAll(() => rm(root, { recursive: true, force: true }));

describe.each(['Bauch Sättiger 检查 #1 100%', 'пациент "1"', 'مريض', 'é́ ½ (a) [b] {c}'])(
  'below a folder that is called %s',
  (folder) => {
    it.each([
      'dicom-axial',
      'int16.nrrd',
      'float64.nrrd',
      'int16.mha',
      'float64.mha',
      'channels.mha',
      'zraw.mhd',
      'compressed.mha',
    ])('%s has the values that SimpleITK reads of it', async (name) => {
      const place = join(root, folder);
      mkdirSync(place, { recursive: true });
      const parts = name.startsWith('dicom')
        ? [referenceFile(join('formats', name))]
        : await scanParts(referenceFile(join('formats', name)));
      for (const part of parts) cpSync(part, join(place, basename(part)), { recursive: true });
      const values = decodeFloats(references[name]!.values);
      const { data, ...grid } = await readVolume(join(place, name));
      expect(largestDifference(data, values)).toBe(0);
      const sliced: number[] = [];
      for await (const slice of (await openSlices(join(place, name))).slices()) sliced.push(...slice);
      expect(largestDifference(sliced, values)).toBe(0);
      await writeNifti(join(place, `${name}.nii.gz`), { ...grid, data });
      expect(largestDifference((await readVolume(join(place, `${name}.nii.gz`))).data, values)).toBe(0);
    });
  },
);
