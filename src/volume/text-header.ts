import { open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { entryOf } from '../at.js';
import { DataError } from '../errors.js';
import { type MetaField, type MetaFlags, metaFlags } from './meta-flags.js';
import { requirePossibleCount } from './volume.js';

/** What is checked of a MetaImage or NRRD header before its voxels are read. */
export interface TextHeader {
  /** Everything it says, by the key in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** Voxels along each axis, channels among them where the format counts them so. */
  readonly sizes: readonly number[];
  /** Of the voxels when they are not compressed. */
  readonly bytes: number;
  /** `text`: numbers written out, whose length nobody knows before. */
  readonly encoding: 'raw' | 'compressed' | 'text';
  /** Where the voxels are; the header's own file when they follow it. */
  readonly dataFile: string;
  /** Byte of `dataFile` at which they, or their compressed bytes, begin, at least. */
  readonly dataOffset: number;
  /** Bytes of what was decompressed before the voxels. */
  readonly dataSkip: number;
  /** Of MetaImage alone. */
  readonly meta?: MetaFlags;
}

/** The formats whose header is text. */
export type TextFormat = 'metaimage' | 'nrrd';

/** The format that the ending of a file's name stands for; undefined for any other. */
export function textFormatOf(path: string): TextFormat | undefined {
  if (/\.(mha|mhd)$/i.test(path)) return 'metaimage';
  return /\.(nrrd|nhdr)$/i.test(path) ? 'nrrd' : undefined;
}

/** A header is a few hundred bytes; what has no end within this is none. */
const longestHeader = 1 << 16;

/** A deflate stream can shrink by 1032 at most. */
const largestCompression = 1100;

/** More than a number of 32 bits counts. */
const largestVoxelCount = 2 ** 32;

/** Types by their bytes: MetaImage's, then NRRD's with its synonyms. */
const types: readonly (readonly [number, string])[] = [
  [1, 'MET_CHAR, MET_UCHAR, signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t'],
  [2, 'MET_SHORT, MET_USHORT, short, short int, signed short, signed short int, int16, int16_t'],
  [2, 'ushort, unsigned short, unsigned short int, uint16, uint16_t'],
  [
    4,
    'MET_INT, MET_UINT, MET_LONG, MET_ULONG, MET_FLOAT, int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float',
  ],
  [
    8,
    'MET_LONG_LONG, MET_ULONG_LONG, MET_DOUBLE, longlong, long long, long long int, signed long long, signed long long int, int64, int64_t',
  ],
  [8, 'ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t, double'],
];
const typeBytes = new Map(
  types.flatMap(([bytes, names]) => names.split(', ').map((name) => [name, bytes] as const)),
);

/**
 * Reads the header and checks that its size is possible and its voxels are all there, as far as that can be
 * told without reading them.
 * @throws DataError for a missing or foreign file, an absurd size, an unknown type, a missing, split or
 * truncated data file
 */
export async function readTextHeader(file: string, format: TextFormat): Promise<TextHeader> {
  const { spelled, length } = await readFields(file, format);
  const fields = new Map([...spelled].map(([key, { value }]) => [key, value]));
  const header =
    format === 'metaimage'
      ? metaImageHeader(fields, length, file, metaFlags(spelled, file))
      : nrrdHeader(fields, length, file);
  await checkData(header, file);
  return header;
}

interface Fields {
  /** By the key in lower case. */
  readonly spelled: ReadonlyMap<string, MetaField>;
  /** Bytes of the header. */
  readonly length: number;
}

async function readFields(file: string, format: TextFormat): Promise<Fields> {
  const start = await readStart(file);
  const lines = start.split('\n');
  const spelled = new Map<string, MetaField>();
  let length = 0;
  const [separator, last, name] =
    format === 'metaimage' ? [/[=:]/, /^\s*ElementDataFile\s*[=:]/i, 'MetaImage'] : [/:/, /^\s*$/, 'NRRD'];
  if (format === 'nrrd' && !/^NRRD000\d/.test(start)) throw foreign(file, name);
  for (const [i, line] of lines.entries()) {
    length += line.length + 1;
    if (format === 'nrrd' && i > 0) requireNrrdLine(line, file);
    const at = line.search(separator);
    if (at > 0 && !line.startsWith('#')) {
      const isOwn = format === 'nrrd' && line[at + 1] === '='; // NRRD's own keys stand before ":="
      const key = line.slice(0, at).trim();
      const value = line.slice(at + (isOwn ? 2 : 1)).trim();
      // Keys of somebody's own are no fields, even where they are named as one.
      const name = isOwn ? `${key.toLowerCase()}:=` : key.toLowerCase();
      requireOnce(spelled.get(name), { key, value }, file);
      spelled.set(name, { key, value });
    }
    if (last.test(line.trimEnd())) return { spelled, length };
  }
  if (format === 'nrrd' && start.length < longestHeader) return { spelled, length }; // a detached header ends with its file
  throw foreign(file, name);
}

/** The fields of NRRD, in which blanks may be left out; a reader that passes over others would miss damaged ones. */
const nrrdFields = new Set(
  (
    'space,space dimension,space units,space origin,space directions,measurement frame,dimension,type,block size,' +
    'encoding,endian,content,min,max,old min,old max,data file,line skip,byte skip,number,sample units,sizes,spacings,' +
    'thicknesses,axis mins,axis maxs,centers,centerings,labels,units,kinds'
  )
    .split(',')
    .map((name) => name.replaceAll(' ', '')),
);

function requireNrrdLine(line: string, file: string): void {
  const text = line.trim();
  const isKnown = () =>
    nrrdFields.has((/^([^:]*):(?!=)/.exec(text)?.[1] ?? '').toLowerCase().replaceAll(' ', ''));
  if (text === '' || text.startsWith('#') || /^[^:]+:=/.test(text) || isKnown()) return;
  throw new DataError(
    `${file}: the line "${text.slice(0, 60)}" of its header is no field of NRRD: the header is damaged; copy or download ` +
      'it again, or correct it',
    { file, found: text },
  );
}

/** A field that is there twice, with two values, says neither. A comment may go over several lines. */
function requireOnce(before: MetaField | undefined, { key, value }: MetaField, file: string): void {
  if (!before || before.value === value || key.toLowerCase() === 'comment') return;
  throw new DataError(
    `${file}: its header has ${key} twice, as "${before.value}" and as "${value}": remove the wrong one`,
    { file, field: key, found: value, expected: before.value },
  );
}

function foreign(file: string, name: string): DataError {
  return new DataError(`${file} is not a ${name} file: it has no header of one; copy or download it again`, {
    file,
  });
}

async function readStart(file: string): Promise<string> {
  const handle = await open(file).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DataError(`${file} ${what}: check the path`, { file }, { cause });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(longestHeader), 0, longestHeader, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function metaImageHeader(
  fields: TextHeader['fields'],
  length: number,
  file: string,
  meta: MetaFlags,
): TextHeader {
  const sizes = checkedSizes(fields.get('dimsize'), 'DimSize', file);
  const channels = Number(fields.get('elementnumberofchannels') ?? 1);
  const data = entryOf(fields, 'elementdatafile');
  const skipped = Number(fields.get('headersize') ?? 0);
  return {
    fields,
    sizes,
    bytes: product(sizes) * channels * bytesOf(fields.get('elementtype'), 'ElementType', file),
    encoding: meta.compressed ? 'compressed' : meta.binary ? 'raw' : 'text',
    dataFile: meta.local ? file : besideHeader(data, 'ElementDataFile', file),
    dataOffset: meta.local ? length : Math.max(0, skipped),
    dataSkip: 0,
    meta,
  };
}

function nrrdHeader(fields: TextHeader['fields'], length: number, file: string): TextHeader {
  const sizes = checkedSizes(fields.get('sizes'), 'sizes', file);
  const data = fields.get('data file') ?? fields.get('datafile');
  const encoding = (fields.get('encoding') ?? missing('encoding', file)).toLowerCase();
  const dimension = fields.get('dimension') ?? missing('dimension', file);
  if (Number(dimension) !== sizes.length) {
    throw new DataError(
      `${file}: dimension is ${dimension}, but sizes has ${sizes.length} numbers: the header is damaged`,
      { file, field: 'dimension', found: dimension, expected: sizes.length },
    );
  }
  const skipped = Math.max(0, Number(fields.get('byte skip') ?? fields.get('byteskip') ?? 0));
  const compressed = /^(gz|gzip)$/.test(encoding); // bytes to skip are then those of the decompressed
  return {
    fields,
    sizes,
    bytes: product(sizes) * bytesOf(fields.get('type'), 'type', file),
    encoding: encoding === 'raw' ? 'raw' : compressed ? 'compressed' : 'text',
    dataFile: data === undefined ? file : besideHeader(data, 'data file', file),
    dataOffset: (data === undefined ? length : 0) + (compressed ? 0 : skipped),
    dataSkip: compressed ? skipped : 0,
  };
}

function missing(field: string, file: string): never {
  throw new DataError(`${file}: its header has no "${field}", which NRRD requires: the header is damaged`, {
    file,
    field,
  });
}

function checkedSizes(text: string | undefined, field: string, file: string): number[] {
  const sizes = (text ?? '').split(/\s+/).filter(Boolean).map(Number);
  const whole = sizes.length >= 3 && sizes.every((n) => Number.isInteger(n) && n >= 1);
  if (whole && product(sizes) <= largestVoxelCount) return sizes;
  throw new DataError(
    `${file}: ${field} is ${text === undefined ? 'missing' : `"${text}"`}; expected the voxels on each of 3 axes, ` +
      '1 or more and at most 2^32 in all, so the header is damaged',
    { file, field, found: text },
  );
}

function bytesOf(type: string | undefined, field: string, file: string): number {
  const bytes = typeBytes.get(type ?? '');
  if (bytes !== undefined) return bytes;
  throw new DataError(
    `${file}: ${field} is ${type === undefined ? 'missing' : `"${type}"`}; ` +
      'expected a whole or floating point number of 1 to 8 bytes',
    { file, field, found: type },
  );
}

/**
 * A pattern of names or a list of slices is another file format in disguise, and no dataset here is handed
 * out so.
 */
function besideHeader(data: string, field: string, file: string): string {
  if (/^LIST\b|%\d*d/.test(data)) {
    throw new DataError(
      `${file}: ${field} names several files ("${data}"), but one data file is expected: write the scan as one file`,
      {
        file,
        field,
        found: data,
      },
    );
  }
  return resolve(dirname(file), data);
}

async function checkData(
  { dataFile, dataOffset, bytes, encoding, sizes }: TextHeader,
  file: string,
): Promise<void> {
  const found = await stat(dataFile).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DataError(
      `${file} has its voxels in ${dataFile}, which ${what}: copy it beside the header`,
      { file: dataFile },
      { cause },
    );
  });
  if (!found.isFile()) {
    throw new DataError(
      `${file} has its voxels in ${dataFile}, which is no file: correct the name of the data file in the header`,
      { file, found: dataFile },
    );
  }
  const there = Math.max(0, found.size - dataOffset);
  if (encoding === 'raw' && there < bytes) {
    throw new DataError(
      `${dataFile} is truncated: its header promises ${bytes} bytes of voxels, ${there} are there; ` +
        'copy or download it again',
      { file: dataFile, found: there, expected: bytes },
    );
  }
  if (encoding === 'compressed' && bytes > there * largestCompression) {
    throw new DataError(
      `${dataFile} is truncated or its header is damaged: a size of ${sizes.join('x')} needs ${bytes} bytes, ` +
        `more than a file of ${found.size} bytes can hold`,
      { file: dataFile, found: sizes, expected: bytes },
    );
  }
  requirePossibleCount(product(sizes), file);
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, n) => all * n, 1);
