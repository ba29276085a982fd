import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeChunkedFile } from '../src/dataset/cache/write-chunked.js';
import { unpackArchive } from '../src/download/unpack.js';
import { WorkError } from '../src/errors.js';
import { removeLeftovers } from '../src/leftovers.js';
import { writeSafetensors } from '../src/network/safetensors.js';
import { openMetricsLog, readMetrics } from '../src/training/metrics-log.js';
import { writeNifti } from '../src/volume/index.js';
import {
  appendWhole,
  cutFile,
  makeFolder,
  openGrowingFile,
  openScratchFile,
  writeWholeFile,
  writeWholeFileSync,
  writeWholeFolder,
} from '../src/whole-file.js';
import { smallDisk } from './small-disk.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hybridmim-whole-file-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file', () => {
  it('holds its parts in order, however they come', async () => {
    const parts = [Buffer.from('one'), Buffer.alloc(3_000_000, 'x'), Buffer.from('two')];
    const whole = Buffer.concat(parts);
    await writeWholeFile(join(folder, 'a'), parts);
    await writeWholeFile(join(folder, 'b'), whole);
    await writeWholeFile(join(folder, 'c'), whole.toString());
    writeWholeFileSync(join(folder, 'd'), parts);
    for (const name of 'abcd') expect(readFileSync(join(folder, name)).equals(whole)).toBe(true);
    expect(readdirSync(folder)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('stays what it was when the next one cannot be made, and nothing is left beside it', async () => {
    const file = join(folder, 'a');
    await writeWholeFile(file, 'before');
    const failing = function* () {
      yield Buffer.from('after');
      throw new Error('no more');
    };
    await expect(writeWholeFile(file, failing())).rejects.toThrow(/^no more$/);
    expect(() => writeWholeFileSync(file, failing())).toThrow(/^no more$/);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('keeps its rights, and is the one that a link leads to', async () => {
    const file = join(folder, 'a');
    writeFileSync(file, 'before');
    chmodSync(file, 0o640);
    symlinkSync(file, join(folder, 'link'));
    await writeWholeFile(join(folder, 'link'), 'after');
    expect(readFileSync(file, 'utf8')).toBe('after');
    expect(statSync(file).mode & 0o777).toBe(0o640);
    writeWholeFileSync(file, [Buffer.from('again')]);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it.each([
    ['a folder of that name', (at: string) => mkdirSync(at), /is a folder, but a file is to be written/],
    ['no folder to hold it', () => {}, /could not be written whole \(ENOENT\): its folder is not there/],
  ])('is refused in one sentence for %s', async (what, prepare, sentence) => {
    const file = what.startsWith('no') ? join(folder, 'none', 'a') : join(folder, 'a');
    prepare(file);
    await expect(writeWholeFile(file, 'x')).rejects.toBeInstanceOf(WorkError);
    await expect(writeWholeFile(file, 'x')).rejects.toThrow(sentence);
  });

  it('may have the longest name that the system allows', async () => {
    const file = join(folder, 'ä'.repeat(127));
    await writeWholeFile(file, 'x');
    expect(readFileSync(file, 'utf8')).toBe('x');
    await expect(writeWholeFile(join(folder, 'a'.repeat(256)), 'x')).rejects.toThrow(
      /ENAMETOOLONG\): its name is longer than the system allows/,
    );
  });
});

describe('a folder', () => {
  it('is made with those above it, or one sentence says why not', async () => {
    const deep = join(folder, 'a', 'b');
    await makeFolder(deep);
    await makeFolder(deep);
    expect(readdirSync(join(folder, 'a'))).toEqual(['b']);
    writeFileSync(join(folder, 'file'), '');
    await expect(makeFolder(join(folder, 'file', 'b', 'c'))).rejects.toThrow(
      /b could not be made \(ENOTDIR\): its folder is not there|c could not be made \(ENOTDIR\)/,
    );
    await expect(makeFolder(join(folder, 'x'.repeat(256), 'c'))).rejects.toThrow(
      /could not be made \(ENAMETOOLONG\): its name is longer than the system allows/,
    );
    await expect(makeFolder(join('/proc', 'none', 'c'))).rejects.toBeInstanceOf(WorkError);
  });
});

describe('what a killed process left half written', () => {
  const machine = () => {
    const scratch = openScratchFile(join(folder, 'own'));
    const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.partial'));
    scratch.remove();
    return /\.([0-9a-f]{8})-\d+-[0-9a-f]{8}\.partial$/.exec(name)?.[1] ?? 'none';
  };
  const gone = () => spawnSync('true').pid;

  it('goes with the first file that the next one writes there', async () => {
    const dead = join(folder, `a.json.${machine()}-${gone()}-00000000.partial`);
    const below = join(folder, 'later');
    mkdirSync(below);
    const deadBelow = join(below, `a.${machine()}-${gone()}-00000001.partial`);
    const other = join(below, `a.ffffffff-${gone()}-00000000.partial`);
    const alive = join(below, `a.${machine()}-${process.ppid}-00000000.partial`);
    for (const file of [dead, deadBelow, other, alive]) writeFileSync(file, 'half');
    await writeWholeFile(join(below, 'b'), 'x');
    expect(readdirSync(below).sort()).toEqual(
      [alive, other, join(below, 'b')].map((f) => f.slice(below.length + 1)).sort(),
    );
    removeLeftovers(folder, 'dead');
    expect(readdirSync(folder)).toEqual(['later']);
    removeLeftovers(below, 'all'); // by who holds the folder's lock
    expect(readdirSync(below)).toEqual(['b']);
  });
});

describe('a file that is added to', () => {
  it('is cut where it stands', () => {
    const file = join(folder, 'log');
    appendWhole(file, 'one\n');
    const { ino } = statSync(file);
    appendWhole(file, 'two\n');
    cutFile(file, 4);
    expect(readFileSync(file, 'utf8')).toBe('one\n');
    expect(statSync(file).ino).toBe(ino);
  });
});

const disk = smallDisk(4);
const line = (step: number) => ({
  step,
  loss: 1,
  losses: { a: 1 },
  lr: 1,
  gradientNorm: 1,
  seconds: 1,
  waitSeconds: 0,
});

describe.skipIf(!disk)('a disk that fills up (needs the right to mount)', () => {
  const small = disk ?? { folder: '', leave: () => {} };
  let room: string;
  beforeEach(() => {
    small.leave(3 << 20);
    room = mkdtempSync(join(small.folder, 'room-'));
  });
  afterEach(() => rmSync(room, { recursive: true, force: true }));
  const full = /could not be written whole \(ENOSPC\): the disk is full; free some space/;
  const values = Float32Array.from({ length: 1 << 16 }, (_, i) => Math.sin(i));
  const grid = {
    size: [64, 64, 16],
    spacing: [1, 1, 1],
    affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] },
    channels: 1,
  } as const;

  const writers: Record<string, (file: string) => Promise<void>> = {
    'text or bytes': (file) => writeWholeFile(file, Buffer.alloc(300_000)),
    'parts, at once': async (file) => writeWholeFileSync(file, [Buffer.alloc(300_000)]),
    'a prediction': (file) => writeNifti(`${file}.nii`, { ...grid, data: values }),
    'a compressed prediction': (file) => writeNifti(`${file}.nii.gz`, { ...grid, data: values }),
    'a checkpoint': (file) => writeSafetensors(file, { a: { shape: [values.length], data: values } }),
    'a prepared volume': async (file) =>
      writeChunkedFile(
        file,
        {
          dtype: 'float32',
          size: [64, 64, 16],
          spacing: [1, 1, 1],
          affine: { rows: [...grid.affine.rows] },
          channels: 1,
          steps: [],
          sources: [],
        },
        [values],
      ),
    'a folder': (file) =>
      writeWholeFolder(file, (partial) => writeWholeFile(join(partial, 'a'), Buffer.alloc(300_000))),
  };
  it.each(
    Object.entries(writers).flatMap(([what, write]) =>
      [0, 8192, 65_536].map((free) => [what, free, write] as const),
    ),
  )('takes all of %s or, with %i bytes free, nothing', async (_, free, write) => {
    small.leave(free);
    await expect(write(join(room, 'a'))).rejects.toThrow(full);
    expect(readdirSync(room)).toEqual([]);
    small.leave(3 << 20);
    await write(join(room, 'a'));
    expect(readdirSync(room)).toHaveLength(1);
  });

  it('leaves the file that was there', async () => {
    await writeWholeFile(join(room, 'a'), 'before');
    small.leave(8192);
    await expect(writeWholeFile(join(room, 'a'), Buffer.alloc(100_000))).rejects.toThrow(full);
    expect(readFileSync(join(room, 'a'), 'utf8')).toBe('before');
  });

  it('takes all of a line or nothing of it', () => {
    const file = join(room, 'log');
    appendWhole(file, 'first\n');
    small.leave(4096);
    expect(() => appendWhole(file, `${'x'.repeat(100_000)}\n`)).toThrow(full);
    expect(readFileSync(file, 'utf8')).toBe('first\n');
  });

  it('keeps what a download has so far, and says that it is full', async () => {
    small.leave(8192);
    const part = await openGrowingFile(join(room, 'a'), 0);
    await part.add(Buffer.alloc(4096, 1));
    await expect(part.add(Buffer.alloc(100_000, 2))).rejects.toThrow(full);
    await part.close();
    expect(
      readFileSync(join(room, 'a'))
        .subarray(0, 4096)
        .every((byte) => byte === 1),
    ).toBe(true);
  });

  it('makes no folder where it may not be written, and says so', async () => {
    execFileSync('mount', ['-o', 'remount,ro', small.folder]);
    try {
      await expect(makeFolder(join(room, 'a', 'b'))).rejects.toThrow(
        /b could not be made \(EROFS\): it may not be written; check the folder's permissions/,
      );
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', small.folder]);
    }
  });

  it('takes no scratch file in part', () => {
    const scratch = openScratchFile(join(room, 'a'));
    small.leave(8192);
    expect(() => scratch.write(Buffer.alloc(100_000), 0)).toThrow(full);
    scratch.remove();
    expect(readdirSync(room)).toEqual([]);
  });

  it('takes all of an archive or nothing', async () => {
    const dataset = join(folder, 'Task');
    mkdirSync(dataset);
    writeFileSync(join(dataset, 'dataset.json'), '{}');
    writeFileSync(join(dataset, 'scan'), Buffer.alloc(300_000, 1)); // the last one, and less than a piece of tar's
    const archive = join(folder, 'a.tar');
    await create({ file: archive, cwd: folder }, ['Task/dataset.json', 'Task/scan']);
    const unpack = () =>
      unpackArchive({ archive, folder: join(room, 'out'), name: 'Task', onBytes: () => {} });
    small.leave(100_000);
    await expect(unpack()).rejects.toThrow(/unpacked to \d+ bytes of 300000|ENOSPC|no space left/);
    expect(readdirSync(room)).toEqual([]);
    small.leave(3 << 20);
    expect(await unpack()).toEqual({ files: 2, bytes: 300_002 });
  });

  it('keeps the metrics of a run that goes on there', async () => {
    const log = await openMetricsLog(room, 0);
    for (let step = 1; step <= 200; step++) log.append(line(step));
    log.flush();
    small.leave(0);
    await openMetricsLog(room, 150).catch(() => {}); // TensorFlow's own file may find no room
    expect(readMetrics(room).map(({ step }) => step)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
  });

  it('ends a command with exit code 1 where its output does not fit', async () => {
    const labels = join(folder, 'labels');
    mkdirSync(labels);
    await writeNifti(join(labels, 'a.nii.gz'), {
      ...grid,
      data: Uint8Array.from(values, (v) => (v > 0 ? 1 : 0)),
    });
    const classes = Array.from({ length: 200 }, (_, i) => `${i + 1}=organ ${i + 1}`).join(',');
    const evaluate = (out: string, output: string) =>
      spawnSync(
        process.execPath,
        [
          'bin/hybridmim.mjs',
          'evaluate',
          '--predictions',
          labels,
          '--labels',
          labels,
          '--classes',
          classes,
          '--json',
          '--out',
          out,
        ],
        { stdio: ['ignore', openSync(output, 'w'), 'pipe'], encoding: 'utf8' },
      );
    const [output, out] = [join(room, 'stdout.json'), join(room, 'evaluation.json')];
    small.leave(16_384);
    const toFile = evaluate(out, join(folder, 'stdout.json'));
    expect(toFile).toMatchObject({ status: 1, stderr: expect.stringMatching(full) });
    expect(readdirSync(room)).toEqual([]);
    small.leave(16_384);
    const toOutput = evaluate(join(folder, 'evaluation.json'), output);
    expect(toOutput).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^hybridmim: standard output could not be written whole \(ENOSPC\)/m),
    });
  });
});
