import { isUtf8 } from 'node:buffer';
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
  /** Keys of programs in a NRRD, such as 3D Slicer's `Segment0_ID`. */
  readonly ownKeys: ReadonlySet<string>;
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
  const { spelled, ownKeys, length } = await readFields(file, format);
  const fields = new Map([...spelled].map(([key, { value }]) => [key, value]));
  const header =
    format === 'metaimage'
      ? await metaImageHeader(fields, length, file, metaFlags(spelled, file))
      : nrrdHeader(fields, ownKeys, length, file);
  await checkData(header, file);
  return header;
}

interface Fields {
  /** By the key in lower case. */
  readonly spelled: ReadonlyMap<string, MetaField>;
  /** Those of programs, which NRRD has before ":=". */
  readonly ownKeys: ReadonlySet<string>;
  /** Bytes of the header. */
  readonly length: number;
}

async function readFields(file: string, format: TextFormat): Promise<Fields> {
  const start = await readStart(file);
  const lines = start.split('\n');
  const spelled = new Map<string, MetaField>();
  const ownKeys = new Set<string>();
  let length = 0;
  const [separator, last, name] =
    format === 'metaimage' ? [/[=:]/, /^\s*ElementDataFile\s*[=:]/i, 'MetaImage'] : [/:/, /^\s*$/, 'NRRD'];
  if (format === 'nrrd' && !/^NRRD000\d/.test(start)) throw foreign(file, name);
  for (const [i, line] of lines.entries()) {
    length += line.length + 1;
    if (format === 'nrrd' && i > 0) requireNrrdLine(line, file);
    const at = line.search(separator);
    // In NRRD, what stands before ":=" is a program's own key, even where a field has its name.
    const own = format === 'nrrd' && line[at + 1] === '=';
    if (at > 0 && !line.startsWith('#')) {
      const key = line.slice(0, at).trim();
      if (own) ownKeys.add(key);
      else setField(spelled, { key, value: line.slice(at + 1).trim() }, format, file);
    }
    if (last.test(line.trimEnd())) return { spelled, ownKeys, length };
  }
  // A detached header ends with its file.
  if (format === 'nrrd' && start.length < longestHeader) return { spelled, ownKeys, length };
  throw foreign(file, name);
}

/** Two lines for one field of NRRD contradict each other, so that ITK refuses them; MetaImage has the last. */
function setField(fields: Map<string, MetaField>, field: MetaField, format: TextFormat, file: string): void {
  const name = field.key.toLowerCase();
  const before = format === 'nrrd' ? fields.get(name)?.value : undefined;
  if (before !== undefined && before !== field.value) {
    throw new DataError(
      `${file}: "${field.key}" stands twice in the header, as "${before}" and as "${field.value}"; expected it once, so ` +
        'remove the wrong line',
      { file, field: field.key, found: [before, field.value] },
    );
  }
  fields.set(name, field);
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

async function metaImageHeader(
  fields: TextHeader['fields'],
  length: number,
  file: string,
  meta: MetaFlags,
): Promise<TextHeader> {
  const sizes = checkedSizes(fields.get('dimsize'), 'DimSize', file);
  requireAxes(fields.get('ndims'), 'NDims', sizes, 'DimSize', file);
  const channels = wholeNumber(
    fields.get('elementnumberofchannels') ?? '1',
    'ElementNumberOfChannels',
    1,
    file,
  );
  const bytes = product(sizes) * channels * bytesOf(fields.get('elementtype'), 'ElementType', file);
  const encoding = meta.compressed ? 'compressed' : meta.binary ? 'raw' : 'text';
  const dataFile = meta.local
    ? file
    : besideHeader(entryOf(fields, 'elementdatafile'), 'ElementDataFile', file);
  const skipped = wholeNumber(fields.get('headersize') ?? '0', 'HeaderSize', -1, file);
  if (meta.local && skipped > 0 && skipped !== length) {
    throw new DataError(
      `${file}: HeaderSize is ${skipped}, but the voxels follow the header, which has ${length} bytes; expected no ` +
        'HeaderSize where ElementDataFile is LOCAL, so remove it from the header',
      { file, field: 'HeaderSize', found: skipped, expected: length },
    );
  }
  const first = meta.local ? length : Math.max(0, skipped);
  // -1 says that uncompressed voxels end with their file.
  const fileBytes =
    skipped === -1 && encoding === 'raw' ? (await stat(dataFile).catch(() => undefined))?.size : 0;
  return {
    fields,
    sizes,
    bytes,
    encoding,
    dataFile,
    dataOffset: Math.max(first, (fileBytes ?? 0) - bytes),
    dataSkip: 0,
    ownKeys: new Set(),
    meta,
  };
}

/** The number of axes is said twice. */
function requireAxes(
  text: string | undefined,
  field: string,
  sizes: readonly number[],
  sizesField: string,
  file: string,
): void {
  if (text === undefined || Number(text) === sizes.length) return;
  throw new DataError(
    `${file}: ${field} is ${text}, but ${sizesField} has ${sizes.length} numbers; expected one for each axis, so correct ` +
      'the wrong one in the header',
    { file, field, found: text, expected: sizes.length },
  );
}

function wholeNumber(text: string, field: string, least: number, file: string): number {
  const found = Number(text);
  if (text !== '' && Number.isInteger(found) && found >= least) return found;
  throw new DataError(
    `${file}: ${field} is "${text}"; expected a whole number of ${least} or more, so correct it in the header`,
    { file, field, found: text, expected: least },
  );
}

function nrrdHeader(
  fields: TextHeader['fields'],
  ownKeys: ReadonlySet<string>,
  length: number,
  file: string,
): TextHeader {
  const sizes = checkedSizes(fields.get('sizes'), 'sizes', file);
  const dimension = fields.get('dimension');
  if (dimension === undefined) {
    throw new DataError(
      `${file}: its header has no "dimension", which NRRD requires: the header is damaged; copy or download it again`,
      { file, field: 'dimension', expected: sizes.length },
    );
  }
  requireAxes(dimension, 'dimension', sizes, 'sizes', file);
  const data = fields.get('data file') ?? fields.get('datafile');
  const encoding = encodingOf(fields.get('encoding'), file);
  const type = fields.get('type')?.toLowerCase();
  const each = bytesOf(type, 'type', file);
  if (each > 1 && encoding !== 'text' && !/^(little|big)$/i.test(fields.get('endian') ?? '')) {
    throw new DataError(
      `${file}: endian is ${described(fields.get('endian'))}; expected little or big, since a voxel has ${each} bytes, so say ` +
        'in the header which order they have',
      { file, field: 'endian', found: fields.get('endian'), expected: ['little', 'big'] },
    );
  }
  const skipped = Math.max(0, Number(fields.get('byte skip') ?? fields.get('byteskip') ?? 0));
  const compressed = encoding === 'compressed'; // bytes to skip are then those of the decompressed
  return {
    fields,
    sizes,
    bytes: product(sizes) * each,
    encoding,
    ownKeys,
    dataFile: data === undefined ? file : besideHeader(data, 'data file', file),
    dataOffset: (data === undefined ? length : 0) + (compressed ? 0 : skipped),
    dataSkip: compressed ? skipped : 0,
  };
}

const described = (text: string | undefined): string => (text === undefined ? 'missing' : `"${text}"`);

function encodingOf(text: string | undefined, file: string): TextHeader['encoding'] {
  const encoding = text?.toLowerCase() ?? '';
  if (encoding === 'raw') return 'raw';
  if (/^(gz|gzip)$/.test(encoding)) return 'compressed';
  if (/^(text|txt|ascii|hex)$/.test(encoding)) return 'text';
  const bzip2 = /^(bz2|bzip2)$/.test(encoding);
  throw new DataError(
    `${file}: encoding is ${described(text)}${bzip2 ? ', whose voxels are packed with bzip2' : ''}; expected raw, gzip or text, so ` +
      'write the file anew with gzip, such as with "unu save -f nrrd -e gzip" or pynrrd',
    { file, field: 'encoding', found: text, expected: ['raw', 'gzip', 'text'] },
  );
}

function checkedSizes(text: string | undefined, field: string, file: string): number[] {
  const sizes = (text ?? '').split(/\s+/).filter(Boolean).map(Number);
  const whole = sizes.length >= 3 && sizes.every((n) => Number.isInteger(n) && n >= 1);
  if (whole && product(sizes) <= largestVoxelCount) return sizes;
  if (sizes.length > 0 && sizes.length < 3 && sizes.every((n) => Number.isInteger(n) && n >= 1)) {
    const axes = sizes.length === 1 ? 'one axis' : 'two axes, so that it is a picture';
    throw new DataError(
      `${file}: ${field} is "${text}": it has ${axes}; expected a scan of 3 axes, so write the whole stack as one file ` +
        '(one slice has the size 1 along z)',
      { file, field, found: sizes },
    );
  }
  throw new DataError(
    `${file}: ${field} is ${described(text)}; expected the voxels on each of 3 axes, ` +
      '1 or more and at most 2^32 in all, so the header is damaged',
    { file, field, found: text },
  );
}

function bytesOf(type: string | undefined, field: string, file: string): number {
  const bytes = typeBytes.get(type ?? '');
  if (bytes !== undefined) return bytes;
  throw new DataError(
    `${file}: ${field} is ${described(type)}; expected a whole or floating point number of 1 to 8 bytes`,
    { file, field, found: type },
  );
}

/**
 * A pattern of names or a list of slices is another file format in disguise, and no dataset here is handed
 * out so.
 */
function besideHeader(data: string, field: string, file: string): string {
  if (/^LIST(\s|$)|%\d*[du]/i.test(data)) {
    throw new DataError(
      `${file}: ${field} names several files ("${data}"), but one data file is expected: write the scan as one file, ` +
        'such as with WriteImage of SimpleITK',
      {
        file,
        field,
        found: data,
      },
    );
  }
  // The header was read as latin1, so that its bytes are counted; names in it are UTF-8 nearly always.
  const bytes = Buffer.from(data, 'latin1');
  return resolve(dirname(file), isUtf8(bytes) ? bytes.toString() : data);
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
