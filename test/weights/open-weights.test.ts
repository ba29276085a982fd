import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError, UsageError } from '../../src/errors.js';
import { labelOnGrid, labelScheme, outputChannels } from '../../src/inference/index.js';
import {
  initialiseParameters,
  makeNetwork,
  type NetworkSettings,
  writeWeights,
} from '../../src/network/index.js';
import { voxelCount } from '../../src/volume/index.js';
import { openForeignWeights } from '../../src/weights/index.js';
import { numberedVolume } from '../inference/references.js';
import { largestDifference } from '../volume/references.js';

const folder = mkdtempSync(join(tmpdir(), 'open-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny: NetworkSettings = { name: 'unet', features: [4, 4, 4, 4, 8, 4], pools: [2, 2, 2, 2], dropout: 0 };
const organs = labelScheme({ 1: 'liver', 2: 'tumour' });
const preparation = { spacing: null, intensity: 'none', windowHu: [-1000, 1000], foregroundThreshold: null };
const windows = ['inference.window=[16,16,16]', 'threads=1'];
let files = 0;

/** A file of random weights. */
async function weights(
  seed: number,
  settings = tiny,
  scheme = organs,
  preprocessing: object = preparation,
): Promise<string> {
  const file = join(folder, `${files++}.safetensors`);
  const { specs } = makeNetwork(settings, { inChannels: 1, outChannels: outputChannels(scheme) });
  const metadata = { scheme: JSON.stringify(scheme), preprocessing: JSON.stringify(preprocessing) };
  await writeWeights(file, initialiseParameters(specs, seed), specs, metadata);
  return file;
}

const refusal = async (
  weightFiles: readonly string[],
  network = 'unet',
  set: readonly string[] = windows,
): Promise<UsageError> => {
  const error = await openForeignWeights({ files: weightFiles, network, set }).then(
    (opened) => opened.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UsageError);
  return error as UsageError;
};

describe('several weights', () => {
  it('predict the mean of their softmax probabilities', async () => {
    const [a, b] = [await weights(1), await weights(2)];
    const volume = numberedVolume([20, 18, 24], 1);
    const voxels = voxelCount(volume);
    const probabilities = async (...weightFiles: string[]) => {
      const opened = await openForeignWeights({ files: weightFiles, network: 'unet', set: windows });
      const { data } = await opened.predictor.logits(volume);
      opened.close();
      const exponentials = data.map(Math.exp);
      const sums = Float64Array.from({ length: voxels }, (_, i) =>
        [0, 1, 2].reduce((sum, c) => sum + exponentials[c * voxels + i]!, 0),
      );
      return exponentials.map((value, i) => value / sums[i % voxels]!) as Float32Array;
    };
    const [ofA, ofB, ofBoth] = [await probabilities(a), await probabilities(b), await probabilities(a, b)];
    expect(largestDifference(ofA, ofB)).toBeGreaterThan(0.05);
    expect(
      largestDifference(
        ofBoth,
        ofA.map((p, i) => (p + ofB[i]!) / 2),
      ),
    ).toBeLessThan(1e-6);
  });

  it('are refused in one sentence where classes, network or preparation differ', async () => {
    const first = await weights(1);
    const wider: NetworkSettings = { ...tiny, features: [4, 4, 4, 4, 16, 4] };
    for (const [other, what] of [
      [await weights(2, tiny, labelScheme({ 1: 'liver', 2: 'vessel' })), 'set of classes'],
      [await weights(2, wider), 'network'],
      [await weights(2, tiny, organs, { ...preparation, spacing: [1, 1, 1] }), 'preparation'],
    ] as const) {
      const { message } = await refusal([first, await weights(3), other]);
      expect(message).toContain(
        `${other} has another ${what} than ${first}, so that they cannot be averaged`,
      );
    }
  });
});

describe('what weights say of themselves', () => {
  const { specs } = makeNetwork(tiny, { inChannels: 1, outChannels: 3 });
  const opening = async (metadata: Readonly<Record<string, string>>) => {
    const file = join(folder, `${files++}.safetensors`);
    await writeWeights(file, initialiseParameters(specs, 1), specs, metadata);
    return openForeignWeights({ files: [file], network: 'unet', set: windows });
  };
  const said = (scheme: unknown) => ({
    scheme: JSON.stringify(scheme),
    preprocessing: JSON.stringify(preparation),
  });

  it.each([
    ['fewer names than outputs', { ...organs, names: ['liver'], values: [[1]] }, /1 classes, .* but has 3/],
    ['more names than outputs', labelScheme({ 1: 'a', 2: 'b', 3: 'c' }), /3 classes, .* but has 3/],
    ['more names than values', { ...organs, values: [[1]] }, /of its scheme what cannot be \(values\)/],
    ['a name twice', { ...organs, names: ['a', 'a'] }, /\(names\): each must stand once/],
    ['an empty name', { ...organs, names: ['', 'a'] }, /of its scheme what cannot be \(names\.0\)/],
    ['no class', { ...organs, names: [], values: [] }, /of its scheme what cannot be \(names\)/],
    ['a class without a value', { ...organs, values: [[1], []] }, /\(values\.1\)/],
    ['the background as a class', { ...organs, values: [[0], [1]] }, /\(values\.0\.0\)/],
    ['a value below 0', { ...organs, values: [[1], [-1]] }, /\(values\.1\.0\)/],
    ['a value that no label holds', { ...organs, values: [[1], [2 ** 32]] }, /\(values\.1\.0\)/],
    ['a value between two', { ...organs, values: [[1], [1.5]] }, /\(values\.1\.0\)/],
    ['another kind', { ...organs, kind: 'sorts' }, /\(kind\)/],
    ['no scheme at all', 7, /of its scheme what cannot be/],
  ])('is refused with %s', async (_, scheme, sentence) => {
    const error = await opening(said(scheme)).then(
      (opened) => opened.close(),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ message: sentence, facts: { field: 'scheme' } });
  });

  it.each([
    ['that is no JSON', '{'],
    ['with a spacing below 0', JSON.stringify({ ...preparation, spacing: [1, -1, 1] })],
    ['of a kind that nobody knows', JSON.stringify({ ...preparation, intensity: 'other' })],
  ])('is refused with a preparation %s', async (_, preprocessing) => {
    await expect(opening({ ...said(organs), preprocessing })).rejects.toThrow(
      /says of its preprocessing what cannot be/,
    );
  });

  it('may have label values as large as a label can hold', async () => {
    const values = { 1000000000: 'a', 4294967295: 'b' };
    const { scheme, close } = await opening(said(labelScheme(values)));
    close();
    const logits = { ...numberedVolume([3, 1, 1], 3), data: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) };
    expect([...labelOnGrid(logits, logits, scheme).data]).toEqual([0, 1_000_000_000, 4_294_967_295]);
  });
});

describe('windows of a network of one image size', () => {
  const settings: NetworkSettings = {
    name: 'unetr',
    imageSize: [32, 32, 32],
    featureSize: 2,
    hiddenSize: 12,
    mlpDim: 12,
    numHeads: 2,
    dropout: 0,
  };

  it('are of that size unless said otherwise', async () => {
    const opened = await openForeignWeights({
      files: [await weights(1, settings)],
      network: 'unetr',
      set: ['network.numHeads=2', 'threads=1'],
    });
    const { size } = await opened.predictor.logits(numberedVolume([32, 32, 33], 1));
    opened.close();
    expect(size).toEqual([32, 32, 33]);
  });

  it('of another size are refused in one sentence before anything is computed', async () => {
    const { message } = await refusal([await weights(1, settings)], 'unetr', [
      'network.numHeads=2',
      'inference.window=[32,48,32]',
    ]);
    expect(message).toBe(
      'inference.window is [32,48,32], but this unetr takes images of [32,32,32] voxels alone: set inference.window to that',
    );
  });
});
