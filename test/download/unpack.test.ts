import fs, { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Pax } from 'tar';
import { describe, expect, it, vi } from 'vitest';
import { requireFits } from '../../src/download/disk-space.js';
import { entryProblem, unpackArchive } from '../../src/download/unpack.js';
import { DataError, WorkError } from '../../src/errors.js';
import { temporaryFolder } from '../temporary-folder.js';
import { filesBelow, folderName, handMadeTar, md5Of, smallTask } from './small-task.js';

const folder = temporaryFolder();
const description = { path: `${folderName}/dataset.json`, text: '{}' };

/** Unpacks an archive of these bytes in a folder of its own, beside which a stranger's file lies. */
async function unpack(name: string, archive: Buffer) {
  const out = join(folder, name, 'out');
  mkdirSync(out, { recursive: true });
  writeFileSync(join(folder, name, 'stranger'), 'untouched');
  writeFileSync(join(out, `${folderName}.tar`), archive);
  const read: number[] = [];
  const place = join(out, folderName);
  const unpacked = unpackArchive({
    archive: `${place}.tar`,
    folder: place,
    name: folderName,
    onBytes: (bytes) => read.push(bytes),
  });
  return { out, place, read, unpacked };
}

/** What unpacking is refused with; there is nothing then but the archive, and nothing beside the folder. */
async function refusal(name: string, archive: Buffer): Promise<string> {
  const { out, unpacked } = await unpack(name, archive);
  const error = await unpacked.then(
    () => expect.unreachable(`${name} was unpacked`),
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(DataError);
  expect(readdirSync(out)).toEqual([`${folderName}.tar`]);
  expect(filesBelow(dirname(out))).toEqual({
    [`out/${folderName}.tar`]: md5Of(archive),
    stranger: md5Of(Buffer.from('untouched')),
  });
  return (error as Error).message.replace(`${out}/`, '');
}

describe('an archive', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['compressed', (bytes: Buffer) => gzipSync(bytes)],
  ])('that is %s is unpacked without the files of a Mac, and counted', async (name, packed) => {
    const task = await smallTask(join(folder, `made-${name}`), 50_000);
    const { out, place, read, unpacked } = await unpack(name, packed(task.archive));
    expect(await unpacked).toEqual({ files: 5, bytes: 24 + 50_000 + 50_001 + 1000 });
    expect(filesBelow(place)).toEqual(task.files);
    expect(readdirSync(out).sort()).toEqual([folderName, `${folderName}.tar`]);
    expect(read.at(-1)).toBe(packed(task.archive).length);
  });

  it('is unpacked over what a killed run left beside', async () => {
    mkdirSync(join(folder, 'killed', 'out', `${folderName}.unpacking`, folderName), { recursive: true });
    writeFileSync(join(folder, 'killed', 'out', `${folderName}.unpacking`, folderName, 'half'), '');
    const { out, place, unpacked } = await unpack('killed', handMadeTar([description]));
    await unpacked;
    expect(readdirSync(place)).toEqual(['dataset.json']);
    expect(readdirSync(out).sort()).toEqual([folderName, `${folderName}.tar`]);
  });

  it.each([
    [
      'climbs',
      { path: `${folderName}/../../stranger`, text: 'changed' },
      /"Task04_Hippocampus\/\.\.\/\.\.\/stranger" leads out of the folder by "\.\."/,
    ],
    ['climbs-back', { path: `${folderName}/a/../b`, text: 'changed' }, /leads out of the folder by "\.\."/],
    ['absolute', { path: join(folder, 'absolute', 'stranger'), text: 'changed' }, /is an absolute path/],
    [
      'link',
      { path: `${folderName}/scan`, type: 'SymbolicLink', linkpath: '../../stranger' } as const,
      /is neither a file nor a folder, but a SymbolicLink/,
    ],
    [
      'hard-link',
      { path: `${folderName}/scan`, type: 'Link', linkpath: `${folderName}/dataset.json` } as const,
      /but a Link/,
    ],
    ['pipe', { path: `${folderName}/scan`, type: 'FIFO' } as const, /but a FIFO/],
    [
      'climbing-mac',
      { path: `${folderName}/../../._stranger`, text: 'changed' },
      /leads out of the folder by "\.\."/,
    ],
  ])('of which an entry %s is refused whole', async (name, entry, message) => {
    const large = { path: `${folderName}/scan`, text: 'x'.repeat(100_000) };
    const sentence = await refusal(
      name,
      handMadeTar([description, large, entry, { ...large, path: 'after' }]),
    );
    expect(sentence).toMatch(message);
    expect(sentence).toMatch(/^Task04_Hippocampus\.tar: the entry ".*: nothing was unpacked$/);
  });

  it('that is of something else is refused', async () => {
    const other = handMadeTar([{ path: 'Task09_Spleen/dataset.json', text: '{}' }]);
    expect(await refusal('other', other)).toBe(
      'Task04_Hippocampus.tar holds no Task04_Hippocampus/dataset.json, so that it is no archive of this task: nothing was unpacked',
    );
  });

  it.each([
    ['no archive', Buffer.from('<html>Sign in to the network</html>'.repeat(100))],
    [
      'cut off',
      handMadeTar([description, { path: `${folderName}/scan`, text: 'x'.repeat(5000) }]).subarray(0, 3000),
    ],
    ['damaged', Buffer.concat([handMadeTar([description]).subarray(0, 1024), Buffer.alloc(512, 1)])],
  ])('that is %s is refused in a sentence', async (name, bytes) => {
    expect(await refusal(name, bytes)).toMatch(
      /^Task04_Hippocampus\.tar is no whole tar archive \(.+\): nothing was unpacked$/,
    );
  });
});

describe('a folder that the system does not make', () => {
  /** What unpacking fails with; nothing but the archive stays. */
  async function failure(name: string, archive: Buffer): Promise<string> {
    const { out, unpacked } = await unpack(name, archive);
    const error: unknown = await unpacked.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkError);
    expect(readdirSync(out)).toEqual([`${folderName}.tar`]);
    return String(error).replace(`${out}/`, '');
  }

  it('is named, though tar says of it that it is not there', async () => {
    const make = fs.mkdir;
    const refusing = (...args: unknown[]) => {
      const [path, done] = [String(args[0]), args.at(-1)];
      if (!path.endsWith('imagesTr') || typeof done !== 'function') return Reflect.apply(make, fs, args);
      return done(Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'mkdir', path }));
    };
    const spy = vi
      .spyOn(fs, 'mkdir')
      .mockImplementation(Object.assign(refusing, { __promisify__: make.__promisify__ }));
    const task = await smallTask(join(folder, 'made-unmade'), 100);
    expect(await failure('unmade', task.archive)).toBe(
      `WorkError: ${folderName}.unpacking/${folderName}/imagesTr could not be made (the system refused it once): check the disk, then run the same command again`,
    );
    spy.mockRestore();
  });

  it("has the system's own reason", async () => {
    const path = `${folderName}/${'x'.repeat(300)}/scan`;
    const named = new Pax({ path }).encode();
    expect(await failure('long', Buffer.concat([named, handMadeTar([{ path: 'named-before' }])]))).toMatch(
      /^WorkError: Task04_Hippocampus\.unpacking\/.*x could not be made \(ENAMETOOLONG\): its name is longer/,
    );
  });
});

describe('an entry', () => {
  it.each([
    ['Task/a/b.nii.gz', 'File', undefined],
    ['Task/a..b/..c', 'File', undefined],
    ['./Task', 'Directory', undefined],
    ['Task/..', 'Directory', /".."/],
    ['..\\Task', 'File', /".."/],
    ['\\Task', 'File', /absolute/],
    ['c:/Task', 'File', /absolute/],
    ['Task/a', 'CharacterDevice', /neither a file nor a folder/],
  ])('%s, a %s, is judged by its path and its type', (path, type, problem) => {
    if (problem === undefined) expect(entryProblem(path, type)).toBe(undefined);
    else expect(entryProblem(path, type)).toMatch(problem);
  });
});

describe('the disk', () => {
  it('must have room for the archive and for what is in it', () => {
    const needs = { toDownload: 3 * 2 ** 20, toUnpack: 5 * 2 ** 20 };
    expect(requireFits('out', needs, 8 * 2 ** 20)).toBe(undefined);
    expect(() => requireFits('out', needs, 8 * 2 ** 20 - 1)).toThrow(WorkError);
    expect(() => requireFits('out', needs, 2 ** 20)).toThrow(
      'the dataset takes 8.0 MiB more on the disk of out (3.0 MiB to download, 5.0 MiB to unpack), but 1.0 MiB is free: free space, or choose another --out',
    );
  });
});
