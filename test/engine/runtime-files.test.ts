import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../temporary-folder.js';

const run = promisify(execFile);

/** An install of the compiled module under test beside a bare tfjs package; returns the tfjs package. */
function install(root: string): string {
  for (const file of ['errors.js', 'plain-text.js', 'engine/runtime-files.js']) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(join('dist', file), join(root, file));
  }
  writeFileSync(join(root, 'package.json'), '{"type": "module"}');
  const tfjs = join(root, 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(tfjs, { recursive: true });
  writeFileSync(join(tfjs, 'package.json'), '{"name": "@tensorflow/tfjs-node-gpu", "version": "4.22.0"}');
  symlinkSync(resolve('node_modules/koffi'), join(root, 'node_modules/koffi'));
  return tfjs;
}

/** What `prepareRuntime` says in a process of its own, or the names of the libraries of `deps/cuda` that are mapped after it. */
async function prepared(root: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const script = `
    import { readFileSync } from 'node:fs';
    const { prepareRuntime } = await import('./engine/runtime-files.js');
    try {
      prepareRuntime();
      globalThis.gc(); // would close what nobody holds
      await new Promise((done) => setTimeout(done, 50));
      const mapped = readFileSync('/proc/self/maps', 'utf8').matchAll(/deps\\/cuda\\/.*\\/(lib\\w+)\\.so/g);
      console.log([...new Set([...mapped].map(([, name]) => name))].sort().join(' '));
    } catch (error) {
      console.log(error.message);
    }`;
  const flags = ['--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await run(process.execPath, flags, {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
  });
  return stdout.trim();
}

function place(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
}

describe('making the runtime loadable', () => {
  it('says what is missing, and the command that mends it', async () => {
    const root = temporaryFolder();
    const tfjs = install(root);
    expect(await prepared(root)).toBe(`no libtensorflow under ${tfjs}/deps/lib: run "npx hybridmim setup"`);
    place(join(tfjs, 'deps/lib/libtensorflow_cc.so.2'));
    expect(await prepared(root)).toBe(
      `tfjs's addon is missing, ${tfjs}/lib/napi-v8/tfjs_binding.node: run "npx hybridmim setup"`,
    );
    place(join(tfjs, 'lib/napi-v8/tfjs_binding.node'));
    expect(await prepared(root)).toBe('');
  });

  it('loads the libraries of the CUDA build by their paths, each after those that it needs, and holds them', async () => {
    const root = temporaryFolder();
    const tfjs = install(root);
    for (const file of ['deps/lib/libtensorflow_cc.so.2', 'lib/napi-v8/tfjs_binding.node'])
      place(join(tfjs, file));
    const library = (name: string) => join(tfjs, `deps/cuda/nvidia/${name}/lib/lib${name}.so.1`);
    const compiled = async (name: string, code: string, ...needs: string[]) => {
      place(library(name));
      writeFileSync(join(root, `${name}.cc`), code);
      await run('g++', [
        '-shared',
        '-fPIC',
        `-Wl,-soname,lib${name}.so.1`,
        '-o',
        library(name),
        join(root, `${name}.cc`),
        ...needs,
      ]);
    };
    await compiled('second', 'extern "C" int two() { return 2; }');
    await compiled(
      'first',
      'extern "C" int two(); extern "C" int three() { return two() + 1; }',
      library('second'),
    ); // comes first by name
    place(library('broken'));
    expect(await prepared(root)).toBe('libfirst libsecond');
    expect(await prepared(root, { HYBRIDMIM_SEARCH_PATH: '1' })).toBe(''); // the loader finds them itself
  });
});
