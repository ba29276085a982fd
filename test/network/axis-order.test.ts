import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  initialiseParameters,
  makeNetwork,
  type NetworkSettings,
  readSafetensors,
  readWeights,
  writeSafetensors,
  writeWeights,
} from '../../src/network/index.js';

const folder = mkdtempSync(join(tmpdir(), 'axis-order-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const channels = { inChannels: 1, outChannels: 2 };
const networks: NetworkSettings[] = [
  { name: 'unet', features: [2, 2, 2, 2, 2, 2], pools: [2, 2, 2, 2], dropout: 0 },
  { name: 'seg-res-net', initFilters: 2, blocksDown: [1, 1], blocksUp: [1], normGroups: 1, dropout: 0 },
  {
    name: 'unetr',
    imageSize: [16, 48, 32],
    featureSize: 1,
    hiddenSize: 4,
    mlpDim: 4,
    numHeads: 1,
    dropout: 0,
  },
];
const swin: NetworkSettings = {
  name: 'swin-unetr',
  featureSize: 12,
  depths: [1, 1, 1, 1],
  numHeads: [1, 1, 1, 1],
  window: [2, 3, 4],
  version: 1,
  merging: 'merging',
  dropout: 0,
};

/** A weights file as a version before 0.2 wrote it: its three spatial axes the other way round, and nothing said of them. */
async function earlierFile(settings: NetworkSettings, file: string): Promise<void> {
  const { specs } = makeNetwork(settings, channels);
  await writeWeights(file, initialiseParameters(specs, 5), specs);
  const { arrays } = await readSafetensors(file);
  const earlier = Object.fromEntries(
    specs.map(({ name, layout, shape }) => {
      const { shape: there, data } = arrays[name]!;
      if (typeof layout === 'object')
        return [name, { shape, data: reversed(data, 1, layout.positions.toReversed(), shape[2]!) }];
      if (there.length !== 5) return [name, arrays[name]!];
      const [outer, inner, ...spatial] = there as [number, number, number, number, number];
      return [
        name,
        { shape: [outer, inner, ...spatial.toReversed()], data: reversed(data, outer * inner, spatial, 1) },
      ];
    }),
  );
  await writeSafetensors(file, earlier, { format: 'pt', producer: 'hybridmim' });
}

/** [items, a, b, c, width] as [items, c, b, a, width]. */
function reversed(
  data: Float32Array,
  items: number,
  [a = 1, b = 1, c = 1]: readonly number[],
  width: number,
): Float32Array {
  const result = new Float32Array(data.length);
  let from = 0;
  for (let item = 0; item < items; item++)
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++)
        for (let k = 0; k < c; k++)
          for (let w = 0; w < width; w++)
            result[(((item * c + k) * b + j) * a + i) * width + w] = data[from++]!;
  return result;
}

describe('a weights file', () => {
  it('says that its axes are x, y, z', async () => {
    const file = join(folder, 'now.safetensors');
    const { specs } = makeNetwork(networks[0]!, channels);
    await writeWeights(file, initialiseParameters(specs, 1), specs);
    expect((await readSafetensors(file)).metadata).toMatchObject({ axisOrder: 'xyz' });
  });

  it.each(networks)('of $name that an earlier version wrote is turned round', async (settings) => {
    const file = join(folder, `${settings.name}.safetensors`);
    await earlierFile(settings, file);
    const { specs } = makeNetwork(settings, channels);
    const { values } = await readWeights(file, specs);
    expect(values).toEqual(initialiseParameters(specs, 5));
  });

  it('of a SwinUNETR that an earlier version wrote is refused in a sentence', async () => {
    const file = join(folder, 'swin.safetensors');
    await earlierFile(swin, file);
    await expect(readWeights(file, makeNetwork(swin, channels).specs)).rejects.toMatchObject({
      exitCode: 3,
      message:
        /was written by hybridmim before 0\.2, whose SwinUNETR took the axes of a scan in reverse.*train it again/,
    });
  });

  it('whose axes are of a kind unknown here is refused', async () => {
    const file = join(folder, 'other.safetensors');
    const { specs } = makeNetwork(networks[0]!, channels);
    await writeWeights(file, initialiseParameters(specs, 1), specs);
    await writeSafetensors(file, (await readSafetensors(file)).arrays, { axisOrder: 'yxz' });
    await expect(readWeights(file, specs)).rejects.toThrow(
      /says that its axes are "yxz", but this version knows "xyz" alone/,
    );
  });

  it('comes back bit for bit whatever the image size, and says nothing of axes where PyTorch wrote it', async () => {
    const sixteenths = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(sixteenths, fc.boolean(), async ([x, y, z], ofPyTorch) => {
        const { specs } = makeNetwork(
          { ...networks[2]!, imageSize: [16 * x, 16 * y, 16 * z] } as NetworkSettings,
          channels,
        );
        const values = initialiseParameters(specs, 2);
        const file = join(folder, 'round.safetensors');
        await writeWeights(file, values, specs);
        if (ofPyTorch) await writeSafetensors(file, (await readSafetensors(file)).arrays, { format: 'pt' });
        expect((await readWeights(file, specs)).values).toEqual(values);
      }),
      { numRuns: 8 },
    );
  });
});
