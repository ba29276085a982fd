import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { downloadableTasks } from '../../src/download/index.js';
import { runCli } from '../cli/run-cli.js';
import { longTests } from '../long-tests.js';
import { temporaryFolder } from '../temporary-folder.js';
import { archiveServer } from './archive-server.js';
import { filesBelow, folderName, handMadeTar, md5Of, type SmallTask, smallTask } from './small-task.js';

const folder = temporaryFolder();
let task: SmallTask;
const place = (out: string) => join(folder, out, folderName);
const flags = (out: string, address: string, archive = task.archive) => [
  ...['download', 'msd-hippocampus', '--out', join(folder, out)],
  ...['--mirror', address, '--checksum', md5Of(archive)],
];

beforeAll(async () => {
  task = await smallTask(folder);
});

/** The command ends with this exit code and one line on standard error. */
async function refusal(args: readonly string[], code: number): Promise<string> {
  const result = await runCli(args);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr.trim().split('\n')).toHaveLength(1);
  return result.stderr.trim();
}

describe('hybridmim download', () => {
  it('says what is there now, how prepare names it, the licence and what to cite', async () => {
    const server = await archiveServer(task.archive);
    const { code, stdout, stderr } = await runCli(flags('text', server.address));
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      `${place('text')}: 5 files, 586.9 KiB`,
      `in datasets.json: "msd-hippocampus": { "layout": "msd", "path": "${place('text')}" }`,
      'licence: CC-BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/',
      'cite: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022), https://doi.org/10.1038/s41467-022-30695-9',
      '',
    ]);
    const rate = '\\d+\\.\\d [KMG]iB a second, 0 s left';
    expect(stderr).toMatch(new RegExp(`^download msd-hippocampus 594\\.0 KiB of 594\\.0 KiB ${rate}$`, 'm'));
    expect(stderr).toMatch(/^check msd-hippocampus 594\.0 KiB of 594\.0 KiB/m);
    expect(stderr).toMatch(/^unpack msd-hippocampus 594\.0 KiB of 594\.0 KiB/m);
    expect(filesBelow(place('text'))).toEqual(task.files);
    expect(readdirSync(join(folder, 'text'))).toEqual([folderName]);
  });

  it('prints a record with --json, and keeps the archive with --keep-archive', async () => {
    const server = await archiveServer(task.archive);
    const result = await runCli([...flags('json', `${server.address}/`), '--json', '--keep-archive']);
    expect(JSON.parse(result.stdout)).toEqual({
      schema: 1,
      task: 'msd-hippocampus',
      folder: place('json'),
      files: 5,
      bytes: 601_025,
      url: `${server.address}/${folderName}.tar`,
      checksum: md5Of(task.archive),
      archive: `${place('json')}.tar`,
      licence: expect.stringContaining('CC-BY-SA 4.0'),
      citation: expect.stringContaining('Antonelli'),
    });
    expect(readFileSync(`${place('json')}.tar`).equals(task.archive)).toBe(true);
    expect(server.requests).toEqual([{ path: `/msd/${folderName}.tar`, range: null, ifRange: null }]);
  });

  it('names every task in its help', async () => {
    const { stdout } = await runCli(['download', '--help']);
    for (const name of downloadableTasks) expect(stdout).toContain(name);
    expect(downloadableTasks).toHaveLength(10);
  });

  it('refuses to touch a folder that is there', async () => {
    const server = await archiveServer(task.archive);
    mkdirSync(place('there'), { recursive: true });
    writeFileSync(join(place('there'), 'mine'), 'mine');
    expect(await refusal(flags('there', server.address), 2)).toBe(
      `hybridmim: ${place('there')} is there already and was left as it is: use it, or remove it or choose another --out to download again`,
    );
    expect(filesBelow(join(folder, 'there'))).toEqual({ [`${folderName}/mine`]: md5Of(Buffer.from('mine')) });
    expect(server.requests).toEqual([]);
  });

  it('says in a sentence that there is no archive at an address', async () => {
    const server = await archiveServer(task.archive, { status: () => 404 });
    expect(await refusal(flags('missing', server.address), 1)).toBe(
      `hybridmim: ${server.address}/${folderName}.tar answered 404: the archive cannot be had there; check the address, or name another place by --mirror`,
    );
    expect(server.requests).toHaveLength(1);
    expect(readdirSync(join(folder, 'missing'))).toEqual([]);
  });

  it('refuses an archive that would write elsewhere, with exit code 3', async () => {
    const archive = handMadeTar([
      { path: `${folderName}/dataset.json`, text: '{}' },
      { path: `${folderName}/../../evil`, text: 'evil' },
    ]);
    const server = await archiveServer(archive);
    const { code, stderr } = await runCli(flags('evil-out', server.address, archive));
    expect(code).toBe(3);
    expect(stderr).toMatch(/the entry "Task04_Hippocampus\/..\/..\/evil" leads out of the folder by "\.\."/);
    expect(existsSync(join(folder, 'evil'))).toBe(false);
    expect(readdirSync(join(folder, 'evil-out'))).toEqual([`${folderName}.tar`]);
  });

  it('refuses an archive that the disk has no room for before it writes any of it', async () => {
    const server = await archiveServer(task.archive, {
      headers: { 'content-length': `${2 ** 50}` },
      stallAfter: () => 100,
    });
    expect(await refusal(flags('huge', server.address), 1)).toMatch(
      /^hybridmim: the dataset takes 2097152\.0 GiB more on the disk of .*huge \(1048576\.0 GiB to download, 1048576\.0 GiB to unpack\), but .* is free: /,
    );
    expect(statSync(`${place('huge')}.tar.part`).size).toBe(0);
  });

  it.each([
    [
      ['msd-spleeen'],
      /^hybridmim: the task is "msd-spleeen", but must be one of msd-brain-tumour, .*, msd-colon$/,
    ],
    [
      ['msd-spleen', '--mirror', 'example.org'],
      /^hybridmim: --mirror is "example\.org", but must be an http or https address of a folder/,
    ],
    [
      ['msd-spleen', '--mirror', 'https://a/b?c=d'],
      /^hybridmim: --mirror is "https:\/\/a\/b\?c=d", but must be/,
    ],
    [['msd-spleen', '--mirror', 'https://me:secret@a/b'], /^hybridmim: --mirror is /],
    [
      ['msd-spleen', '--checksum', 'md5:123'],
      /^hybridmim: --checksum is "md5:123", but must be md5: and 32, or sha256: and 64 hexadecimal digits$/,
    ],
    [['msd-spleen', '--out', ''], /^hybridmim: --out is empty, but must name a folder$/],
    [[], /^hybridmim: Not enough non-option arguments/],
  ])('refuses %j as wrong use', async (args, sentence) => {
    expect(await refusal(['download', ...args], 2)).toMatch(sentence);
  });
});

/** Starts the command against a server that stalls, and waits until `bytes` of the archive are on disk. */
async function startedUntil(out: string, address: string, bytes: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['bin/hybridmim.mjs', ...flags(out, address)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const part = `${place(out)}.tar.part`;
  while (!existsSync(part) || statSync(part).size < bytes) {
    if (child.exitCode !== null) throw new Error('the command ended by itself');
    await pause(20);
  }
  return child;
}

const ended = (child: ChildProcess) =>
  new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal)),
  );

/** Stalls the first time, after 300,000 bytes. */
const stallingServer = () =>
  archiveServer(task.archive, { stallAfter: (request) => (request === 0 ? 300_000 : undefined) });

describe('hybridmim download, ended in the middle', () => {
  // The killed process leaves a lock that goes stale after 10 s, for which the second run waits.
  it.runIf(longTests)('by a kill, goes on with the same command and gives the same dataset', async () => {
    const server = await stallingServer();
    const child = await startedUntil('killed', server.address, 300_000);
    const end = ended(child);
    child.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    expect(existsSync(place('killed'))).toBe(false);
    const second = await runCli([...flags('killed', server.address), '--keep-archive']);
    expect(second.code).toBe(0);
    expect(server.requests[1]).toMatchObject({ range: 'bytes=300000-', ifRange: '"first"' });
    expect(filesBelow(place('killed'))).toEqual(task.files);
    expect(readFileSync(`${place('killed')}.tar`).equals(task.archive)).toBe(true);
    expect(readdirSync(join(folder, 'killed')).sort()).toEqual([folderName, `${folderName}.tar`]);
  });

  it('by Ctrl-C, says that the same command goes on, and ends with 130', async () => {
    const server = await stallingServer();
    const child = await startedUntil('ctrl-c', server.address, 300_000);
    let stderr = '';
    child.stderr?.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    const end = ended(child);
    child.kill('SIGINT');
    expect(await end).toBe(130);
    expect(stderr).toMatch(
      /hybridmim: interrupted: what is here of Task04_Hippocampus is kept; run the same command again, and it goes on from there\n$/,
    );
    expect((await runCli(flags('ctrl-c', server.address))).code).toBe(0);
    expect(server.requests[1]?.range).toBe('bytes=300000-');
    expect(filesBelow(place('ctrl-c'))).toEqual(task.files);
  });
});
