import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type NamedArrays, tf } from '../../src/engine/index.js';
import {
  initialiseParameters,
  makeNetwork,
  networkSection,
  readSafetensors,
  writeSafetensors,
  writeWeights,
} from '../../src/network/index.js';
import { predictScans } from '../../src/prediction/index.js';
import { axisAlignedAffine, readVolume, type Volume, writeNifti } from '../../src/volume/index.js';
import { exportWeights, importWeights, inspectNetwork, openForeignWeights } from '../../src/weights/index.js';
import { monaiState, readInterchangeCase, sameArrays } from '../network/interchange.js';

const folder = mkdtempSync(join(tmpdir(), 'convert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.safetensors`);

/** MONAI's state dict of a reference, as a file. */
async function monaiFile(
  name: string,
  change: (state: NamedArrays) => NamedArrays = (state) => state,
): Promise<string> {
  const file = newFile();
  await writeSafetensors(file, change(readInterchangeCase(name).state));
  return file;
}
const setOf = (name: string) =>
  Object.entries(readInterchangeCase(name).facts.settings).map(
    ([key, value]) => `network.${key}=${JSON.stringify(value)}`,
  );
const importing = { part: 'all', set: [], seed: 3 } as const;
const renamed = (state: NamedArrays, change: (name: string) => string | undefined): NamedArrays =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, array]) => {
      const other = change(name);
      return other === undefined ? [] : [[other, array]];
    }),
  );

describe.each(['seg-res-net-4', 'unetr-4', 'swin-unetr-4'] as const)('weights of %s', (name) => {
  const { facts } = readInterchangeCase(name);
  const network = facts.network as 'seg-res-net';

  it("come in from MONAI and go out again as the same state dict, its settings read off the shapes or set, without pre-training's heads", async () => {
    const from = await monaiFile(name);
    const [own, back] = [newFile(), newFile()];
    const { report } = await importWeights({ ...importing, network, from, to: own, set: setOf(name) });
    expect(report.fresh).toEqual([]);
    expect(report.loaded).toHaveLength(Object.keys(facts.gradients).length);
    expect(report.unused.every((unused) => /norm_cross_attn|relative_position_index/.test(unused))).toBe(
      true,
    );
    const { arrays, metadata } = await readSafetensors(own);
    expect(JSON.parse(metadata.network!)).toMatchObject({
      name: network,
      inChannels: 4,
      outChannels: 3,
      ...facts.settings,
    });
    await writeSafetensors(
      own,
      { ...arrays, 'pretext.number.weight': { shape: [1], data: Float32Array.of(1) } },
      metadata,
    );
    await exportWeights({
      network,
      from: own,
      to: back,
      part: 'all',
      set: setOf(name),
      format: 'safetensors',
      size: [32, 32, 32],
    });
    expect(sameArrays((await readSafetensors(back)).arrays, (await readSafetensors(from)).arrays)).toBe(true);
    expect(readFileSync(back).includes('"I64"')).toBe(network.startsWith('swin'));
  });

  it('are refused where one is missing, has another shape, or belongs to another network, by name', async () => {
    const wrong = async (change: (state: NamedArrays) => NamedArrays) => {
      const options = {
        ...importing,
        network,
        from: await monaiFile(name, change),
        to: newFile(),
        set: setOf(name),
      };
      return ((await importWeights(options).catch((error: unknown) => error)) as Error).message;
    };
    const first = Object.keys(facts.gradients)[5]!;
    expect(await wrong((state) => renamed(state, (of) => (of === first ? undefined : of)))).toContain(
      `lacks the parameter ${first}`,
    );
    expect(
      await wrong((state) => ({ ...state, [first]: { shape: [1, 2, 3], data: new Float32Array(6) } })),
    ).toMatch(/has shape \[1,2,3\], but the network's is/);
    expect(
      await wrong((state) => ({ ...state, 'decoder9.weight': { shape: [1], data: new Float32Array(1) } })),
    ).toContain('holds a parameter decoder9.weight');
    const others = await monaiFile(name === 'unetr-4' ? 'seg-res-net-4' : 'unetr-4');
    await expect(importWeights({ ...importing, network, from: others, to: newFile() })).rejects.toThrow(
      /lacks the parameter .* it is no file of a/,
    );
  });
});

describe('published variants of SwinUNETR', { timeout: 120_000 }, () => {
  const name = 'swin-unetr-1';
  const swinOnly = (prefix: string, fc: boolean) => (state: NamedArrays) =>
    renamed(state, (of) => {
      if (!of.startsWith('swinViT.')) return undefined;
      const bare = prefix + of.slice('swinViT.'.length);
      return fc ? bare.replace('mlp.linear', 'mlp.fc') : bare;
    });
  const encoderOf = (from: string, extra: object = {}) =>
    importWeights({
      ...importing,
      network: 'swin-unetr',
      from,
      to: newFile(),
      part: 'encoder',
      inChannels: 1,
      outChannels: 5,
      set: setOf(name),
      ...extra,
    });

  it.each([
    ['module.', true],
    ['encoder.', false],
    ['module.encoder.', true],
    ['backbone.', false],
    ['module.backbone.', true],
    ['module.backbone.swin_vit.', true],
    ['swin_vit.', false],
    ['model.network.encoder.', false],
    ['module.swinViT.', false],
    ['', true],
  ])('fit with "%s" before every name and fc for linear: %s', async (prefix, fc) => {
    const { state } = readInterchangeCase(name);
    const to = newFile();
    const { report } = await encoderOf(await monaiFile(name, swinOnly(prefix, fc)), { to });
    expect(report.loaded.every((of) => of.startsWith('swinViT.'))).toBe(true);
    expect(report.fresh.every((of) => !of.startsWith('swinViT.'))).toBe(true);
    const { arrays } = await readSafetensors(to);
    const taken = (all: NamedArrays) => Object.fromEntries(report.loaded.map((of) => [of, all[of]!]));
    expect(sameArrays(taken(arrays), taken(state))).toBe(true);
    expect(report.loaded.length + report.fresh.length).toBe(Object.keys(arrays).length);
  });

  it('with rotation heads and the like are loaded without them, and the report names them', async () => {
    const withHead = (state: NamedArrays) => ({
      ...swinOnly('module.', true)(state),
      'module.rotation_head.weight': { shape: [1], data: new Float32Array(1) },
    });
    const file = await monaiFile(name, withHead);
    await expect(encoderOf(file)).rejects.toThrow(
      /holds a parameter module\.rotation_head\.weight, .* leaves them out with --let-go module\.rotation_head/,
    );
    const { report } = await encoderOf(file, { letGo: ['module.rotation_head'] });
    expect(report.unused.filter((of) => !of.includes('relative_position_index'))).toEqual([
      'module.rotation_head.weight',
    ]);
    await expect(encoderOf(file, { letGo: ['module.rotation_head', 'mask_token'] })).rejects.toThrow(
      /--let-go mask_token: .* has no parameter/,
    );
  });

  it('whose stages are nested once more, as in ssl_pretrained_weights, are taken, and its mask token and norm only let go by name', async () => {
    const nested = (state: NamedArrays) => ({
      ...renamed(swinOnly('encoder.', true)(state), (of) => of.replace(/(layers\d\.0)\./, '$1.0.')),
      'encoder.mask_token': { shape: [1], data: new Float32Array(1) },
      'encoder.norm.weight': { shape: [1], data: new Float32Array(1) },
    });
    const file = await monaiFile(name, nested);
    await expect(encoderOf(file)).rejects.toThrow(/encoder\.mask_token and 1 more/);
    const to = newFile();
    const { report } = await encoderOf(file, { to, letGo: ['encoder.mask_token', 'encoder.norm'] });
    expect(report.loaded).toHaveLength(
      Object.keys(readInterchangeCase(name).state).filter((of) => /^swinViT.*(?<!index)$/.test(of)).length,
    );
  });

  it('of version 2 bring their residual convolutions with them, and a network of version 1 refuses those', async () => {
    const v2 = 'swin-unetr-v2';
    const { state, network } = readInterchangeCase(v2);
    const to = newFile();
    const from = await monaiFile(v2, swinOnly('module.', true));
    const channels = { inChannels: 2, outChannels: 5 };
    const { report } = await encoderOf(from, {
      to,
      set: ['network.window=[3,4,5]', 'network.merging=mergingv2'],
      ...channels,
    });
    expect(report.loaded.filter((of) => of.includes('layers1c'))).toHaveLength(2);
    expect(report.loaded).toEqual(
      network.specs.filter((spec) => spec.name.startsWith('swinViT.')).map((spec) => spec.name),
    );
    const { arrays } = await readSafetensors(to);
    const head = 'swinViT.layers3c.0.layer.conv2.conv.weight';
    expect(sameArrays({ [head]: arrays[head]! }, { [head]: state[head]! })).toBe(true);
    await expect(
      encoderOf(from, { set: ['network.window=[3,4,5]', 'network.version=1'], ...channels }),
    ).rejects.toThrow(
      /holds a parameter module\.layers1c\.0\.layer\.conv1\.conv\.weight and \d more, which this network lacks/,
    );
  });

  it('that hold a parameter under two names are refused, and so is an index of another window', async () => {
    const twice = (state: NamedArrays) => ({
      ...swinOnly('module.', true)(state),
      ...swinOnly('', false)(state),
    });
    await expect(encoderOf(await monaiFile(name, twice))).rejects.toThrow(
      /holds both .* which are the same parameter swinViT/,
    );
    const index = 'swinViT.layers1.0.blocks.0.attn.relative_position_index';
    const other = (state: NamedArrays) => ({
      ...state,
      [index]: {
        ...state[index]!,
        data: state[index]!.data.map((value, i) => (i === 7 ? value + 1 : value)),
      },
    });
    await expect(encoderOf(await monaiFile(name, other))).rejects.toThrow(
      /relative_position_index is not that of this network's settings/,
    );
  });

  it('are fitted to four channels so that four equal ones give what the one gave', async () => {
    const { network, facts, state: monai, images } = readInterchangeCase(name);
    const to = newFile();
    const { report } = await importWeights({
      ...importing,
      network: 'swin-unetr',
      from: await monaiFile(name),
      to,
      inChannels: 4,
      set: setOf(name),
    });
    expect(report.adapted.map(({ name: of, from, to: channels }) => [of, from, channels])).toEqual(
      network.firstLayers.map((of) => [of, 1, 4]),
    );
    const four = (await readSafetensors(to)).arrays['swinViT.patch_embed.proj.weight']!;
    const one = monai['swinViT.patch_embed.proj.weight']!;
    expect(four.shape).toEqual([12, 4, 2, 2, 2]);
    for (const at of [0, 9, 33])
      expect(four.data[at]).toBeCloseTo(one.data[Math.floor(at / 32) * 8 + (at % 8)]! / 4, 7);
    expect(images.length).toBe(facts.shape.reduce((a, b) => a * b, 1));
  });

  it('get a random last layer for another number of classes, and the report says so', async () => {
    const options = {
      ...importing,
      network: 'swin-unetr',
      from: await monaiFile(name),
      to: newFile(),
      outChannels: 7,
      set: setOf(name),
    } as const;
    expect((await importWeights(options)).report.fresh).toEqual([
      'out.conv.conv.weight',
      'out.conv.conv.bias',
    ]);
  });
});

describe('a SavedModel', () => {
  const cases = [
    ['seg-res-net', { initFilters: 8, blocksDown: [1, 1], blocksUp: [1], normGroups: 4 }, [12, 20, 16]],
    ['unet', { features: [4, 6, 8, 10, 12, 5] }, [16, 20, 37]],
    [
      'unetr',
      { imageSize: [16, 48, 32], featureSize: 4, hiddenSize: 24, mlpDim: 40, numHeads: 3 },
      [16, 48, 32],
    ],
    [
      'swin-unetr',
      { featureSize: 12, depths: [1, 2, 1, 1], numHeads: [3, 3, 6, 12], window: [3, 5, 4] },
      [32, 64, 96],
    ],
  ] as const;

  it.each(cases)(
    'of %s, fed the array [1, x, y, z, 1] of a file, gives the logits that predict writes for that file',
    async (name, given, size) => {
      const settings = networkSection.parse({ name, ...given });
      const network = makeNetwork(settings, { inChannels: 1, outChannels: 3 });
      const [x, y, z] = size;
      const values = Float32Array.from({ length: x * y * z }, (_, i) => Math.sin(i * i) + ((7 * i) % 11) / 5);
      const scan: Volume = {
        size,
        spacing: [1, 1.5, 2],
        affine: axisAlignedAffine([1, 1.5, 2]),
        channels: 1,
        data: values,
      };
      const [from, to, scanFile, out] = [
        newFile(),
        join(folder, `saved-${name}`),
        join(folder, `${name}.nii`),
        join(folder, `${name}-label.nii`),
      ];
      await writeWeights(from, initialiseParameters(network.specs, 4), network.specs);
      await writeNifti(scanFile, scan);
      const set = Object.entries(given).map(([key, value]) => `network.${key}=${JSON.stringify(value)}`);

      const opened = await openForeignWeights({
        files: [from],
        network: name,
        preset: 'none',
        set: [...set, `inference.window=[${size}]`],
      });
      await predictScans({ opened, input: [scanFile], out, withLogits: true });
      opened.close();
      const expected = await readVolume(out.replace('.nii', '_logits.nii.gz'));

      await exportWeights({ network: name, from, to, part: 'all', set, format: 'saved-model', size });
      const model = await tf.node.loadSavedModel(to, ['serve'], 'serving_default');
      const images = tf.tensor(values, [1, z, y, x, 1]).transpose([0, 3, 2, 1, 4]); // a file has x fastest
      const served = model.predict({ images } as never) as unknown as Record<
        string,
        { shape: number[]; dataSync(): Float32Array }
      >;
      const [{ shape }, found] = [served.logits!, served.logits!.dataSync()];
      model.dispose();
      expect(shape).toEqual([1, x, y, z, 3]);
      let [difference, largest] = [0, 0];
      for (let i = 0; i < found.length; i++) {
        const [c, voxel] = [i % 3, Math.floor(i / 3)]; // z fastest
        const [ix, iy, iz] = [Math.floor(voxel / (y * z)), Math.floor(voxel / z) % y, voxel % z];
        const there = expected.data[((c * z + iz) * y + iy) * x + ix]!;
        difference = Math.max(difference, Math.abs(found[i]! - there));
        largest = Math.max(largest, Math.abs(there));
      }
      expect(difference / largest).toBeLessThan(2e-5); // another session rewrites the graph in its own way
      const facts = JSON.parse(readFileSync(join(to, 'assets.extra', 'hybridmim.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      expect(facts).toMatchObject({
        schema: 1,
        axisOrder: 'xyz',
        window: [...size],
        network: { name, inChannels: 1, outChannels: 3 },
      });
    },
  );
});

describe('weights inspect', () => {
  it("counts SwinUNETR's parameters and a convolution's multiply-adds", () => {
    const swin = inspectNetwork({
      network: 'swin-unetr',
      set: ['network.featureSize=48'],
      inChannels: 1,
      outChannels: 14,
      size: [64, 64, 64],
    });
    expect(swin.parameters).toBe(62_187_296);
    expect(swin.layers.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(swin.parameters);
    const small = (classes: number) =>
      inspectNetwork({
        network: 'seg-res-net',
        set: [],
        inChannels: 1,
        outChannels: classes,
        size: [32, 16, 24],
      }).multiplyAdds;
    expect(small(5) - small(2)).toBe(3 * 8 * 32 * 16 * 24); // each class is a sum of 8 channels a voxel
    expect(small(2)).toBeGreaterThan(27 * (1 + 4 * 8) * 8 * 32 * 16 * 24); // the finest level's convolutions alone
  });

  it('holds every constant of MONAI with its shape', () => {
    const settings = networkSection.parse({ name: 'swin-unetr', featureSize: 12, window: [2, 3, 4] });
    const { constants } = makeNetwork(settings, { inChannels: 1, outChannels: 2 });
    const state = monaiState(
      { [constants[0]!.name]: constants[0]!.shape },
      makeNetwork(settings, { inChannels: 1, outChannels: 2 }),
    );
    expect(Object.values(state)[0]!.shape).toEqual([24, 24]);
  });
});

describe('hostile files', () => {
  const withHeader = (header: object, data = Buffer.alloc(8)) => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const file = newFile();
    writeFileSync(file, Buffer.concat([length, json, data]));
    return file;
  };
  const entry = (begin: number, end: number, extra: object = {}) => ({
    dtype: 'F32',
    shape: [1],
    data_offsets: [begin, end],
    ...extra,
  });
  const refusal = async (file: string) => {
    const error = (await importWeights({ ...importing, network: 'unet', from: file, to: newFile() }).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(error).toMatchObject({ exitCode: 3 });
    expect(error.message).not.toContain('\n');
    return error.message;
  };

  it('with offsets outside the file, that overlap, run backwards or leave a gap are refused', async () => {
    expect(await refusal(withHeader({ a: entry(0, 4), b: entry(4, 4e12, { shape: [1e12 - 1] }) }))).toMatch(
      /ends at byte 4000000000000 of the data, but there are 8/,
    );
    expect(await refusal(withHeader({ a: entry(0, 4), b: entry(0, 4) }))).toMatch(
      /begins at byte 0 of the data, but the one before it ends at 4/,
    );
    expect(await refusal(withHeader({ a: entry(8, 4) }))).toMatch(/takes 4 bytes, but has -4/);
    expect(await refusal(withHeader({ a: entry(4, 8) }))).toMatch(
      /begins at byte 4 of the data, but the one before it ends at 0/,
    );
    expect(await refusal(withHeader({ a: entry(-4, 0) }))).toMatch(/the entry of a is not one of/);
  });

  it('with a giant header, a shape beyond all numbers, an unknown type or a name of the language are refused', async () => {
    const giant = newFile();
    writeFileSync(
      giant,
      Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), Buffer.alloc(16)]),
    );
    expect(await refusal(giant)).toMatch(
      /header says it is 9223372036854775807|header says it is 9223372036854776000 bytes long/,
    );
    expect(await refusal(withHeader({ a: entry(0, 8, { shape: [2 ** 31, 2 ** 31, 2 ** 31] }) }))).toMatch(
      /takes .* bytes, but has 8/,
    );
    expect(await refusal(withHeader({ a: entry(0, 8, { dtype: 'PICKLE' }) }))).toMatch(/is of type PICKLE/);
    expect(await refusal(withHeader({ a: entry(0, 8, { shape: [1.5] }) }))).toMatch(
      /the entry of a is not one of/,
    );
    const polluting = newFile();
    const json = Buffer.from('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(polluting, Buffer.concat([length, json, Buffer.alloc(8)]));
    expect(await refusal(polluting)).toBeTruthy();
    expect(({} as { dtype?: string }).dtype).toBeUndefined();
  });
});
