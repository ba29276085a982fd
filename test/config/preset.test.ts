import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readPreset } from '../../src/config/index.js';

const folder = mkdtempSync(join(tmpdir(), 'preset-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const written = (content: unknown): string => {
  const file = join(folder, `${files++}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
const refusal = async (path: string): Promise<string> => {
  const error = (await readPreset(path).catch((thrown: unknown) => thrown)) as Error & { exitCode: number };
  expect([2, 3]).toContain(error.exitCode);
  expect(error.message).not.toContain('\n');
  return error.message;
};

describe('a preset file', () => {
  it('changes nothing that it does not name', async () => {
    expect(await readPreset(written({}))).toEqual({
      orientation: 'RAS',
      spacing: null,
      intensity: 'none',
      foregroundThreshold: null,
      inference: {},
      network: {},
    });
  });

  it('is refused by the key that is wrong', async () => {
    expect(await refusal(written({ intensity: 'ct-window' }))).toMatch(/windowHu.*is missing/);
    expect(await refusal(written({ spacng: [1, 1, 1] }))).toMatch(/spacng/);
    expect(await refusal(written({ spacing: [1, 0, 1] }))).toMatch(/spacing/);
    expect(await refusal(written({ orientation: 'LPS' }))).toMatch(/orientation/);
    expect(await refusal(written({ classes: { 1: 'a' }, regions: { b: [1] } }))).toMatch(/regions/);
    expect(await refusal(written('not JSON'))).toMatch(/is no JSON object/);
    expect(await refusal(join(folder, 'nowhere.json'))).toMatch(/nowhere\.json is neither none, ct or mr/);
  });
});

describe("a MONAI bundle's folder", () => {
  const load = { _target_: 'LoadImaged', keys: 'image' };
  const window = {
    _target_: 'ScaleIntensityRanged',
    keys: 'image',
    a_min: -57,
    a_max: 164,
    b_min: 0,
    b_max: 1,
    clip: true,
  };
  const softmax = {
    _target_: 'Compose',
    transforms: [{ _target_: 'Activationsd', keys: 'pred', softmax: true }],
  };
  const whole = {
    sizes: { roi: [96, 64, 32] },
    network_def: { _target_: 'SwinUNETR', in_channels: 1 },
    preprocessing: {
      _target_: 'Compose',
      transforms: [
        load,
        { _target_: 'Orientationd', axcodes: 'RAS' },
        { _target_: 'Spacingd', pixdim: [1.5, 1.5, 2] },
        window,
        { _target_: 'EnsureTyped' },
      ],
    },
    inferer: { _target_: 'SlidingWindowInferer', roi_size: '@sizes#roi', overlap: 0.6 },
    postprocessing: softmax,
  };
  const names = {
    network_data_format: { outputs: { pred: { channel_def: { 0: 'background', 1: 'spleen', 2: 'liver' } } } },
  };
  const bundle = (changed: object = {}, metadata: object = names): string => {
    const path = join(folder, `bundle-${files++}`);
    mkdirSync(join(path, 'configs'), { recursive: true });
    writeFileSync(join(path, 'configs', 'inference.json'), JSON.stringify({ ...whole, ...changed }));
    writeFileSync(join(path, 'configs', 'metadata.json'), JSON.stringify(metadata));
    return path;
  };
  const preparedBy = (...transforms: object[]) => ({
    preprocessing: { _target_: 'Compose', transforms: [load, ...transforms] },
  });

  it('says preparation, windows with the defaults of MONAI, classes by name, and the order of merging of its release', async () => {
    expect(await readPreset(bundle({}, { ...names, monai_version: '1.4.0' }))).toEqual({
      orientation: 'RAS',
      spacing: [1.5, 1.5, 2],
      intensity: 'ct-window',
      windowHu: [-57, 164],
      foregroundThreshold: null,
      classes: { 1: 'spleen', 2: 'liver' },
      inference: { window: [96, 64, 32], overlap: 0.6, blend: 'constant' },
      network: { merging: 'merging-before-1.5' },
    });
    expect((await readPreset(bundle({}, { ...names, monai_version: '1.5.1' }))).network).toEqual({});
  });

  it('without an orientation leaves the axes of the file as they lie', async () => {
    const zScore = { _target_: 'NormalizeIntensityd', nonzero: true, channel_wise: true };
    expect(await readPreset(bundle(preparedBy(zScore)))).toMatchObject({
      orientation: 'as stored',
      spacing: null,
      intensity: 'z-score',
    });
  });

  it('is refused for what has no counterpart here, and no code of it is run', async () => {
    expect(await refusal(bundle(preparedBy({ _target_: 'RandFlipd' })))).toMatch(/transform RandFlipd/);
    expect(await refusal(bundle(preparedBy({ ...window, b_min: -1 })))).toMatch(
      /ScaleIntensityRanged to another range/,
    );
    expect(await refusal(bundle(preparedBy({ _target_: 'NormalizeIntensityd', nonzero: true })))).toMatch(
      /NormalizeIntensityd other than nonzero and channel_wise/,
    );
    expect(await refusal(bundle(preparedBy({ _target_: 'Orientationd', axcodes: 'LPS' })))).toMatch(
      /Orientationd to LPS/,
    );
    expect(await refusal(bundle(preparedBy({ _target_: 'Spacingd', pixdim: '$[1] * 3' })))).toMatch(
      /Spacingd\.pixdim is "\$\[1\] \* 3", which cannot be taken/,
    );
    expect(
      await refusal(
        bundle({ postprocessing: { transforms: [{ _target_: 'Activationsd', sigmoid: true }] } }),
      ),
    ).toMatch(/write a preset file with "regions"/);
    expect(await refusal(bundle({ inferer: { _target_: 'SimpleInferer' } }))).toMatch(
      /inferer SimpleInferer/,
    );
    expect(await refusal(folder)).toMatch(/inference\.json cannot be read/);
  });
});
