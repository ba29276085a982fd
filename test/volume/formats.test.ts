import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { metaReadImageNode } from '@itk-wasm/image-io';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { DataError } from '../../src/errors.js';
import { bytesHeldWhole, openSlices, readVolume, scanParts, type Triple } from '../../src/volume/index.js';
import { volumeOfItk } from '../../src/volume/itk-volume.js';
import { readPlainMetaImage } from '../../src/volume/meta-raw.js';
import { readTextHeader } from '../../src/volume/text-header.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

interface FormatReference {
  readonly size: Triple;
  readonly spacing: Triple;
  readonly affine: readonly number[];
  readonly channels: number;
  /** As SimpleITK calls it. */
  readonly type: string;
  readonly values: string;
}

/** Made by `test/parity/volume/make_format_references.py` with SimpleITK. */
const { references } = readReference<{ references: Record<string, FormatReference> }>('formats.json');
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-formats-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

/** The array that keeps a type; 64-bit types become float32. */
const arrays: Record<string, string> = {
  '8-bit signed integer': 'Int8Array',
  '8-bit unsigned integer': 'Uint8Array',
  '16-bit signed integer': 'Int16Array',
  '16-bit unsigned integer': 'Uint16Array',
  '32-bit signed integer': 'Int32Array',
  '32-bit unsigned integer': 'Uint32Array',
};
const arrayOf = (type: string): string => arrays[type.replace('vector of ', '')] ?? 'Float32Array';

describe('reading MetaImage, NRRD and DICOM', () => {
  it.each(Object.entries(references))(
    'gives the grid and values that SimpleITK reads from %s',
    async (name, reference) => {
      const volume = await readVolume(referenceFile(join('formats', name)));
      expect(volume.size).toEqual(reference.size);
      expect(volume.channels).toBe(reference.channels);
      // Headers hold decimal numbers with 6 digits or more; DICOM's directions are rounded to 8.
      expect(largestDifference(volume.affine.rows, reference.affine)).toBeLessThan(1e-4);
      expect(largestDifference(volume.spacing, reference.spacing)).toBeLessThan(1e-5);
      expect(largestDifference(volume.data, decodeFloats(reference.values))).toBe(0);
      if (!name.startsWith('dicom')) expect(volume.data.constructor.name).toBe(arrayOf(reference.type));
    },
  );

  it.each(Object.entries(references))(
    'gives them slice by slice as well from %s',
    async (name, reference) => {
      const { size, affine, channels, slices } = await openSlices(referenceFile(join('formats', name)));
      expect({ size, channels }).toEqual({ size: reference.size, channels: reference.channels });
      expect(largestDifference(affine.rows, reference.affine)).toBeLessThan(1e-4);
      const values: number[] = [];
      for await (const slice of slices()) {
        values.push(...slice);
        if (!name.startsWith('dicom')) expect(slice.constructor.name).toBe(arrayOf(reference.type));
      }
      expect(largestDifference(values, decodeFloats(reference.values))).toBe(0);
    },
  );

  it('holds whole only what has several channels, 8 bytes a voxel, another byte order or a folder of slices', async () => {
    const names = Object.keys(references);
    const held = await Promise.all(names.map((name) => bytesHeldWhole(referenceFile(join('formats', name)))));
    const whole = names.filter((_, i) => held[i] !== undefined);
    expect(names.length - whole.length).toBeGreaterThan(15);
    for (const name of whole) expect(name).toMatch(/^(channels|float64|u?int64|big-endian|dicom)/);
  });

  it.each([
    ['int16.nrrd', 650],
    ['compressed.mha', 700],
  ])(
    'says of a compressed file that ends early what is wrong with it, while its slices are read: %s',
    async (name, length) => {
      const file = join(folder, name);
      copyFileSync(referenceFile(join('formats', name)), file);
      truncateSync(file, length);
      const read = async () => {
        for await (const _ of (await openSlices(file)).slices());
      };
      await expect(read()).rejects.toBeInstanceOf(DataError);
      await expect(read()).rejects.toThrow(/is damaged or truncated: .*; copy or download it again$/);
    },
  );

  it('reads numbers written out as text', async () => {
    const plain = referenceFile('formats/axial.mhd');
    const { data } = await readVolume(plain);
    const header = readFileSync(plain, 'latin1')
      .replace('BinaryData = True', 'BinaryData = False')
      .replace('axial.raw', 'LOCAL');
    const file = join(folder, 'text.mha');
    writeFileSync(file, `${header}${[...data].join(' ')}\n`);
    expect(largestDifference((await readVolume(file)).data, data)).toBe(0);
  });

  it('reads a detached NRRD header whose data file is named before the sizes', async () => {
    const lines = readFileSync(referenceFile('formats/detached.nhdr'), 'latin1').split('\n');
    const data = lines.find((line) => line.startsWith('data file'))!;
    const file = join(folder, 'reordered.nhdr');
    writeFileSync(file, [lines[0], data, ...lines.slice(1).filter((line) => line !== data)].join('\n'));
    copyFileSync(referenceFile('formats/detached.raw'), join(folder, 'detached.raw'));
    expect(
      largestDifference((await readVolume(file)).data, decodeFloats(references['detached.nhdr']!.values)),
    ).toBe(0);
  });

  it('covers all formats, compressed and not, all types and oblique directions', () => {
    expect(Object.keys(references).length).toBeGreaterThanOrEqual(35);
  });
});

describe('a damaged file', () => {
  const copied = (name: string, ...parts: string[]) => {
    for (const part of [name, ...parts])
      copyFileSync(referenceFile(join('formats', part)), join(folder, part));
    return join(folder, name);
  };
  const edited = (name: string, from: RegExp, to: string, ...parts: string[]) => {
    const file = copied(name, ...parts);
    writeFileSync(file, Buffer.from(readFileSync(file, 'latin1').replace(from, to), 'latin1'));
    return file;
  };

  it.each([
    [
      'a truncated .raw',
      () => {
        copied('oblique.mhd', 'oblique.raw');
        truncateSync(join(folder, 'oblique.raw'), 100);
        return 'oblique.mhd';
      },
      /oblique.raw is truncated: its header promises 420 bytes of voxels, 100 are there; copy or download it again/,
    ],
    [
      'a missing .raw',
      () => {
        copied('oblique.mhd');
        rmSync(join(folder, 'oblique.raw'), { force: true });
        return 'oblique.mhd';
      },
      /oblique.mhd has its voxels in .*oblique.raw, which does not exist: copy it beside the header/,
    ],
    [
      'a truncated .zraw',
      () => {
        copied('zraw.mhd', 'zraw.zraw');
        truncateSync(join(folder, 'zraw.zraw'), 200);
        return 'zraw.mhd';
      },
      /zraw.zraw is damaged or truncated: it could not be decompressed/,
    ],
    [
      'a truncated .mha',
      () => {
        copied('int16.mha');
        truncateSync(join(folder, 'int16.mha'), 600);
        return 'int16.mha';
      },
      /int16.mha is truncated: its header promises 420 bytes/,
    ],
    [
      'a truncated compressed .nrrd',
      () => {
        copied('int16.nrrd');
        truncateSync(join(folder, 'int16.nrrd'), 650);
        return 'int16.nrrd';
      },
      /int16.nrrd is damaged or truncated/,
    ],
    [
      'an absurd size',
      () => {
        edited('int16.mha', /DimSize = .*/, 'DimSize = 99999 99999 99999');
        return 'int16.mha';
      },
      /int16.mha: DimSize is "99999 99999 99999"; expected .* so the header is damaged/,
    ],
    [
      'a size of 0',
      () => {
        edited('oblique.nrrd', /sizes: .*/, 'sizes: 7 0 5');
        return 'oblique.nrrd';
      },
      /oblique.nrrd: sizes is "7 0 5"; expected/,
    ],
    [
      'a size that a compressed file cannot hold',
      () => {
        edited('int16.nrrd', /sizes: .*/, 'sizes: 700 600 500');
        return 'int16.nrrd';
      },
      /int16.nrrd is truncated or its header is damaged: a size of 700x600x500 needs 420000000 bytes, more than/,
    ],
    [
      'an unknown type',
      () => {
        edited('int16.mha', /MET_SHORT/, 'MET_STRANGE');
        return 'int16.mha';
      },
      /int16.mha: ElementType is "MET_STRANGE"; expected/,
    ],
    [
      'a list of data files',
      () => {
        edited('oblique.mhd', /ElementDataFile = .*/, 'ElementDataFile = LIST');
        return 'oblique.mhd';
      },
      /ElementDataFile names several files \("LIST"\), but one data file is expected/,
    ],
    [
      'axes that do not span space',
      () => {
        edited('int16.mha', /TransformMatrix = .*/, 'TransformMatrix = 1 0 0 1 0 0 0 0 1');
        return 'int16.mha';
      },
      /int16.mha/,
    ],
    [
      'something else',
      () => {
        writeFileSync(join(folder, 'else.mha'), 'no header at all\n');
        return 'else.mha';
      },
      /else.mha is not a MetaImage file: it has no header of one/,
    ],
    [
      'something else',
      () => {
        writeFileSync(join(folder, 'else.nrrd'), 'no header at all\n');
        return 'else.nrrd';
      },
      /else.nrrd is not a NRRD file/,
    ],
    ['nothing', () => 'nothing.mhd', /nothing.mhd does not exist: check the path/],
  ])('that is %s gives one sentence and prints nothing', async (_, make, message) => {
    const printed = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')];
    const reading = readVolume(join(folder, make()));
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toBeInstanceOf(DataError);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });
});

describe('a plain MetaImage', () => {
  it('is read from its file, as ITK reads it', async () => {
    for (const name of Object.keys(references).filter((name) =>
      /^(axial|oblique|flipped|left-handed|u?int(8|16|32)|float32)\.mh[ad]$/.test(name),
    )) {
      const file = referenceFile(join('formats', name));
      const plain = (await readPlainMetaImage(file, await readTextHeader(file, 'metaimage')))!;
      const { image } = await metaReadImageNode(resolve(file));
      const { data, affine, size, channels } = volumeOfItk(image, file);
      expect([plain.size, plain.channels, plain.data], name).toEqual([size, channels, data]);
      expect(largestDifference(plain.affine.rows, affine.rows), name).toBeLessThan(1e-12);
    }
  });

  it.each(['zraw.mhd', 'big-endian.mhd', 'channels.mha', 'int64.mha', 'float64.mha'])(
    'is not what %s is',
    async (name) => {
      const file = referenceFile(join('formats', name));
      expect(await readPlainMetaImage(file, await readTextHeader(file, 'metaimage'))).toBeUndefined();
    },
  );
});

describe('several damaged files read at once', () => {
  it('leave the console as it was', async () => {
    const { log, error } = console;
    const files = [1, 2, 3].map((n) => join(folder, `zraw-${n}.mha`));
    for (const file of files) {
      copyFileSync(referenceFile('formats/compressed.mha'), file);
      truncateSync(file, 500);
    }
    await Promise.allSettled(files.map(readVolume));
    expect([console.log, console.error]).toEqual([log, error]);
  });
});

describe('a DICOM folder', () => {
  const series = (name: string) => {
    const target = join(folder, name);
    cpSync(referenceFile('formats/dicom-axial'), target, { recursive: true });
    return target;
  };

  it('may hold other files', async () => {
    const target = series('with-notes');
    writeFileSync(join(target, 'notes.txt'), 'from the ward');
    writeFileSync(join(target, 'DICOMDIR'), `${'\0'.repeat(128)}DICM`);
    expect((await readVolume(target)).size).toEqual([7, 6, 5]);
  });

  it.each([
    [
      'no slice',
      (target: string) => {
        for (const file of readdirSync(target)) rmSync(join(target, file));
      },
      /holds no DICOM file: a folder given as a scan must hold the slices of one series/,
    ],
    [
      'a gap',
      (target: string) => rmSync(join(target, 'IM0004.dcm')),
      /is not evenly spaced: 5.00 mm between .*IM0000.dcm and .*IM0001.dcm, 2.50 mm elsewhere; slices are missing or doubled/,
    ],
    [
      'a slice twice',
      (target: string) => copyFileSync(join(target, 'IM0004.dcm'), join(target, 'copy.dcm')),
      /is not evenly spaced: 0.00 mm between/,
    ],
    [
      'two series',
      (target: string) => replaceText(join(target, 'IM0004.dcm'), '8.498.1\0', '8.498.2\0'),
      /holds 2 DICOM series, but one is expected: move each series into a folder of its own/,
    ],
    [
      'slices of two directions',
      (target: string) => {
        cpSync(referenceFile('formats/dicom-oblique/IM0000.dcm'), join(target, 'IM0009.dcm'));
      },
      /IM0009.dcm lies in another direction than .*IM0000.dcm of the same series/,
    ],
    [
      'a truncated slice',
      (target: string) => truncateSync(join(target, 'IM0001.dcm'), 300),
      /IM0001.dcm|could not be read to its end/,
    ],
  ])('with %s is refused in one sentence', async (name, damage, message) => {
    const target = series(name.replaceAll(' ', '-'));
    damage(target);
    const reading = readVolume(target);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toBeInstanceOf(DataError);
  });
});

describe('the parts of a scan', () => {
  it('are the header with its data, or all slices, so that a change in any is noticed', async () => {
    const formats = referenceFile('formats');
    expect(await scanParts(join(formats, 'zraw.mhd'))).toEqual([
      join(formats, 'zraw.mhd'),
      expect.stringMatching(/zraw\.zraw$/),
    ]);
    expect(await scanParts(join(formats, 'int16.mha'))).toEqual([join(formats, 'int16.mha')]);
    expect((await scanParts(join(formats, 'detached.nhdr'))).length).toBe(2);
    expect(await scanParts(join(formats, 'dicom-axial'))).toHaveLength(5);
  });
});

/** In a DICOM file, where lengths must stay. */
function replaceText(file: string, from: string, to: string): void {
  const bytes = readFileSync(file, 'latin1');
  if (!bytes.includes(from)) throw new Error(`${file} does not hold ${JSON.stringify(from)}`);
  writeFileSync(`${file}.new`, Buffer.from(bytes.replace(from, to), 'latin1'));
  renameSync(`${file}.new`, file);
}
