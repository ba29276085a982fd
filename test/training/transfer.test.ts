import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NamedArray } from '../../src/engine/index.js';
import {
  initialiseParameters,
  makeNetwork,
  type NetworkSettings,
  writeSafetensors,
  writeWeights,
} from '../../src/network/index.js';
import { transferredWeights } from '../../src/training/transfer.js';

const folder = mkdtempSync(join(tmpdir(), 'transfer-'));
const settings: NetworkSettings = {
  name: 'unet',
  features: [2, 3, 4, 5, 6, 2],
  pools: [2, 2, 2, 2],
  dropout: 0,
};
const network = makeNetwork(settings, { inChannels: 1, outChannels: 3 });
const pretrained = makeNetwork(settings, { inChannels: 1, outChannels: 1 });
const isEncoder = (name: string) => /^(conv_0|down_)/.test(name);
const arrays = initialiseParameters(pretrained.specs, 5);
/** Values of the network's parameters that `which` names. */
const valuesOf = (which: (name: string) => boolean): number =>
  network.specs
    .filter(({ name }) => which(name))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** A file of those parameters of the pre-trained network that `which` names, in the engine's layout, and of others as they are. */
async function fileOf(
  name: string,
  which: (name: string) => boolean,
  others: Readonly<Record<string, NamedArray>> = {},
): Promise<string> {
  const file = join(folder, `${name}.safetensors`);
  const specs = pretrained.specs.filter((spec) => which(spec.name));
  await writeWeights(file, Object.fromEntries(specs.map((spec) => [spec.name, arrays[spec.name]!])), specs);
  if (Object.keys(others).length === 0) return file;
  const { readSafetensors } = await import('../../src/network/index.js');
  await writeSafetensors(file, { ...(await readSafetensors(file)).arrays, ...others });
  return file;
}

describe('what fine-tuning takes from a file', () => {
  it('is encoder and decoder where it has both, but never the last layer', async () => {
    const head: NamedArray = { shape: [2], data: Float32Array.of(1, 2) };
    const file = await fileOf('whole', () => true, { 'pretext.number.bias': head });
    const { values, report } = await transferredWeights(file, network, settings);
    const last = (name: string) => name.startsWith('final_conv.');
    expect(Object.keys(values).sort()).toEqual(
      network.specs
        .map(({ name }) => name)
        .filter((name) => !last(name))
        .sort(),
    );
    for (const [name, { data }] of Object.entries(values)) expect(data).toEqual(arrays[name]!.data);
    expect(report).toEqual({
      schema: 1,
      file,
      encoder: { values: valuesOf(isEncoder), of: valuesOf(isEncoder) },
      decoder: {
        values: valuesOf((name) => !isEncoder(name) && !last(name)),
        of: valuesOf((name) => !isEncoder(name)),
      },
      fresh: ['final_conv.weight', 'final_conv.bias'],
      unused: expect.arrayContaining(['pretext.number.bias', 'final_conv.weight', 'final_conv.bias']),
      adapted: [],
    });
  });

  it('is the encoder where it has no decoder, which then starts at random', async () => {
    const { values, report } = await transferredWeights(
      await fileOf('encoder', isEncoder),
      network,
      settings,
    );
    expect(Object.keys(values).every(isEncoder)).toBe(true);
    expect(report.encoder).toEqual({ values: valuesOf(isEncoder), of: valuesOf(isEncoder) });
    expect(report.decoder).toEqual({ values: 0, of: valuesOf((name) => !isEncoder(name)) });
    expect(report.fresh).toEqual(network.specs.map(({ name }) => name).filter((name) => !isEncoder(name)));
  });

  it('is the encoder of a file that has both, where that is asked for', async () => {
    const file = await fileOf('both', () => true);
    const { values, report } = await transferredWeights(file, network, settings, 'encoder');
    expect(Object.keys(values).toSorted()).toEqual(
      network.specs
        .map(({ name }) => name)
        .filter(isEncoder)
        .toSorted(),
    );
    expect(report.encoder).toEqual({ values: valuesOf(isEncoder), of: valuesOf(isEncoder) });
    expect(report.decoder).toEqual({ values: 0, of: valuesOf((name) => !isEncoder(name)) });
    expect(report.fresh).toEqual(network.specs.map(({ name }) => name).filter((name) => !isEncoder(name)));
    expect(report.unused).toContain('upcat_1.convs.conv_0.conv.weight');
  });

  it('is refused where the file says that it was trained with settings that no shape of the encoder shows', async () => {
    const file = join(folder, 'other-pools.safetensors');
    const other = { ...settings, pools: [2, 2, 2, 1] as const, dropout: 0.1 };
    const specs = makeNetwork(other, { inChannels: 1, outChannels: 1 }).specs;
    const metadata = { network: JSON.stringify({ ...other, inChannels: 1, outChannels: 1 }) };
    await writeWeights(file, initialiseParameters(specs, 5), specs, metadata);
    await expect(transferredWeights(file, network, settings, 'encoder')).rejects.toMatchObject({
      exitCode: 2,
      message: `network.pools is [2,2,2,2], but the weights in ${file} were trained with [2,2,2,1]: set network.pools to that, or choose other weights`,
    });
    const same = makeNetwork(other, { inChannels: 1, outChannels: 3 });
    const { report } = await transferredWeights(file, same, { ...other, dropout: 0 }, 'encoder');
    expect(report.encoder.values).toBe(report.encoder.of);
  });

  it('is nothing where a part of the encoder is missing', async () => {
    const file = await fileOf('partial', (name) => name !== 'down_2.convs.conv_0.conv.weight');
    await expect(transferredWeights(file, network, settings)).rejects.toMatchObject({
      exitCode: 3,
      message: /lacks the parameter down_2.convs.conv_0.conv.weight/,
    });
  });

  it('has its first weights repeated and scaled for images of more channels', async () => {
    const four = makeNetwork(settings, { inChannels: 4, outChannels: 3 });
    const { values, report } = await transferredWeights(await fileOf('channels', () => true), four, settings);
    const name = 'conv_0.conv_0.conv.weight';
    expect(report.adapted).toEqual([{ name, from: 1, to: 4 }]);
    const [before, after] = [arrays[name]!, values[name]!]; // [3, 3, 3, in, out]
    expect(after.shape).toEqual([3, 3, 3, 4, 2]);
    after.data.forEach((value, i) => {
      const [tap, out] = [Math.floor(i / 8), i % 2];
      expect(value).toBeCloseTo(before.data[tap * 2 + out]! / 4, 6);
    });
  });
});
