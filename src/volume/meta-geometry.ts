import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { type Affine, checkAffine } from './affine.js';
import { lpsToRas } from './itk-volume.js';
import type { TextHeader } from './text-header.js';
import { AXES } from './triple.js';

/** Where a MetaImage header puts its voxels. */
export interface MetaGeometry {
  /** Voxel index along the first three axes to RAS mm. */
  readonly affine: Affine;
  /** What the header leaves open or says twice: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/** Names of one thing, of which the first that stands in the header counts, as in ITK. */
const namesOf = {
  direction: ['TransformMatrix', 'Rotation', 'Orientation'],
  origin: ['Origin', 'Offset', 'Position'],
  spacing: ['ElementSpacing', 'ElementSize'],
} as const;

/**
 * The place of voxels as the header says it. What is missing is 0, an identity and 1 mm, as in ITK, and a finding
 * where it is the spacing.
 * @throws DataError for a field that has not as many numbers as the axes ask for, or axes that do not span space
 */
export function metaImageGeometry(
  file: string,
  { fields, sizes, meta }: Pick<TextHeader, 'fields' | 'sizes' | 'meta'>,
): MetaGeometry {
  const axes = sizes.length;
  const oddities: string[] = [];
  const read = (names: readonly string[], count: number): readonly number[] | undefined => {
    const there = names.flatMap((name) => {
      const text = fields.get(name.toLowerCase());
      return text === undefined ? [] : [{ name, values: numbersOf(file, name, text, count) }];
    });
    const [first, ...others] = there;
    const other = others.find(({ values }) => values.some((n, i) => n !== first?.values[i]));
    if (first && other) {
      oddities.push(
        `${file}: ${first.name} and ${other.name} stand for the same and say different things; ${first.name} is taken, ` +
          'as ITK does: find out which is right',
      );
    }
    return first?.values;
  };
  const direction = read(namesOf.direction, axes * axes);
  const origin = read(namesOf.origin, axes);
  const spacing = read(namesOf.spacing, axes);
  if (!spacing) {
    oddities.push(
      `${file}: the header has no ElementSpacing; 1 mm is taken, as ITK does, so check that the spacing is right`,
    );
  }
  const mm = meta?.mm ?? 1;
  // The file lists the direction of each axis one after another; the affine holds them as columns.
  const along = (axis: number, world: number) =>
    (direction ? itemAt(direction, axes * axis + world) : Number(axis === world)) *
    (spacing ? itemAt(spacing, axis) : 1) *
    mm;
  const affine = lpsToRas({
    rows: AXES.flatMap((world) => [
      ...AXES.map((axis) => along(axis, world)),
      (origin ? itemAt(origin, world) : 0) * mm,
    ]),
  });
  checkAffine(affine, file, 'correct TransformMatrix and ElementSpacing in the header');
  return { affine, oddities };
}

function numbersOf(file: string, field: string, text: string, count: number): number[] {
  const values = text.split(/\s+/).filter(Boolean).map(Number);
  if (values.length === count && values.every(Number.isFinite)) return values;
  throw new DataError(
    `${file}: ${field} is "${text}"; expected ${count} numbers with blanks between them, and a point before their ` +
      'decimals, so correct it in the header',
    { file, field, found: text, expected: count },
  );
}
