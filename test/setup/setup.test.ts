import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { arch, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A clone whose node packages are installed, with the tfjs package still bare. */
function bareClone(): string {
  const root = mkdtempSync(join(tmpdir(), 'setup-'));
  made.push(root);
  for (const part of ['scripts', 'package.json', 'package-lock.json'])
    cpSync(part, join(root, part), { recursive: true });
  const addon = join(root, 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(addon, { recursive: true });
  writeFileSync(join(addon, 'package.json'), '{"name": "@tensorflow/tfjs-node-gpu", "version": "4.22.0"}');
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  writeFileSync(join(root, 'node_modules/.hybridmim-packages'), lock + arch());
  return root;
}

/** The same with a placed runtime, so that the addon is what comes next. */
function cloneWithRuntime(): string {
  const root = bareClone();
  const deps = join(root, 'node_modules/@tensorflow/tfjs-node-gpu/deps');
  mkdirSync(join(deps, 'lib'), { recursive: true });
  writeFileSync(join(deps, 'hybridmim-runtime.json'), JSON.stringify({ source: 'wheel', variant: 'cpu' }));
  return root;
}

/** A folder that holds these programs and no others, for PATH. */
function pathWith(...programs: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'path-'));
  made.push(folder);
  for (const program of programs) {
    const found = (process.env.PATH ?? '').split(delimiter).find((place) => readable(join(place, program)));
    symlinkSync(program === 'node' ? process.execPath : join(found!, program), join(folder, program));
  }
  return folder;
}

function setUp(
  root: string,
  env: NodeJS.ProcessEnv = {},
  nodeFlags: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<{ code: number | null; stderr: string }> {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HYBRIDMIM_')),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeFlags, join(root, 'scripts/setup.mjs'), ...flags], {
      env: { ...inherited, ...env },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

/** A module that runs before set-up, to make the system look otherwise. */
const before = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];

describe('set-up', () => {
  it('does nothing and says nothing where everything is done', async () => {
    await setUp('.'); // sources that changed since are compiled
    expect(await setUp('.')).toEqual({ code: 0, stderr: '' });
  });

  it.each([
    [
      'arm64',
      'linux',
      /no pinned TensorFlow wheel for linux-arm64: only Linux x86-64 is tested.*untested.*HYBRIDMIM_TENSORFLOW=/,
    ],
    ['x64', 'darwin', /no pinned TensorFlow wheel for darwin-x64/],
  ])('says what is untested on %s %s', async (cpu, platform, sentence) => {
    const code = `Object.defineProperty(process, 'arch', { value: '${cpu}' }); Object.defineProperty(process, 'platform', { value: '${platform}' });`;
    const { code: exit, stderr } = await setUp(bareClone(), {}, before(code));
    expect(stderr).toMatch(sentence);
    expect(exit).toBe(1);
  });

  it('asks for a newer Node', async () => {
    const { stderr, code } = await setUp(
      bareClone(),
      {},
      before(`Object.defineProperty(process, 'versions', { value: { node: '18.20.0' } });`),
    );
    expect(stderr).toMatch(/Node 18\.20\.0 is too old: install the newest Node 20, or a later one/);
    expect(code).toBe(1);
  });

  it('asks for pip where there is none', async () => {
    const { stderr, code } = await setUp(bareClone(), { PATH: pathWith('node') });
    expect(stderr).toMatch(/pip for Python 3 was not found.*sudo apt-get install python3-pip/);
    expect(code).toBe(1);
  });

  it('asks for npm where it cannot be started', async () => {
    const root = bareClone();
    rmSync(join(root, 'node_modules/.hybridmim-packages'));
    const { stderr, code } = await setUp(root, { PATH: pathWith('node') });
    expect(stderr).toMatch(
      /`npm install .*` could not be started: check the network and the npm registry settings/,
    );
    expect(code).toBe(1);
  });

  it('says how much disk it needs', async () => {
    const full = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'; fs.statfsSync = () => ({ bavail: 10, bsize: 4096 }); syncBuiltinESMExports();`;
    const { stderr, code } = await setUp(bareClone(), {}, before(full));
    expect(stderr).toMatch(/0\.0 GB are free under .*, but the TensorFlow runtime needs 2\.5 GB/);
    expect(code).toBe(1);
  });

  it('says that the wheel could not be had, from an index that lacks it', async () => {
    const { stderr, code } = await withIndex({}, (url) =>
      setUp(bareClone(), {
        PIP_INDEX_URL: url,
        PIP_EXTRA_INDEX_URL: '',
        PIP_RETRIES: '0',
        PIP_CONFIG_FILE: '/dev/null',
      }),
    );
    expect(stderr).toMatch(
      /the pinned wheel could not be downloaded whole; check the network and the pip index settings, then run `npm run setup` again/,
    );
    expect(code).toBe(1);
  });

  it('takes no wheel with another content, such as a download that was cut off, and leaves nothing half done', async () => {
    const name = 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl';
    const files = {
      '/simple/tensorflow-cpu/': `<a href="/${name}">${name}</a>`,
      [`/${name}`]: 'the beginning of a wheel',
    };
    const root = bareClone();
    const { stderr, code } = await withIndex(files, (url) =>
      setUp(root, {
        PIP_INDEX_URL: url,
        PIP_EXTRA_INDEX_URL: '',
        PIP_RETRIES: '0',
        PIP_CONFIG_FILE: '/dev/null',
      }),
    );
    expect(stderr).toMatch(/could not be downloaded whole/);
    expect(stderr).toMatch(/THESE PACKAGES DO NOT MATCH THE HASHES/);
    expect(code).toBe(1);
    expect(readable(join(root, 'node_modules/@tensorflow/tfjs-node-gpu/deps'))).toBe(false);
  });

  it('asks for a C++ compiler and for make', async () => {
    const root = cloneWithRuntime();
    expect((await setUp(root, { PATH: pathWith('node', 'make') })).stderr).toMatch(
      /no C\+\+ compiler was found: install one .*g\+\+ make/,
    );
    expect((await setUp(root, { PATH: pathWith('node', 'g++') })).stderr).toMatch(
      /`make` was not found: install it/,
    );
  });

  it('takes an installed library, and names what is missing of it', async () => {
    const { stderr, code } = await setUp(bareClone(), { HYBRIDMIM_TENSORFLOW: '/nowhere' });
    expect(stderr).toMatch(
      /HYBRIDMIM_TENSORFLOW=\/nowhere has no folder lib: name the folder that holds libtensorflow's lib and include/,
    );
    expect(code).toBe(1);
  });

  it('refuses a runtime and a flag that it does not know', async () => {
    expect((await setUp('.', {}, [], ['--runtime', 'rocm'])).stderr).toMatch(
      /--runtime is rocm; it takes cpu or cuda/,
    );
    expect((await setUp('.', {}, [], ['--runtimes', 'cpu'])).code).toBe(1);
  });
});

/** Runs `body` with a package index on this machine that has these files. */
async function withIndex<T>(
  files: Readonly<Record<string, string>>,
  body: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    const content = files[request.url ?? ''];
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': request.url?.endsWith('/') ? 'text/html' : 'application/octet-stream',
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  try {
    return await body(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/simple`);
  } finally {
    server.close();
  }
}

function readable(file: string): boolean {
  try {
    return readFileSync(file).length >= 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
