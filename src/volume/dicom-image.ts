import type { DataSet } from 'dicom-parser';
import { z } from 'zod';
import { DataError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { type DicomFile, isNative, type PixelPlace } from './dicom-file.js';
import { type Triple, tripleOf } from './triple.js';

/** What the header of a file with pixels says. */
export interface DicomImage {
  readonly file: string;
  readonly syntax: string;
  readonly pixels: PixelPlace;
  /** SeriesInstanceUID. */
  readonly series: string;
  /** Such as `CT`, for sentences. */
  readonly modality: string;
  readonly description: string;
  readonly format: PixelFormat;
  readonly frames: readonly DicomFrame[];
  /** What readers take differently: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/** How pixels are written. */
export interface PixelFormat {
  readonly columns: number;
  readonly rows: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
}

/** One slice: a file, or one of the frames of a file. */
export interface DicomFrame {
  readonly file: string;
  /** From 0. */
  readonly index: number;
  /** ImagePositionPatient, mm, LPS; undefined where it is not said. */
  readonly position: Triple | undefined;
  /** ImageOrientationPatient: directions of a row and of a column, LPS. */
  readonly directions: readonly [row: Triple, column: Triple] | undefined;
  /** PixelSpacing: mm from column to column, and from row to row. */
  readonly spacing: readonly [columns: number, rows: number] | undefined;
  /** SpacingBetweenSlices, or SliceThickness, mm. */
  readonly thickness: number | undefined;
  /** RescaleSlope and RescaleIntercept; undefined where neither is said. */
  readonly rescale: readonly [slope: number, intercept: number] | undefined;
  /** What tells slices at one place apart, by the keyword. */
  readonly marks: ReadonlyMap<string, string>;
}

/** A data set, or what an item of a sequence holds. */
type Elements = DataSet;

/** The items of a sequence; none where it is not there. */
export function itemsOf(elements: Elements | undefined, tag: string): Elements[] {
  return (elements?.elements[tag]?.items ?? []).flatMap(({ dataSet }) => dataSet ?? []);
}

/** A text without blanks around it; undefined where it is not there or empty. */
export function textOf(elements: Elements | undefined, tag: string): string | undefined {
  const text = elements?.elements[tag] ? elements.string(tag)?.trim() : undefined;
  return text === '' ? undefined : text;
}

/** Numbers written out; undefined where they are not there. What is no number is NaN. */
export function numbersOf(elements: Elements | undefined, tag: string): number[] | undefined {
  return textOf(elements, tag)
    ?.split('\\')
    .map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
}

const word = (elements: Elements, tag: string): number | undefined =>
  elements.elements[tag] ? elements.uint16(tag) : undefined;

const count = z.number().int().min(1);
const finite = z.number();
const direction = tripleOf(finite).refine(
  (vector) => Math.abs(Math.hypot(...vector) - 1) < 1e-2,
  'expected a vector of length 1',
);

/** What may stand in the header of an image, by the keywords of DICOM. */
const imageSchema = z
  .object({
    Columns: count,
    Rows: count,
    NumberOfFrames: count.max(1e5).default(1),
    SamplesPerPixel: z.literal(1, 'expected 1: the pictures of a scan are grey').default(1),
    PhotometricInterpretation: z
      .enum(['MONOCHROME1', 'MONOCHROME2'], 'expected MONOCHROME2: the pictures of a scan are grey')
      .default('MONOCHROME2'),
    BitsAllocated: z.literal([1, 8, 16, 32], 'expected 8, 16 or 32, or 1 in a segmentation'),
    BitsStored: count.max(32).optional(),
    HighBit: z.number().int().min(0).max(31).optional(),
    PixelRepresentation: z.literal([0, 1]).default(0),
  })
  .transform(({ BitsStored, HighBit, ...image }) => {
    const stored = BitsStored ?? image.BitsAllocated;
    return { ...image, BitsStored: stored, HighBit: HighBit ?? stored - 1 };
  })
  .refine(({ BitsAllocated, BitsStored, HighBit }) => BitsStored <= HighBit + 1 && HighBit < BitsAllocated, {
    path: ['BitsStored'],
    message: 'expected BitsStored - 1 <= HighBit < BitsAllocated',
  });

/** What may stand in the header of a slice. */
const frameSchema = z.object({
  ImagePositionPatient: tripleOf(finite).optional(),
  ImageOrientationPatient: z.tuple([direction, direction]).optional(),
  PixelSpacing: z.tuple([z.number().positive(), z.number().positive()]).optional(),
  SpacingBetweenSlices: finite.optional(),
  SliceThickness: finite.optional(),
  RescaleSlope: z
    .number()
    .refine((slope) => slope !== 0, 'expected a number other than 0')
    .optional(),
  RescaleIntercept: finite.optional(),
});

/**
 * Reads what the header of a file with pixels says.
 * @returns undefined where the file has no pixels, as a report, a plan or a set of contours has none
 * @throws DataError for a field that cannot be right, pictures in colour, pixels that are missing, not all
 * there, or compressed in a way that nothing here decodes
 */
export function imageOf(found: DicomFile): DicomImage | undefined {
  const { file, header, syntax, pixels } = found;
  if (header.elements.x7fe00008 || header.elements.x7fe00009) {
    throw new DataError(
      `${file} holds pixels in floating point, as a parametric map does; expected a scan with whole numbers`,
      { file, field: 'FloatPixelData' },
    );
  }
  if (!pixels && isWithoutPixels(found)) return undefined;
  if (!pixels) {
    throw new DataError(
      found.kind === '' && !header.elements.x00280010
        ? `${file} does not say what it is (SOPClassUID) and has no pixels: copy or download it again, or remove it`
        : `${file} is damaged or truncated: its header is that of a picture, but pixels are not there; ` +
            'copy or download it again',
      { file, field: 'PixelData' },
    );
  }
  const image = checked(imageSchema, file, {
    Columns: word(header, 'x00280011'),
    Rows: word(header, 'x00280010'),
    NumberOfFrames: numbersOf(header, 'x00280008')?.[0],
    SamplesPerPixel: word(header, 'x00280002'),
    PhotometricInterpretation: textOf(header, 'x00280004'),
    BitsAllocated: word(header, 'x00280100'),
    BitsStored: word(header, 'x00280101'),
    HighBit: word(header, 'x00280102'),
    PixelRepresentation: word(header, 'x00280103'),
  });
  requireReadable(syntax, file);
  if (/(^|\\)\s*MOSAIC\s*(\\|$)/.test(textOf(header, 'x00080008') ?? '')) {
    throw new DataError(
      `${file} is a mosaic of Siemens, whose picture holds all slices of a volume side by side: convert the series to ` +
        'NIfTI first, such as with dcm2niix',
      { file, field: 'ImageType', found: 'MOSAIC' },
    );
  }
  if (image.PhotometricInterpretation === 'MONOCHROME1' && !isNative(syntax)) {
    throw new DataError(
      `${file}: its pixels are compressed and MONOCHROME1, whose values ITK turns round as it decodes them: ` +
        'decompress the series first, such as with decompress() of pydicom',
      { file, field: 'PhotometricInterpretation', found: 'MONOCHROME1' },
    );
  }
  const needed = Math.ceil((image.Columns * image.Rows * image.NumberOfFrames * image.BitsAllocated) / 8);
  if (pixels.length !== undefined && pixels.present < needed) {
    throw new DataError(
      `${file} is truncated: its header promises ${needed} bytes of pixels, ${pixels.present} are there; ` +
        'copy or download it again',
      { file, found: pixels.present, expected: needed },
    );
  }
  const groups = { each: itemsOf(header, 'x52009230'), shared: itemsOf(header, 'x52009229')[0] };
  const frames = Array.from({ length: image.NumberOfFrames }, (_, index) =>
    frameOf(header, groups, file, index),
  );
  return {
    file,
    syntax,
    pixels,
    series: textOf(header, 'x0020000e') ?? '',
    modality: textOf(header, 'x00080060') ?? 'unknown',
    description: textOf(header, 'x0008103e') ?? '',
    format: {
      columns: image.Columns,
      rows: image.Rows,
      bitsAllocated: image.BitsAllocated,
      bitsStored: image.BitsStored,
      highBit: image.HighBit,
      signed: image.PixelRepresentation === 1,
    },
    frames,
    oddities: [
      ...(image.PhotometricInterpretation === 'MONOCHROME1'
        ? [
            `${file}: PhotometricInterpretation is MONOCHROME1, so that high values are shown dark; ` +
              'values are taken as stored, as DICOM defines, while ITK turns them round: check the intensities',
          ]
        : []),
      ...(header.elements.x00283000
        ? [
            `${file}: the header has a ModalityLUTSequence, which is not applied, as in ITK: check the intensities`,
          ]
        : []),
    ],
  };
}

/**
 * Kinds that the standard defines without pixels: reports, presentation states, waveforms, plans, contours,
 * registrations, documents, and the index of a medium. Private kinds may be anything.
 */
const withoutPixels = new RegExp(
  `^1\\.2\\.840\\.10008\\.(1\\.3\\.10|5\\.1\\.4\\.(34|38|39|43|44|45)\\..*|5\\.1\\.4\\.1\\.1\\.(${[
    '4\\.2',
    '(9|11|68|78|79|80|88|104|200)\\..*',
    '66(\\.[12356])?',
    '67',
    '481\\.([3-9]|[12][0-9])',
  ].join('|')}))$`,
);

function isWithoutPixels({ header, kind }: DicomFile): boolean {
  if (header.elements.x00280010) return false;
  return withoutPixels.test(kind) || (kind !== '' && !kind.startsWith('1.2.840.10008.'));
}

/** Where a frame stands and what its values mean: by its own group, the shared one, or the file. */
function frameOf(
  header: DataSet,
  { each, shared }: { readonly each: readonly Elements[]; readonly shared: Elements | undefined },
  file: string,
  index: number,
): DicomFrame {
  const own = each[index];
  const groupsOf = (group: string) => [itemsOf(own, group)[0], itemsOf(shared, group)[0], header];
  const numbers = (group: string, tag: string) => {
    for (const elements of groupsOf(group)) {
      const values = numbersOf(elements, tag);
      if (values) return values;
    }
    return undefined;
  };
  // A place in the file itself is that of one frame, and of no other.
  const position = own || index === 0 ? numbers('x00209113', 'x00200032') : undefined;
  const directions = numbers('x00209116', 'x00200037');
  const frame = checked(frameSchema, file, {
    ImagePositionPatient: position,
    ImageOrientationPatient: directions && [directions.slice(0, 3), directions.slice(3)],
    PixelSpacing: numbers('x00289110', 'x00280030'),
    SpacingBetweenSlices: numbers('x00289110', 'x00180088')?.[0],
    SliceThickness: numbers('x00289110', 'x00180050')?.[0],
    RescaleSlope: numbers('x00289145', 'x00281053')?.[0],
    RescaleIntercept: numbers('x00289145', 'x00281052')?.[0],
  });
  const { RescaleSlope, RescaleIntercept, PixelSpacing } = frame;
  const thickness = Math.abs(frame.SpacingBetweenSlices || frame.SliceThickness || 0);
  return {
    file,
    index,
    position: frame.ImagePositionPatient,
    directions: frame.ImageOrientationPatient,
    spacing: PixelSpacing && [PixelSpacing[1], PixelSpacing[0]],
    thickness: thickness > 0 ? thickness : undefined,
    rescale:
      RescaleSlope === undefined && RescaleIntercept === undefined
        ? undefined
        : [RescaleSlope ?? 1, RescaleIntercept ?? 0],
    marks: new Map(
      marks.flatMap(([name, tag]) => {
        const text = textOf(header, tag);
        return text === undefined ? [] : [[name, text] as const];
      }),
    ),
  };
}

const marks = [
  ['AcquisitionNumber', 'x00200012'],
  ['TemporalPositionIdentifier', 'x00200100'],
  ['EchoNumbers', 'x00180086'],
  ['EchoTime', 'x00180081'],
  ['TriggerTime', 'x00181060'],
  ['AcquisitionTime', 'x00080032'],
  ['ImageType', 'x00080008'],
] as const;

function checked<T>(schema: z.ZodType<T>, file: string, found: Readonly<Record<string, unknown>>): T {
  const parsed = schema.safeParse(found);
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  const name = field.split('.')[0] ?? field;
  const value = found[name];
  const says =
    value === undefined ? 'is missing' : `is ${Array.isArray(value) ? value.flat().join('\\') : value}`;
  throw new DataError(`${file}: ${name} ${says}; ${message}`, { file, field: name, found: value });
}

/** The transfer syntaxes that ITK decodes. */
const decodable = new Set(
  ['4.50', '4.51', '4.53', '4.55', '4.57', '4.70', '4.80', '4.81', '4.90', '4.91', '5'].map(
    (end) => `1.2.840.10008.1.2.${end}`,
  ),
);

/** Names of those that it does not. */
const undecodable: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^1\.2\.840\.10008\.1\.2\.4\.20[1-3]$/, 'high-throughput JPEG 2000 (HTJ2K)'],
  [/^1\.2\.840\.10008\.1\.2\.4\.9[2-5]$/, 'JPEG 2000 part 2 or JPIP'],
  [/^1\.2\.840\.10008\.1\.2\.4\.1(0[0-8]|0[0-8]\.1)$/, 'video (MPEG or HEVC)'],
  [/^1\.2\.840\.10008\.1\.2\.4\.11[0-2]$/, 'JPEG XL'],
  [/^1\.2\.840\.10008\.1\.2\.8\.1$/, 'frames deflated one by one'],
  [/^1\.2\.840\.10008\.1\.2\.1\.98$/, 'encapsulated uncompressed pixels'],
];

function requireReadable(syntax: string, file: string): void {
  if (isNative(syntax) || decodable.has(syntax)) return;
  const name = undecodable.find(([pattern]) => pattern.test(syntax))?.[1];
  throw new DataError(
    `${file}: its pixels are in the transfer syntax ${syntax}${name ? `, ${name}` : ''}, which nothing here decodes: ` +
      'decompress the series first, such as with decompress() of pydicom',
    { file, field: 'TransferSyntaxUID', found: syntax },
  );
}
