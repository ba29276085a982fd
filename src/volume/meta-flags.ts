import { DataError } from '../errors.js';

/** What a MetaImage header says in words that are spelled in several ways. */
export interface MetaFlags {
  /** False: numbers written out. */
  readonly binary: boolean;
  readonly compressed: boolean;
  /** Whether the highest byte of a number comes first. */
  readonly bigEndian: boolean;
  /** Whether the voxels follow the header in its file. */
  readonly local: boolean;
  /** Millimetres in the unit of length. */
  readonly mm: number;
  /** What ITK takes for something else: one sentence, without the file. */
  readonly notItks: string | undefined;
  /** What readers take differently: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/** A line of the header: its key as it is spelled, and its value. */
export interface MetaField {
  readonly key: string;
  readonly value: string;
}

/**
 * The flags of a MetaImage. `True`, `T`, `1`, `Yes` and `On` are true in any case, and so are their opposites
 * false; `ElementByteOrderMSB` is another name of `BinaryDataByteOrderMSB`. ITK knows the keys in one case
 * alone, and takes what does not begin with `T`, `t` or `1` for false.
 * @param fields by the key in lower case
 * @throws DataError for a flag that is neither, or two names of one flag that contradict each other
 */
export function metaFlags(fields: ReadonlyMap<string, MetaField>, file: string): MetaFlags {
  const flag = (name: string) => flagOf(fields.get(name.toLowerCase()), file);
  const [byData, byElement] = [flag('BinaryDataByteOrderMSB'), flag('ElementByteOrderMSB')];
  if (byData !== undefined && byElement !== undefined && byData !== byElement) {
    throw new DataError(
      `${file}: BinaryDataByteOrderMSB and ElementByteOrderMSB contradict each other; expected one order of bytes, ` +
        'so remove the wrong one from the header',
      { file, field: 'ElementByteOrderMSB', found: byElement, expected: byData },
    );
  }
  const notItks = itkMisreads(fields);
  const unit = fields.get('distanceunits')?.value ?? '?';
  const mm = lengths.get(unit.toLowerCase());
  const scaled = ['slope', 'offset'].filter((part, i) => {
    const value = fields.get(`elementtointensityfunction${part}`)?.value;
    return value !== undefined && Number(value) !== 1 - i;
  });
  return {
    binary: flag('BinaryData') ?? true,
    compressed: flag('CompressedData') ?? false,
    bigEndian: byData ?? byElement ?? false,
    local: /^local$/i.test(fields.get('elementdatafile')?.value ?? ''),
    mm: mm ?? 1,
    notItks,
    oddities: [
      ...(notItks === undefined ? [] : [`${file}: ${notItks}`]),
      ...(mm === undefined && !/^\??$/.test(unit)
        ? [`${file}: DistanceUnits is "${unit}", and no unit that MetaImage has; millimetres are taken`]
        : []),
      ...(mm !== undefined && mm !== 1
        ? [`${file}: DistanceUnits is "${unit}", which was converted to millimetres; ITK does not`]
        : []),
      ...scaled.map(
        (part) =>
          `${file}: the header has an ElementToIntensityFunction${part === 'slope' ? 'Slope' : 'Offset'}; ` +
          'values are taken as stored, as ITK does: check the intensities',
      ),
    ],
  };
}

const lengths: ReadonlyMap<string, number> = new Map([
  ['mm', 1],
  ['um', 1e-3],
  ['cm', 10],
  ['m', 1000],
]);

function flagOf(field: MetaField | undefined, file: string): boolean | undefined {
  if (field === undefined) return undefined;
  if (/^(true|t|1|yes|y|on)$/i.test(field.value)) return true;
  if (/^(false|f|0|no|n|off)$/i.test(field.value)) return false;
  throw new DataError(
    `${file}: ${field.key} is "${field.value}"; expected True or False, so correct it in the header`,
    { file, field: field.key, found: field.value, expected: ['True', 'False'] },
  );
}

/** Keys that ITK passes over in another case, and then reads something else without a word. */
const itksKeys = [
  'BinaryData',
  'CompressedData',
  'BinaryDataByteOrderMSB',
  'ElementByteOrderMSB',
  'ElementNumberOfChannels',
  'HeaderSize',
  'TransformMatrix',
  'Rotation',
  'Orientation',
  'Offset',
  'Position',
  'Origin',
  'ElementSpacing',
  'ElementSize',
  'NDims',
  'DimSize',
  'ElementType',
  'ElementDataFile',
];

function itkMisreads(fields: ReadonlyMap<string, MetaField>): string | undefined {
  for (const key of itksKeys) {
    const field = fields.get(key.toLowerCase());
    if (field && field.key !== key) return `the key "${field.key}" is read as ${key}, which ITK passes over`;
    if (field && /^(yes|y|on)$/i.test(field.value))
      return `${key} is "${field.value}" and is read as True, which ITK takes for False`;
  }
  const data = fields.get('elementdatafile')?.value ?? '';
  return /^local$/i.test(data) && !/^(LOCAL|Local|local)$/.test(data)
    ? `ElementDataFile is "${data}" and is read as LOCAL, which ITK takes for the name of a file`
    : undefined;
}
