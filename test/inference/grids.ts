import {
  type Affine,
  applyAffine,
  axisAlignedAffine,
  composeAffines,
  spacingOf,
  type Triple,
  type Volume,
} from '../../src/volume/index.js';

/** mm, RAS. */
type WorldFunction = (world: Triple) => number;

/** A volume whose voxels have the values of a function of their places in the world. */
export function sampled(size: Triple, affine: Affine, value: WorldFunction, channels = 1): Volume {
  const data = new Float32Array(size[0] * size[1] * size[2] * channels);
  let i = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++)
        for (let x = 0; x < size[0]; x++) data[i++] = value(applyAffine(affine, [x, y, z]));
    }
  }
  return { size, spacing: spacingOf(affine), affine, channels, data };
}

/** An ellipsoid with axes along the world's: its value is below 1 inside. */
export const ellipsoid =
  (centre: Triple, radii: Triple): WorldFunction =>
  (world) =>
    world.reduce((sum, mm, axis) => sum + ((mm - centre[axis]!) / radii[axis]!) ** 2, 0);

/** A grid of `size` voxels whose middle lies at the world's origin; `directions` are nine numbers, row-major. */
function centred(size: Triple, spacing: Triple, directions: readonly number[]): Affine {
  const linear = {
    rows: [0, 1, 2].flatMap((row) => [
      ...[0, 1, 2].map((column) => directions[3 * row + column]! * spacing[column]!),
      0,
    ]),
  };
  const middle = size.map((n) => -(n - 1) / 2) as unknown as Triple;
  return composeAffines(linear, axisAlignedAffine([1, 1, 1], middle));
}

/** About x, then z; degrees. */
function rotation(aboutX: number, aboutZ: number): number[] {
  const [cx, sx, cz, sz] = [Math.cos, Math.sin]
    .flatMap((f) => f((aboutX * Math.PI) / 180))
    .concat([Math.cos, Math.sin].flatMap((f) => f((aboutZ * Math.PI) / 180)));
  return [cz!, -sz! * cx!, sz! * sx!, sz!, cz! * cx!, -cz! * sx!, 0, sx!, cx!];
}

/** Grids as scanners write them, about 90 x 84 x 72 mm around the world's origin. */
export const sourceGrids: readonly {
  readonly name: string;
  readonly size: Triple;
  readonly affine: Affine;
}[] = [
  {
    name: 'straight',
    size: [45, 42, 36] as const,
    spacing: [2, 2, 2] as const,
    directions: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  },
  {
    name: 'flipped',
    size: [45, 42, 24] as const,
    spacing: [2, 2, 3] as const,
    directions: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
  },
  {
    name: 'permuted',
    size: [36, 60, 42] as const,
    spacing: [2, 1.5, 2] as const,
    directions: [0, 1, 0, 0, 0, -1, 1, 0, 0],
  },
  {
    name: 'anisotropic',
    size: [75, 70, 15] as const,
    spacing: [1.2, 1.2, 5] as const,
    directions: [-1, 0, 0, 0, 1, 0, 0, 0, 1],
  },
  {
    name: 'oblique',
    size: [45, 42, 36] as const,
    spacing: [2, 2, 2] as const,
    directions: rotation(17, -23),
  },
  {
    name: 'oblique and flipped',
    size: [60, 42, 24] as const,
    spacing: [1.5, 2, 3] as const,
    directions: rotation(-9, 31).map((n, i) => (i % 3 === 0 ? -n : n)),
  },
].map(({ name, size, spacing, directions }) => ({ name, size, affine: centred(size, spacing, directions) }));

type StoredGrid = Pick<Volume, 'size' | 'affine'>;

/** RAS, of numbers that float32 carries exactly. */
export const upright: StoredGrid = {
  size: [34, 20, 18],
  affine: { rows: [2, 0, 0, -34, 0, 2, 0, -20, 0, 0, 4, -36] },
};

/** Ways to store the same voxels: axis i of the file is axis |axes[i]| - 1 of the grid, reversed if negative. */
export const storages: readonly (readonly [name: string, axes: Triple])[] = [
  ['RAS', [1, 2, 3]],
  ['LPS', [-1, -2, 3]],
  ['LAS, mirrored', [-1, 2, 3]],
  ['permuted and flipped', [3, -1, 2]],
  ['permuted', [2, 3, 1]],
];

/** The grid with the same voxels at the same places, stored with other axes. */
export function storedGrid(grid: StoredGrid, axes: Triple): StoredGrid {
  const size = axes.map((axis) => grid.size[Math.abs(axis) - 1]!) as unknown as Triple;
  const rows = new Array<number>(12).fill(0);
  axes.forEach((axis, i) => {
    const along = Math.abs(axis) - 1;
    rows[4 * along + i] = Math.sign(axis);
    rows[4 * along + 3] = axis < 0 ? grid.size[along]! - 1 : 0;
  });
  return { size, affine: composeAffines(grid.affine, { rows }) };
}
