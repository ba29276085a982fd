import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Triple, type Volume, writeNifti } from '../../src/volume/index.js';

export { temporaryFolder } from '../temporary-folder.js';

export function affineOf(spacing: Triple, origin: Triple = [0, 0, 0]): Volume['affine'] {
  const [sx, sy, sz] = spacing;
  return { rows: [sx, 0, 0, origin[0], 0, sy, 0, origin[1], 0, 0, sz, origin[2]] };
}

/** A volume in RAS whose value at a voxel tells the voxel. */
export function volumeOf(
  size: Triple,
  value: (x: number, y: number, z: number) => number,
  spacing: Triple = [1, 1, 1],
): Volume {
  const data = new Float32Array(size[0] * size[1] * size[2]);
  let i = 0;
  for (let z = 0; z < size[2]; z++) {
    for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[0]; x++) data[i++] = value(x, y, z);
  }
  return { size, spacing, affine: affineOf(spacing), channels: 1, data };
}

export const asLabel = (volume: Volume): Volume => ({ ...volume, data: Uint8Array.from(volume.data) });

/** Distinct HU above -1000 for every voxel of a volume up to 100 a side, so that crops show where they come from. */
export const tellingHu = (x: number, y: number, z: number) => ((x + 7 * y + 31 * z) % 1900) - 950;

/** A box of 1 and, inside it, a smaller one of 2. */
export const nestedBoxes = (size: Triple) => (x: number, y: number, z: number) => {
  const inside = (margin: number) => [x, y, z].every((p, axis) => p >= margin && p < size[axis]! - margin);
  return inside(4) ? 2 : inside(2) ? 1 : 0;
};

export async function writeCase(
  folder: string,
  name: string,
  size: Triple,
  options: { label?: boolean; spacing?: Triple } = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await writeNifti(join(folder, `${name}.nii.gz`), volumeOf(size, tellingHu, options.spacing));
  if (options.label === false) return;
  await writeNifti(
    join(folder, `${name}_label.nii.gz`),
    asLabel(volumeOf(size, nestedBoxes(size), options.spacing)),
  );
}

export function writeJson(file: string, content: unknown): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(content));
  return file;
}

/** An index of one dataset `ct` on its own grid, with every voxel kept. */
export function datasetIndex(cases: readonly object[], extra: object = {}): object {
  const organs = { classes: { 1: 'liver', 2: 'tumour' } };
  return {
    schema: 1,
    datasets: {
      ct: {
        layout: 'files',
        modality: 'ct',
        spacing: null,
        foregroundThreshold: null,
        ...organs,
        cases,
        ...extra,
      },
    },
  };
}

export const labelledCase = (name: string, extra: object = {}) => ({
  id: name,
  image: `${name}.nii.gz`,
  label: `${name}_label.nii.gz`,
  ...extra,
});
