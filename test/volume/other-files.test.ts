import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { bytesHeldWhole, headerOddities, openSlices, readVolume, scanParts } from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_nibabel_references.py` with nibabel. */
const { references } = readReference<{
  references: Readonly<Record<string, { readonly affine: readonly number[]; readonly values: string }>>;
}>('nibabel.json');
const made = (name: string) => referenceFile(join('nibabel', name));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-others-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A file below the folder, with its own folders made. */
function written(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
  return file;
}

async function refused(path: string, sentence: RegExp): Promise<void> {
  const reading = readVolume(path);
  await expect(reading).rejects.toThrow(sentence);
  await expect(reading).rejects.toBeInstanceOf(DataError);
}

describe('extensions, pairs and FreeSurfer volumes', () => {
  it.each(Object.entries(references))('%s is read as nibabel reads it', async (name, expected) => {
    const values = decodeFloats(expected.values);
    const { affine, data, channels } = await readVolume(made(name));
    expect(largestDifference(affine.rows, expected.affine)).toBeLessThan(2e-5);
    expect(largestDifference(data, values)).toBe(0);
    expect(channels).toBe(values.length / 60);
    const sliced: number[] = [];
    for await (const slice of (await openSlices(made(name))).slices()) sliced.push(...slice);
    expect(sliced).toEqual([...data]);
    expect(await headerOddities(made(name))).toEqual([]);
  });

  it('a pair is read by the name of either half, and a change of either is one of the scan', async () => {
    for (const [header, voxels] of [
      ['pair-1.hdr', 'pair-1.img'],
      ['pair-half.hdr', 'pair-half.img.gz'],
      ['pair-packed.hdr.gz', 'pair-packed.img.gz'],
    ] as const) {
      expect((await readVolume(made(voxels))).data).toEqual((await readVolume(made(header))).data);
      for (const half of [header, voxels])
        expect(await scanParts(made(half))).toEqual([made(header), made(voxels)]);
    }
  });

  it('a pair may be named in any case, and one of one file is read as that', async () => {
    const header = written('Upper.HDR', readFileSync(made('pair-1.hdr')));
    written('Upper.IMG', readFileSync(made('pair-1.img')));
    expect((await readVolume(header)).data).toEqual((await readVolume(made('pair-1.hdr'))).data);
    const single = written('single.hdr', readFileSync(made('extended-1-le-0.nii')));
    written('single.img', 'of something else');
    expect((await readVolume(single)).data).toEqual((await readVolume(made('extended-1-le-0.nii'))).data);
  });

  it('a half of a pair is refused, and so is a header under another name, and Analyze', async () => {
    const half = written('alone/half.hdr', readFileSync(made('pair-1.hdr')));
    await refused(
      half,
      /half.hdr is one half of a pair, and its voxels in .*half.img do not exist: copy both/,
    );
    const voxels = written('voxels/half.img', readFileSync(made('pair-1.img')));
    await refused(
      voxels,
      /half.img is one half of a pair, and its header in .*half.hdr does not exist: copy both/,
    );
    const short = written('short/half.hdr', readFileSync(made('pair-1.hdr')));
    written('short/half.img', readFileSync(made('pair-1.img')).subarray(0, 100));
    await refused(short, /half.hdr is truncated or its header is damaged|half.img is truncated/);
    const renamed = written('renamed.nii', readFileSync(made('pair-1.hdr')));
    await refused(
      renamed,
      /renamed.nii is the header of a pair \(its magic is "ni1"\), .* give the two their names/,
    );
    await refused(
      made('analyze.hdr'),
      /analyze.hdr is the header of an Analyze 7.5 scan, not of NIfTI: .* convert/,
    );
  });

  it('a damaged FreeSurfer volume is refused, and so is one that does not say its place', async () => {
    const whole = readFileSync(made('frames.mgh'));
    await refused(
      written('short.mgh', whole.subarray(0, 500)),
      /short.mgh is truncated: its header promises 360 bytes of voxels, 216/,
    );
    const packed = readFileSync(made('int16.mgz'));
    await refused(written('short.mgz', packed.subarray(0, 200)), /short.mgz is damaged or truncated/);
    await refused(
      written('other.mgz', gzipSync(Buffer.alloc(400))),
      /other.mgz is not a FreeSurfer volume \(MGH\)/,
    );
    const strange = Buffer.from(whole);
    strange.writeInt32BE(77, 20);
    await refused(
      written('strange.mgh', strange),
      /strange.mgh has a header that cannot be right: .* the type 77/,
    );
    const nowhere = Buffer.from(whole);
    nowhere.writeInt16BE(0, 28);
    await refused(
      written('nowhere.mgh', nowhere),
      /nowhere.mgh: goodRASFlag is 0, so that the header does not say/,
    );
    expect(await bytesHeldWhole(made('frames.mgh'))).toBe(360);
  });
});

describe('a file that is no scan that is read here', () => {
  const analyze = Buffer.alloc(348);
  analyze.writeInt32BE(348, 0);
  it.each([
    ['empty.nii', '', /is empty; copy or download it again/],
    ['zeros.nii', '\0'.repeat(600), /holds zeros alone at its start/],
    ['x.nii', 'NRRD0004\ntype: short\n', /is a NRRD file, not NIfTI: give its name the ending .nrrd/],
    ['meta', 'ObjectType = Image\nNDims = 3\n', /is a MetaImage, not NIfTI: give its name the ending .mha/],
    ['x.nii.bz2', 'BZh91AY', /is packed with bzip2: unpack it first, such as with bunzip2/],
    ['x.nii.xz', '\xfd7zXZ\0', /is packed with xz: unpack it first, such as with unxz/],
    ['x.nii.zst', '\x28\xb5\x2f\xfd', /is packed with Zstandard/],
    ['x.zip', 'PK\x03\x04', /is a zip archive: unpack it first, and name the scan in it/],
    ['x.tar', `${'a'.repeat(257)}ustar`, /is a tar archive/],
    [
      'x.mnc',
      '\x89HDF\r\n',
      /is an HDF5 file \(such as MINC 2\), which is not read here: convert it to NIfTI/,
    ],
    ['old.mnc', 'CDF\x01', /is a netCDF file \(such as MINC 1\)/],
    ['x.npy', '\x93NUMPY', /is a NumPy array/],
    ['x.png', '\x89PNG', /is a picture \(PNG\), not a scan/],
    ['x.tif', 'II*\0', /is a picture \(TIFF\)/],
    ['x.html', '<!DOCTYPE html><html>', /is a web page, as a failed download leaves one: download the scan/],
    ['lfs.nii', 'version https://git-lfs.github.com/spec/v1\n', /is a pointer of Git LFS, .* "git lfs pull"/],
    ['x.json', '{"a": 1}', /is a text such as JSON, not a scan/],
    ['analyze.nii', analyze.toString('latin1'), /is the header of an Analyze 7.5 scan/],
    [
      'unknown.nii',
      'something else',
      /is not a NIfTI-1 or NIfTI-2 file: its header has neither size nor magic/,
    ],
    ['twice.nii.gz', gzipSync(gzipSync('x')).toString('latin1'), /is packed with gzip twice/],
    ['tar.nii.gz', gzipSync(`${'a'.repeat(257)}ustar`).toString('latin1'), /is a tar archive/],
  ])('%s is called what it is', async (name, content, sentence) => {
    await refused(written(join('kinds', name), content), new RegExp(`${name} ${sentence.source}`));
  });
});

describe('a header in text', () => {
  const nrrd = (lines: string) =>
    `NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nspace: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n${lines}\n\n`;
  const meta = (lines: string) =>
    `ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n${lines}\n`;
  const files: readonly (readonly [name: string, content: string, sentence: RegExp])[] = [
    [
      'bz2.nrrd',
      `${nrrd('encoding: bz2')}BZh9`,
      /encoding is "bz2", whose voxels are packed with bzip2; .* with gzip/,
    ],
    [
      'BZip2.nrrd',
      `${nrrd('encoding: BZIP2')}BZh9`,
      /encoding is "BZIP2", whose voxels are packed with bzip2;/,
    ],
    ['zrl.nrrd', nrrd('encoding: zrl'), /encoding is "zrl"; expected raw, gzip or text/],
    [
      'flat.nrrd',
      'NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 2\nencoding: raw\n\n1234',
      /sizes is "2 2": it has two axes, so that it is a picture; expected a scan of 3 axes/,
    ],
    [
      'flat.mha',
      'NDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n1234',
      /DimSize is "2 2": it has two axes/,
    ],
    [
      'line.nrrd',
      'NRRD0004\ntype: uint8\ndimension: 1\nsizes: 4\nencoding: raw\n\n1234',
      /sizes is "4": it has one axis/,
    ],
    ['list.mhd', meta('ElementDataFile = LIST'), /ElementDataFile names several files \("LIST"\)/],
    ['list2d.mhd', meta('ElementDataFile = List 2D'), /ElementDataFile names several files \("List 2D"\)/],
    [
      'pattern.mhd',
      meta('ElementDataFile = s%03d.raw 1 2 1'),
      /ElementDataFile names several files \("s%03d.raw 1 2 1"\), but one data file/,
    ],
    ['list.nhdr', nrrd('encoding: raw\ndata file: LIST 2'), /data file names several files \("LIST 2"\)/],
  ];
  it.each(files)('%s says plainly what is not read', async (name, content, sentence) => {
    await refused(written(join('text', name), content), new RegExp(`${name}: ${sentence.source}`));
  });

  it('may name a data file that begins with "list"', async () => {
    written('text/list.raw', '\x01\x02\x03\x04\x05\x06\x07\x08');
    const file = written('text/named.mhd', meta('ElementDataFile = list.raw'));
    expect([...(await readVolume(file)).data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('of complex numbers is refused, and not read as two channels', async () => {
    const header = nrrd('encoding: raw')
      .replace('dimension: 3', 'dimension: 4')
      .replace('sizes: ', 'sizes: 2 ');
    for (const kinds of ['complex domain domain domain', 'Complex space space space']) {
      await refused(
        written('text/complex.nrrd', `${header.replace('\n\n', `\nkinds: ${kinds}\n\n`)}${'x'.repeat(16)}`),
        /complex.nrrd: kinds is "[cC]omplex .*", so that its voxels are complex numbers; expected real ones/,
      );
    }
  });

  it('may have its numbers written as hexadecimal digits', async () => {
    const file = written('text/hex.nrrd', `${nrrd('encoding: hex')}0102030405060708\n`);
    expect([...(await readVolume(file)).data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('a folder', () => {
  const slices = referenceFile('dicom/equal');
  const slice = (name: string) => readFileSync(join(slices, `IM000${name}.dcm`));
  const at = (name: string) => join(folder, 'folders', name);

  it('that holds no slices is called what it is', async () => {
    mkdirSync(at('empty'), { recursive: true });
    await refused(at('empty'), /empty is an empty folder: .* so copy the slices into it or correct the path/);
    written('folders/cases/one/IM.dcm', slice('0'));
    await refused(
      at('cases'),
      /cases holds no files, but 1 folder \(one\): .* a glob that ends in "\/" takes all/,
    );
    for (const name of 'abcdefg') mkdirSync(join(at('many'), name), { recursive: true });
    await refused(at('many'), /holds no files, but 7 folders \(a, b, c, d, e and 2 more\)/);
    written('folders/other/scan.nii.gz', 'x');
    await refused(
      at('other'),
      /other holds no DICOM file, but scan.nii.gz: .* name a scan of another format by its file/,
    );
  });

  it('that holds an index alone says where the slices are', async () => {
    written('folders/medium/DICOMDIR', `${'\0'.repeat(128)}DICM`);
    await refused(
      at('medium'),
      /holds no slices, but DICOMDIR, which only lists files of other folders: .* name the folder below it that has them/,
    );
  });

  it('may hold links to slices, and none that leads nowhere', async () => {
    const names = ['0', '2', '3', '6'];
    for (const name of names) written(`folders/elsewhere/${name}.dcm`, slice(name));
    mkdirSync(at('linked'));
    for (const name of names.slice(0, 2)) cpSync(at(`elsewhere/${name}.dcm`), at(`linked/${name}.dcm`));
    for (const name of names.slice(2)) symlinkSync(`../elsewhere/${name}.dcm`, at(`linked/${name}.dcm`));
    expect((await readVolume(at('linked'))).data).toEqual((await readVolume(at('elsewhere'))).data);
    expect((await scanParts(at('linked'))).map((file) => basename(file))).toEqual(
      names.map((name) => `${name}.dcm`),
    );
    rmSync(at('elsewhere/6.dcm'));
    const nowhere =
      /linked\/6.dcm is a link that leads nowhere \(ENOENT\): fetch the file that it names, or remove/;
    await refused(at('linked'), nowhere);
    await expect(scanParts(at('linked'))).rejects.toThrow(nowhere);
  });

  it('of several series names them', async () => {
    for (const name of ['0', '3', '6']) written(`folders/two/${name}.dcm`, slice(name));
    const other = readFileSync(join(referenceFile('dicom/slopes'), 'IM0000.dcm'));
    written('folders/two/other', other);
    await refused(
      at('two'),
      /two holds 2 DICOM series, but one is expected: .* \(3 files of CT such as 0.dcm, 1 file of CT such as other\)/,
    );
  });

  it('passes over hidden files, an index and other files, and names them', async () => {
    for (const name of ['0', '2', '3', '6']) written(`folders/passed/${name}.dcm`, slice(name));
    written('folders/passed/._0.dcm', '\0\x05\x16\x07');
    written('folders/passed/DICOMDIR', `${'\0'.repeat(128)}DICM`);
    written('folders/passed/DIRFILE', dicom('1.2.840.10008.1.3.10', 'x'));
    written('folders/passed/report', dicom('1.2.840.10008.5.1.4.1.1.88.11', 'SR'));
    written('folders/passed/state.dcm', dicom('1.2.840.10008.5.1.4.1.1.11.1', 'PR'));
    written('folders/passed/key.dcm', dicom('1.2.840.10008.5.1.4.1.1.88.59', 'KO'));
    written('folders/passed/private.dcm', dicom('1.3.12.2.1107.5.9.1', 'OT'));
    written('folders/passed/notes.txt', 'of the ward');
    expect((await readVolume(at('passed'))).size).toEqual([5, 4, 4]);
    expect(await headerOddities(at('passed'))).toEqual([
      expect.stringMatching(
        /7 files are no slices and were passed over: DIRFILE \(index of a medium\), key.dcm \(KO\), private.dcm \(OT\), report \(SR\), state.dcm \(PR\), DICOMDIR \(no DICOM\), notes.txt \(no DICOM\)$/,
      ),
    ]);
    rmSync(join(at('passed'), '0.dcm'));
    for (const name of ['2', '3', '6']) rmSync(join(at('passed'), `${name}.dcm`));
    await refused(
      at('passed'),
      /holds no slices, but DIRFILE \(index of a medium\), key.dcm \(KO\), .*: name the folder of the scan|so name the folder of the scan/,
    );
  });

  it.each([
    [
      '4.201',
      /high-throughput JPEG 2000 \(HTJ2K\), which nothing here decodes: decompress the series first, such as/,
    ],
    ['4.203', /HTJ2K/],
    ['4.100', /video/],
    ['4.110', /JPEG XL/],
    ['8.1', /frames deflated one by one/],
    ['77', /its pixels are in the transfer syntax 1.2.840.10008.1.2.77, which nothing here decodes/],
  ])('with pixels in the transfer syntax %s says so, and not that it is damaged', async (end, sentence) => {
    const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', {
      syntax: `1.2.840.10008.1.2.${end}`,
      picture: true,
    });
    await refused(dirname(written(`folders/syntax-${end}/IM.dcm`, bytes)), sentence);
    await refused(join(at(`syntax-${end}`), 'IM.dcm'), sentence);
  });

  it('or file that holds no pixels and does not say what it is is not called truncated', async () => {
    const nothing = dicom('', 'OT');
    await refused(
      written('folders/unsaid/x.dcm', nothing),
      /x.dcm does not say what it is \(SOPClassUID\) and has no pixels/,
    );
    await refused(
      written('folders/text/x.dcm', 'no DICOM'),
      /x.dcm is damaged or no DICOM file, though its name says so/,
    );
    const report = dicom('1.2.840.10008.5.1.4.1.1.88.11', 'SR');
    await refused(
      written('folders/report/x.dcm', report),
      /x.dcm holds no slices, but x.dcm \(SR\): name the scan itself$/,
    );
  });

  it('with a slice that is damaged or empty names it', async () => {
    for (const [name, damage, sentence] of [
      ['header', (file: string) => truncateSync(file, 300), /IM0003.dcm is damaged or truncated/],
      [
        'nothing',
        (file: string) => truncateSync(file, 0),
        /IM0003.dcm is damaged or no DICOM file, though its name says so/,
      ],
      ['half', (file: string) => truncateSync(file, 140), /IM0003.dcm is damaged or truncated/],
    ] as const) {
      for (const other of ['0', '2', '3', '6']) written(`folders/${name}/IM000${other}.dcm`, slice(other));
      damage(join(at(name), 'IM0003.dcm'));
      await refused(at(name), sentence);
    }
  });

  it.each([
    [
      'colour',
      { samples: 3, colours: 'RGB' },
      /SamplesPerPixel is 3; expected 1: the pictures of a scan are grey/,
    ],
    [
      'palette',
      { colours: 'PALETTE COLOR' },
      /PhotometricInterpretation is PALETTE COLOR; expected MONOCHROME2/,
    ],
    ['12 bits', { bits: 12 }, /BitsAllocated is 12; expected 8, 16 or 32/],
    [
      'no spacing',
      { spacing: '' },
      /does not say where it lies \(PixelSpacing\): a volume cannot be made of it/,
    ],
    ['mosaic', { type: 'ORIGINAL\\PRIMARY\\MOSAIC' }, /is a mosaic of Siemens, .* such as with dcm2niix/],
    ['slope 0', { slope: '0' }, /RescaleSlope is 0; expected a number other than 0/],
    ['no number', { slope: 'two' }, /RescaleSlope is NaN/],
    ['one bit', { bits: 1 }, /BitsAllocated is 1; expected 8, 16 or 32 in a scan/],
    [
      'directions',
      { directions: '1\\0\\0\\0\\2\\0' },
      /ImageOrientationPatient is 1.*; expected a vector of length 1/,
    ],
    [
      'slanted',
      { directions: '1\\0\\0\\0.6\\0.8\\0' },
      /ImageOrientationPatient is .*; expected two directions at a right angle/,
    ],
  ] as const)('with a header that cannot be right is refused: %s', async (name, how, sentence) => {
    const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', { picture: true, ...how });
    await refused(dirname(written(`folders/${name}/IM.dcm`, bytes)), sentence);
  });

  it('takes the bits that are stored, wherever the highest of them is', async () => {
    const parts = {
      picture: true,
      stored: 12,
      high: 13,
      pixels: [0x4001, 0x0008, 0x3fff, 0x8000, 0x2004, 0],
    };
    const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', parts);
    const { data } = await readVolume(written('folders/high/x.dcm', bytes));
    expect([...data]).toEqual([0, 2, 4095, 0, 2049, 0]); // bits 2 to 13
  });

  it('of one slice without a thickness is taken as 1 mm thick, and says so', async () => {
    const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', { picture: true });
    const path = dirname(written('folders/thin/IM', bytes));
    expect((await readVolume(path)).spacing).toEqual([0.8, 0.7, 1]);
    expect(await headerOddities(path)).toEqual([
      expect.stringMatching(/IM: the only slice says no SliceThickness/),
    ]);
    const thick = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', { picture: true, thickness: '4' });
    expect((await readVolume(dirname(written('folders/thick/IM', thick)))).spacing).toEqual([0.8, 0.7, 4]);
  });

  it('of several volumes says so, and what tells them apart', async () => {
    const volume = (z: number, time: string) =>
      dicom('1.2.840.10008.5.1.4.1.1.4', 'MR', { picture: true, place: `0\\0\\${z}`, time });
    for (const z of [0, 3, 6])
      for (const time of ['1', '2', '3']) written(`folders/4d/${z}-${time}`, volume(z, time));
    await refused(
      at('4d'),
      /4d holds 9 slices at 3 places, 3 at each, so that it is several volumes, such as times, echoes or phases \(its slices differ in TemporalPositionIdentifier\): move each volume into a folder of its own/,
    );
    written('folders/4d/6-3b', volume(6, '4'));
    await refused(at('4d'), /holds 10 slices at 3 places, up to 4 at each/);
  });

  it('whose gaps drift is refused, though each differs little from the next', async () => {
    const place = (k: number) => (k < 10 ? 2.5 * k : 25 + 2.7 * (k - 10));
    for (let k = 0; k < 20; k++) {
      const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', { picture: true, place: `0\\0\\${place(k)}` });
      written(`folders/drift/${String(k).padStart(2, '0')}`, bytes);
    }
    await refused(
      at('drift'),
      /is not evenly spaced: its gaps are 2.50 to 2.70 mm, so that slices lie up to 0.95 mm/,
    );
  });

  it('whose pixels are of two sizes of millimetres is refused', async () => {
    for (const [k, spacing] of ['0.7\\0.8', '0.7\\0.9'].entries()) {
      const bytes = dicom('1.2.840.10008.5.1.4.1.1.2', 'CT', { picture: true, place: `0\\0\\${k}`, spacing });
      written(`folders/spacings/${k}`, bytes);
    }
    await refused(
      at('spacings'),
      /1 has pixels of 0.9 x 0.7 mm, but .*0 of the same series has 0.8 x 0.7 mm/,
    );
  });
});

interface DicomParts {
  readonly syntax?: string;
  readonly picture?: boolean;
  readonly samples?: number;
  readonly colours?: string;
  readonly bits?: number;
  readonly spacing?: string;
  readonly slope?: string;
  readonly directions?: string;
  readonly thickness?: string;
  readonly place?: string;
  readonly time?: string;
  readonly type?: string;
  readonly stored?: number;
  readonly high?: number;
  readonly pixels?: readonly number[];
}

/** A DICOM file in explicit little-endian, of 3 x 2 pixels where it is a picture. */
function dicom(kind: string, modality: string, parts: DicomParts = {}): Buffer {
  const element = (group: number, number: number, type: string, value: string | Buffer) => {
    const content = typeof value === 'string' ? Buffer.from(value) : value;
    const padded = Buffer.concat([
      content,
      Buffer.from(content.length % 2 ? (type === 'UI' ? '\0' : ' ') : ''),
    ]);
    const head = Buffer.alloc(type === 'OW' || type === 'OB' ? 12 : 8);
    head.writeUInt16LE(group, 0);
    head.writeUInt16LE(number, 2);
    head.write(type, 4, 'latin1');
    if (head.length === 12) head.writeUInt32LE(padded.length, 8);
    else head.writeUInt16LE(padded.length, 6);
    return Buffer.concat([head, padded]);
  };
  const word = (n: number) => Buffer.from([n & 255, n >> 8]);
  const text = (group: number, number: number, type: string, value: string | undefined) =>
    value === undefined ? [] : [element(group, number, type, value)];
  const meta = [
    element(2, 2, 'UI', kind),
    element(2, 3, 'UI', '1.2.3'),
    element(2, 0x10, 'UI', parts.syntax ?? '1.2.840.10008.1.2.1'),
  ];
  const { bits = 16, spacing = '0.7\\0.8', directions = '1\\0\\0\\0\\1\\0' } = parts;
  const body = [
    ...text(8, 8, 'CS', parts.type),
    element(8, 0x16, 'UI', kind),
    element(8, 0x60, 'CS', modality),
    ...(parts.picture ? text(0x18, 0x50, 'DS', parts.thickness) : []),
    element(0x20, 0xe, 'UI', '1.2.4'),
    ...(parts.picture
      ? [
          element(0x20, 0x32, 'DS', parts.place ?? '0\\0\\0'),
          element(0x20, 0x37, 'DS', directions),
          ...text(0x20, 0x100, 'IS', parts.time),
          element(0x28, 2, 'US', word(parts.samples ?? 1)),
          element(0x28, 4, 'CS', parts.colours ?? 'MONOCHROME2'),
          element(0x28, 0x10, 'US', word(2)),
          element(0x28, 0x11, 'US', word(3)),
          element(0x28, 0x30, 'DS', spacing),
          element(0x28, 0x100, 'US', word(bits)),
          element(0x28, 0x101, 'US', word(parts.stored ?? bits)),
          element(0x28, 0x102, 'US', word(parts.high ?? bits - 1)),
          element(0x28, 0x103, 'US', word(0)),
          ...text(0x28, 0x1053, 'DS', parts.slope),
          element(
            0x7fe0,
            0x10,
            'OW',
            parts.pixels ? Buffer.concat(parts.pixels.map(word)) : Buffer.alloc(36),
          ),
        ]
      : []),
  ];
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), ...meta, ...body]);
}
