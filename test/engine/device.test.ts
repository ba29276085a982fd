import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { expect, it } from 'vitest';
import { setGpuArithmetic } from '../../src/engine/c-api.js';
import { deviceSection, useDevice } from '../../src/engine/device-settings.js';
import {
  compile,
  createState,
  devices,
  listDevices,
  outOfMemory,
  type StepFunction,
  tf,
} from '../../src/engine/index.js';
import { findRuntimeLibrary } from '../../src/engine/runtime-files.js';
import { longTests } from '../long-tests.js';

const settings = (given: object) => deviceSection.parse(given);
const sum: StepFunction = () => ({ y: tf.scalar(1).add(tf.scalar(2)) });

// The settings of a process: what comes first here must stay first.
it('a process may choose its device until TensorFlow looked for devices, and no other one afterwards', () => {
  useDevice(settings({ use: 'gpu' }));
  expect(() => devices()).toThrow(/^device\.use is gpu, but TensorFlow sees none: "hybridmim doctor" says/);
  useDevice(settings({ use: 'gpu' }));
  expect(() => useDevice(settings({ use: 'cpu' }))).toThrow(
    /^device is \{"use":"cpu".*\}, but this program computes with \{"use":"gpu".*\} already: give all runs/,
  );
  for (const engine of ['graph', 'eager'] as const)
    expect(() => createState({}, { engine })).toThrow(/^device\.use is gpu/);
});

it('a device that is named runs every node, or says which one has no kernel there', async () => {
  const target = { kind: 'cpu', cores: 1, avx512: true, bfloat16: 'native' } as const;
  const options = { name: 'sum', inputs: {}, precision: 'float32' } as const;
  const onCpu = createState({}, { engine: 'graph', target: { ...target, device: 'CPU:0' } });
  expect(await compile(sum, { ...options, state: onCpu }).run({})).toEqual({ y: Float32Array.of(3) });
  onCpu.dispose();
  const absent = createState({}, { engine: 'graph', target: { ...target, device: 'CPU:7' } });
  await expect(compile(sum, { ...options, state: absent }).run({})).rejects.toThrow(/CPU:7/);
  absent.dispose();
  const onGpu = createState({}, { engine: 'graph', target: { ...target, device: 'GPU:0' } });
  await expect(compile(sum, { ...options, state: onGpu }).run({})).rejects.toThrow(/GPU:0/);
  const product: StepFunction = () => ({ y: tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])) });
  expect(() => compile(product, { ...options, state: onGpu })).toThrow(
    /this TensorFlow has no kernel for the op BatchMatMulV2 on a GPU/,
  );
  onGpu.dispose();
});

it('lists the devices of this machine', () => {
  expect(listDevices().map(({ name }) => name)).toEqual(['CPU:0']);
});

it('switches TensorFloat-32 and deterministic ops in the library', () => {
  const library = koffi.load(findRuntimeLibrary());
  const tensorFloat32 = library.func('_ZN3tsl33tensor_float_32_execution_enabledEv', 'bool', []);
  const deterministic = library.func('_ZN3tsl21OpDeterminismRequiredEv', 'bool', []);
  expect([tensorFloat32(), deterministic()]).toEqual([true, false]); // as TensorFlow begins
  for (const state of [
    { tensorFloat32: false, deterministic: true },
    { tensorFloat32: true, deterministic: false },
    { tensorFloat32: false, deterministic: false },
  ]) {
    setGpuArithmetic(state);
    expect({ tensorFloat32: tensorFloat32(), deterministic: deterministic() }).toEqual(state);
  }
});

// TensorFlow waits ten seconds for memory before it gives up.
it.runIf(longTests)('tells a tensor that finds no memory from other failures', async () => {
  const target = { kind: 'cpu', cores: 1, avx512: true, bfloat16: 'native' } as const;
  const state = createState({}, { engine: 'graph', target });
  // 2^60 bytes, more than can be addressed.
  const tooLarge: StepFunction = ({ x }) => ({ y: tf.tile(x!.reshape([1, 1]), [2 ** 30, 2 ** 28]).max() });
  const inputs = { x: { shape: [], dtype: 'float32' } } as const;
  const step = compile(tooLarge, { name: 'too large', inputs, state, precision: 'float32' });
  await expect(step.run({ x: Float32Array.of(1) })).rejects.toMatchObject({ facts: { found: outOfMemory } });
  state.dispose();
});

it('a program that loads TensorFlow and computes nothing ends as it should', async () => {
  const load = "await import('./dist/engine/index.js')";
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', load]);
  expect(await run).toEqual({ stdout: '', stderr: '' });
});
