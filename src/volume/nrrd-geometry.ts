import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { type Affine, checkAffine } from './affine.js';
import type { TextHeader } from './text-header.js';
import { AXES, isTriple, type Triple } from './triple.js';

/** Where a NRRD header puts its voxels. */
export interface NrrdGeometry {
  /** Voxel index along the three axes of space to RAS mm. */
  readonly affine: Affine;
  /** Which of the file's axes those of space are, in their order. */
  readonly axes: Triple;
  /** Whether time is a coordinate of its space. */
  readonly timed: boolean;
  /** What the header leaves open: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/**
 * The place of voxels as `space`, `space directions`, `space origin` and `space units` say it. This is the one
 * place that reads them, for files that ITK reads as well: the ITK of `@itk-wasm/image-io` exchanges left and
 * right in `left-anterior-superior`, every ITK passes over the space where time is an axis of it, and none
 * converts units.
 * @returns undefined when the header has no `space directions`: then spacings are all that it says
 * @throws DataError for a space that is none of a patient or scanner, or directions that are not those of three
 * axes
 */
export function nrrdGeometry(
  file: string,
  { fields, sizes }: Pick<TextHeader, 'fields' | 'sizes'>,
): NrrdGeometry | undefined {
  const text = fieldOf(fields, 'space directions');
  if (text === undefined) return undefined;
  const space = spaceOf(file, fields.get('space'));
  const directions = directionsOf(file, text, sizes.length, space.timed ? 4 : 3);
  const axes = [...directions.keys()].filter((axis) => directions[axis]?.slice(0, 3).some((n) => n !== 0));
  const vectors = axes.map((axis) => itemAt(directions, axis)?.slice(0, 3) ?? []);
  const [x, y, z] = vectors;
  const inTime = directions.filter((vector) => vector && (vector[3] ?? 0) !== 0);
  const mixed = inTime.some((vector) => vector?.slice(0, 3).some((n) => n !== 0));
  if (!isTriple(axes) || !x || !y || !z || !isTriple(x) || !isTriple(y) || !isTriple(z) || mixed) {
    throw new DataError(
      `${file}: "space directions" is "${text}"; expected the directions of three axes of space, so correct it ` +
        'in the header',
      { file, field: 'space directions', found: text },
    );
  }
  const origin = originOf(file, fieldOf(fields, 'space origin'), space.timed ? 4 : 3);
  const units = fieldOf(fields, 'space units');
  const unit = unitOf(file, 'space units', units, unitNames(units).slice(0, space.timed ? 3 : undefined));
  const affine = {
    rows: AXES.flatMap((world) =>
      [x, y, z, origin.place].map((vector) => 0 + space.toRas[world] * vector[world] * unit.mm[world]),
    ),
  };
  checkAffine(affine, file, 'correct "space directions" in the header');
  return {
    affine,
    axes,
    timed: space.timed,
    oddities: [...space.oddities, ...origin.oddities, ...unit.oddities],
  };
}

/** What a NRRD header leaves open: one sentence each. Throws DataError as `nrrdGeometry` does. */
export function nrrdOddities(file: string, header: Pick<TextHeader, 'fields' | 'sizes'>): readonly string[] {
  const geometry = nrrdGeometry(file, header);
  if (geometry) return geometry.oddities;
  return [
    `${file}: the header has no "space directions", so that it does not say which way is left or front: ` +
      'left-posterior-superior is taken, as ITK does, so check the orientation',
    ...nrrdSpacingUnits(file, header).oddities,
  ];
}

interface Space {
  /** What each coordinate is multiplied with to be to the right, the front and up. */
  readonly toRas: Triple;
  /** Whether time is a fourth coordinate. */
  readonly timed: boolean;
  readonly oddities: readonly string[];
}

/** The names of NRRD, long and short; a `-time` or `T` at their end means a fourth axis. */
const anatomical: readonly (readonly [name: RegExp, toRas: Triple])[] = [
  [/^(right-anterior-superior|ras)$/, [1, 1, 1]],
  [/^(left-anterior-superior|las)$/, [-1, 1, 1]],
  [/^(left-posterior-superior|lps)$/, [-1, -1, 1]],
];

function spaceOf(file: string, text: string | undefined): Space {
  const name = (text ?? '').trim().toLowerCase();
  const [, spatial = name, time] = /^(.*?)(-time|(?<=^(?:ras|las|lps))t)?$/.exec(name) ?? [];
  const timed = time !== undefined;
  const known = anatomical.find(([pattern]) => pattern.test(spatial));
  if (known) return { toRas: known[1], timed, oddities: [] };
  const says = text === undefined ? 'the header has no "space"' : `"space" is "${text}"`;
  if (text !== undefined && !/^(scanner-xyz|3d-right-handed|3d-left-handed)$/.test(spatial)) {
    throw new DataError(
      `${file}: ${says}; expected right-anterior-superior, left-anterior-superior, left-posterior-superior or ` +
        'scanner-xyz, so correct it in the header',
      { file, field: 'space', found: text },
    );
  }
  return {
    toRas: [-1, -1, 1],
    timed,
    oddities: [
      `${file}: ${says}, which does not say where left and front are; left-posterior-superior is taken, ` +
        'as ITK does, so check the orientation',
    ],
  };
}

/** For each axis of the file its vector; undefined for one that is no axis of space. */
function directionsOf(
  file: string,
  text: string,
  axes: number,
  coordinates: number,
): (readonly number[] | undefined)[] {
  const entries = text.match(/none|\([^)]*\)/gi) ?? [];
  const vectors = entries.map((entry) => (/none/i.test(entry) ? undefined : numbersIn(entry)));
  const known = vectors.map((vector) => (vector?.every(Number.isNaN) ? undefined : vector)); // another "none"
  const whole = (vector: readonly number[] | undefined) =>
    !vector || (vector.length === coordinates && vector.every(Number.isFinite));
  if (known.length === axes && known.every(whole)) return known;
  throw new DataError(
    `${file}: "space directions" is "${text}"; expected "none" or ${coordinates} numbers in brackets for each of ` +
      `${axes} axes, so correct it in the header`,
    { file, field: 'space directions', found: text },
  );
}

function originOf(
  file: string,
  text: string | undefined,
  coordinates: number,
): { place: Triple; oddities: string[] } {
  const values = numbersIn(text ?? '');
  const [x = 0, y = 0, z = 0] = values;
  if (values.length === coordinates && values.slice(0, 3).every(Number.isFinite))
    return { place: [x, y, z], oddities: [] };
  if (text === undefined || values.every(Number.isNaN)) {
    return {
      place: [0, 0, 0],
      oddities: [
        `${file}: the header has no "space origin"; 0 is taken, as ITK does, so check where the scan lies`,
      ],
    };
  }
  throw new DataError(
    `${file}: "space origin" is "${text}"; expected ${coordinates} numbers in brackets, so correct it in the header`,
    { file, field: 'space origin', found: text },
  );
}

/** Millimetres in each unit of length that "space units" may name. */
const lengths: ReadonlyMap<string, number> = new Map([
  ...['mm', 'millimeter', 'millimeters', 'millimetre', 'millimetres'].map((name) => [name, 1] as const),
  ...['um', '\u00b5m', '\u03bcm', 'micron', 'microns', 'micrometer', 'micrometers', 'micrometre'].map(
    (name) => [name, 1e-3] as const,
  ),
  ...['nm', 'nanometer', 'nanometers', 'nanometre'].map((name) => [name, 1e-6] as const),
  ...['cm', 'centimeter', 'centimeters', 'centimetre'].map((name) => [name, 10] as const),
  ...['m', 'meter', 'meters', 'metre', 'metres'].map((name) => [name, 1000] as const),
]);

/**
 * The units of the spacings of a header without directions.
 * @returns mm in the unit of each axis of space
 */
export function nrrdSpacingUnits(
  file: string,
  { fields, sizes }: Pick<TextHeader, 'fields' | 'sizes'>,
): Pick<NrrdGeometry, 'oddities'> & { readonly mm: Triple } {
  const text = fields.get('units');
  const units = unitNames(text);
  // An axis of channels has a unit of its own, which is empty.
  const ofSpace = sizes.length > 3 ? units.filter((name) => name !== '' && name !== '???') : units;
  return unitOf(file, 'units', text, ofSpace);
}

const unitNames = (text: string | undefined): string[] =>
  [...(text ?? '').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => (quoted ?? plain ?? '').trim());

/** mm in the unit of each coordinate. */
function unitOf(
  file: string,
  field: string,
  text: string | undefined,
  names: readonly string[],
): { mm: Triple; oddities: string[] } {
  const inMm = { mm: [1, 1, 1] as const, oddities: [] };
  if (names.every((name) => name === '' || name === 'mm')) return inMm;
  // The header was read as latin1; a micro sign may be one byte of that or two of UTF-8.
  const factors = names.map(
    (name) =>
      lengths.get(name.toLowerCase()) ?? lengths.get(Buffer.from(name, 'latin1').toString().toLowerCase()),
  );
  const [x, y, z] = factors;
  if (names.length !== 3 || x === undefined || y === undefined || z === undefined) {
    return {
      ...inMm,
      oddities: [
        `${file}: "${field}" is ${text}, and not three units of length; millimetres are taken, as ITK does, ` +
          'so check that the spacing is right',
      ],
    };
  }
  const mm = [x, y, z] as const;
  if (mm.every((factor) => factor === 1)) return inMm;
  return {
    mm,
    oddities: [
      `${file}: "${field}" is ${text}, which was converted to millimetres; ITK does not, ` +
        'so check that the spacing is right',
    ],
  };
}

/** A field by its name, which may also be written as one word. */
const fieldOf = (fields: TextHeader['fields'], name: string): string | undefined =>
  fields.get(name) ?? fields.get(name.replaceAll(' ', ''));

/** Numbers between brackets, or NaN for what is none. */
const numbersIn = (text: string): number[] =>
  text.replace(/[(),]/g, ' ').split(/\s+/).filter(Boolean).map(Number);
