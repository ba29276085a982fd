import { NIFTI2, type readHeader } from 'nifti-reader-js';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { type Affine, affineRows, applyAffine, checkAffine, spacingOf } from './affine.js';
import { AXES, type Axis, mapAxes, type Triple } from './triple.js';

/** A header as `nifti-reader-js` reads it. */
export type ParsedHeader = NonNullable<ReturnType<typeof readHeader>>;

/** Where a header puts its voxels. */
export interface NiftiGeometry {
  /** Voxel index to RAS mm, whatever unit the header has. */
  readonly affine: Affine;
  /** What readers take differently, or had to guess: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/**
 * The place of voxels: by sform where it is set, else by qform, else by pixdim around a centred origin with x
 * to the left, as nibabel does. Metres and micrometres become millimetres, as in ITK.
 * @param view the bytes of the header
 * @param size voxels along [x, y, z]
 * @throws DataError when what decides the place cannot be right: a spacing that is 0 or not finite, a
 * quaternion that is no rotation, axes that do not span space
 */
export function niftiGeometry(
  header: ParsedHeader,
  view: DataView,
  size: Triple,
  file: string,
): NiftiGeometry {
  const decides = header.sform_code > 0 ? 'sform' : header.qform_code > 0 ? 'qform' : 'pixdim';
  const unit = unitOf(header, file);
  const pixels = pixelSpacing(header, size, decides !== 'sform', unit.mm, file);
  const quaternion = header.qform_code > 0 ? quaternionProblem(header) : undefined;
  if (decides === 'qform' && quaternion) {
    throw new DataError(
      `${file}: ${quaternion}; expected three numbers whose squares add up to 1 at most, so fix qform in the header`,
      { file, field: 'quatern_b', found: [header.quatern_b, header.quatern_c, header.quatern_d] },
    );
  }
  const qform =
    header.qform_code > 0 && !quaternion ? quaternionAffine(header, pixels.spacing, unit.mm) : undefined;
  const affine =
    decides === 'sform'
      ? sformAffine(header, view, unit.mm)
      : (qform ?? centredAffine(size, pixels.spacing, unit.mm));
  checkAffine(affine, file, remedies[decides]);
  return {
    affine,
    oddities: [
      ...unit.oddities,
      ...pixels.oddities,
      ...undefinedCodes(header, file),
      ...(decides === 'qform' ? undefinedSign(header, file) : []),
      ...(decides === 'pixdim' ? [noForm(file)] : []),
      ...(decides === 'sform' ? spacingDisagreement(affine, pixels, unit.mm, file) : []),
      ...(decides === 'sform' && quaternion
        ? [`${file}: ${quaternion}; the sform is used, not the qform`]
        : []),
      ...(decides === 'sform' && qform && pixels.known ? formDisagreement(affine, qform, file) : []),
    ],
  };
}

const remedies = {
  sform: 'fix sform or qform in the header, of which the sform counts where sform_code is above 0',
  qform: 'fix qform in the header',
  pixdim: 'fix pixdim in the header',
};

const noForm = (file: string): string =>
  `${file}: sform_code and qform_code are both 0, so that the header does not say which way is left or front: ` +
  'x is taken to the left and y to the front, as nibabel does, while ITK takes y to the back; ' +
  'set an sform, or check the orientation';

/** The codes of forms that NIfTI defines: 0 for none, up to 5 for a template. */
const largestFormCode = 5;

function undefinedCodes({ sform_code, qform_code }: ParsedHeader, file: string): string[] {
  const codes = [
    ['sform', sform_code],
    ['qform', qform_code],
  ] as const;
  return codes
    .filter(([, code]) => code < 0 || code > largestFormCode)
    .map(
      ([form, code]) =>
        `${file}: ${form}_code is ${code}, which NIfTI does not define; the ${form} is ` +
        `${code > 0 ? 'taken as set, as ITK does, while nibabel passes over it' : 'passed over'}: check the orientation`,
    );
}

/** The sign of the third axis, which is 1, -1, or 0 for 1; readers take other negative numbers differently. */
function undefinedSign({ pixDims }: ParsedHeader, file: string): string[] {
  const sign = itemAt(pixDims, 0);
  if (!(sign < 0) || sign === -1) return [];
  return [
    `${file}: pixdim[0] is ${sign}, and should be 1 or -1; it is taken as -1, as ITK and NIfTI's own library do, while ` +
      'nibabel takes 1: check which end of the third axis is up',
  ];
}

/** Millimetres in the header's unit of length: the lowest three bits of xyzt_units. */
function unitOf(header: ParsedHeader, file: string): { mm: number; oddities: string[] } {
  const code = header.xyzt_units & 7;
  const known: Readonly<Record<number, { readonly mm: number; readonly name: string }>> = {
    1: { mm: 1000, name: 'metres' },
    2: { mm: 1, name: 'millimetres' },
    3: { mm: 1e-3, name: 'micrometres' },
  };
  const unit = known[code];
  if (unit?.mm === 1) return { mm: 1, oddities: [] };
  if (unit) {
    return {
      mm: unit.mm,
      oddities: [
        `${file}: xyzt_units says ${unit.name}, which were converted to millimetres, as ITK does; ` +
          'nibabel and MONAI do not, so check that the spacing is right',
      ],
    };
  }
  return {
    mm: 1,
    oddities: [
      `${file}: xyzt_units has the code ${code} for the unit of length, which is ` +
        `${code === 0 ? 'unknown' : 'none that NIfTI defines'}; ` +
        'millimetres are taken, as every reader does, so check that the spacing is right',
    ],
  };
}

interface PixelSpacing {
  /** In the header's unit; 1 mm where the header has none. */
  readonly spacing: Triple;
  /** Whether the header has one along each axis. */
  readonly known: boolean;
  readonly oddities: readonly string[];
}

function pixelSpacing(
  { pixDims }: ParsedHeader,
  size: Triple,
  decides: boolean,
  mm: number,
  file: string,
): PixelSpacing {
  const found = mapAxes(AXES, (axis) => itemAt(pixDims, axis + 1));
  const unusable = (axis: Axis) => !Number.isFinite(found[axis]) || found[axis] === 0;
  const without = AXES.filter(unusable);
  const field = (axis: Axis) => `pixdim[${axis + 1}]`;
  const needed = without.find((axis) => decides && size[axis] > 1);
  if (needed !== undefined) {
    throw new DataError(
      `${file}: ${field(needed)} is ${found[needed]}; expected the distance of voxels along ${'xyz'[needed]}, ` +
        'a finite number above 0, so fix pixdim in the header',
      { file, field: field(needed), found: found[needed] },
    );
  }
  const instead = decides ? 'the only slice is taken as 1 mm thick' : 'the spacing of the sform is used';
  return {
    spacing: mapAxes(found, (value, axis) => (unusable(axis) ? 1 / mm : Math.abs(value))),
    known: without.length === 0,
    oddities: [
      ...without.map(
        (axis) => `${file}: ${field(axis)} is ${found[axis]}, and no distance of voxels; ${instead}`,
      ),
      ...AXES.filter((axis) => found[axis] < 0).map(
        (axis) => `${file}: ${field(axis)} is ${found[axis]}; its sign is passed over, as nibabel and ITK do`,
      ),
    ],
  };
}

/** Why a quaternion is none; undefined when it is one. */
function quaternionProblem({ quatern_b, quatern_c, quatern_d }: ParsedHeader): string | undefined {
  const parts = [quatern_b, quatern_c, quatern_d];
  const squares = parts.reduce((sum, n) => sum + n * n, 0);
  if (squares <= 1 + quaternionTolerance) return undefined; // not so for NaN
  return `quatern_b, c and d are ${parts.map((n) => Number(n.toPrecision(6))).join(', ')}`;
}

/** Three numbers in float32, of which each is rounded. */
const quaternionTolerance = 1e-3;

/** Headers are written in float32; half a voxel over 500. */
const spacingTolerance = 1e-3;

/** Length of the difference of unit vectors: a real part near 0 costs a quaternion in float32 that much. */
const directionTolerance = 3e-3;

/** Voxels between the first voxels of two forms. */
const placeTolerance = 0.05;

function spacingDisagreement(affine: Affine, pixels: PixelSpacing, mm: number, file: string): string[] {
  if (!pixels.known) return [];
  const bySform = spacingOf(affine);
  const byPixels = mapAxes(pixels.spacing, (n) => n * mm);
  if (AXES.every((axis) => Math.abs(byPixels[axis] / bySform[axis] - 1) <= spacingTolerance)) return [];
  return [
    `${file}: pixdim says a spacing of ${short(byPixels)} mm, but the sform ${short(bySform)} mm; ` +
      'the sform is used, as nibabel does, while ITK and MONAI use pixdim: find out which is right',
  ];
}

function formDisagreement(sform: Affine, qform: Affine, file: string): string[] {
  const apart = distance(applyAffine(sform, [0, 0, 0]), applyAffine(qform, [0, 0, 0]));
  const [s, q] = [directionsOf(sform), directionsOf(qform)];
  const turned = Math.max(...mapAxes(AXES, (axis) => distance(s[axis], q[axis])));
  if (apart <= placeTolerance * Math.min(...spacingOf(sform)) && turned <= directionTolerance) return [];
  const degrees = (2 * Math.asin(Math.min(1, turned / 2)) * 180) / Math.PI;
  return [
    `${file}: sform and qform are both set and disagree, by ${Number(apart.toFixed(3))} mm at the first voxel ` +
      `and ${Number(degrees.toFixed(2))} degrees between axes; the sform is used, as nibabel and MONAI do, ` +
      'while ITK may use the qform: find out which is right',
  ];
}

/** The unit vector into RAS of each voxel axis. */
function directionsOf(affine: Affine): readonly [Triple, Triple, Triple] {
  const [r, a, s] = affineRows(affine);
  const spacing = spacingOf(affine);
  return mapAxes(AXES, (axis) => mapAxes([r[axis], a[axis], s[axis]], (n) => n / spacing[axis]));
}

const distance = (a: Triple, b: Triple): number =>
  Math.hypot(...mapAxes(a, (value, axis) => value - b[axis]));

const short = (values: Triple): string => values.map((n) => Number(n.toPrecision(4))).join(' x ');

function sformAffine(header: ParsedHeader, view: DataView, mm: number): Affine {
  const long = header instanceof NIFTI2;
  const { littleEndian } = header;
  const number = (i: number) =>
    long ? view.getFloat64(400 + 8 * i, littleEndian) : view.getFloat32(280 + 4 * i, littleEndian);
  return { rows: Array.from({ length: 12 }, (_, i) => number(i) * mm) };
}

function centredAffine(size: Triple, pixels: Triple, mm: number): Affine {
  const [x, y, z] = mapAxes(pixels, (n) => n * mm);
  const centre = (axis: Axis, spacing: number) => ((size[axis] - 1) / 2) * spacing;
  return { rows: [-x, 0, 0, centre(0, x), 0, y, 0, -centre(1, y), 0, 0, z, -centre(2, z)] };
}

/**
 * NIfTI's "method 2": a rotation given by a unit quaternion whose real part is left out, spacing, and a sign
 * for the third axis.
 */
function quaternionAffine(header: ParsedHeader, pixels: Triple, mm: number): Affine {
  let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d];
  const squared = b * b + c * c + d * d;
  const a = Math.sqrt(Math.max(0, 1 - squared));
  if (squared > 1) [b, c, d] = mapAxes([b, c, d], (n) => n / Math.sqrt(squared)); // rounding in the file
  const zSign = itemAt(header.pixDims, 0) < 0 ? -1 : 1;
  const rotation: readonly [Triple, Triple, Triple] = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const offsets = [header.qoffset_x, header.qoffset_y, header.qoffset_z] as const;
  return {
    rows: mapAxes(rotation, ([x, y, z], world) => [
      x * pixels[0] * mm,
      y * pixels[1] * mm,
      z * pixels[2] * zSign * mm,
      offsets[world] * mm,
    ]).flat(),
  };
}
