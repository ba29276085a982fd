import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { makeNetwork, networkSection, writeSafetensors } from '../../src/network/index.js';
import { predictScans } from '../../src/prediction/index.js';
import { readVolume, type Volume } from '../../src/volume/index.js';
import { openForeignWeights } from '../../src/weights/index.js';
import { monaiState } from '../network/interchange.js';

// Made by test/parity/files/make_file_references.py: MONAI read each scan and wrote each label and logits in its own way.
const references = 'test/parity/files';
const { every, classes, cases } = z
  .object({
    every: z.int(),
    classes: z.int(),
    cases: z.record(
      z.string(),
      z.object({
        network: z.string(),
        settings: z.record(z.string(), z.unknown()),
        window: z.array(z.int()),
        channels: z.int(),
        scan: z.string(),
        toRas: z.boolean(),
        largestLogit: z.number(),
        state: z.record(z.string(), z.array(z.int())),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(references, 'cases.json'), 'utf8')));

const folder = mkdtempSync(join(tmpdir(), 'files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a case from its files to files. */
async function predicted(name: string): Promise<{ label: Volume; logits: Volume }> {
  const { network: networkName, settings, window, channels, scan, toRas, state } = cases[name]!;
  const network = makeNetwork(networkSection.parse({ name: networkName, ...settings }), {
    inChannels: channels,
    outChannels: classes,
  });
  const [weights, preset, out] = [
    join(folder, `${name}.safetensors`),
    join(folder, 'ras.json'),
    join(folder, `${name}.nii.gz`),
  ];
  await writeSafetensors(weights, monaiState(state, network));
  writeFileSync(preset, JSON.stringify({ orientation: 'RAS' }));
  const set = Object.entries(settings).map(([key, value]) => `network.${key}=${JSON.stringify(value)}`);
  const opened = await openForeignWeights({
    files: [weights],
    network: networkName,
    preset: toRas ? preset : 'none',
    set: [...set, `inference.window=${JSON.stringify(window)}`],
  });
  try {
    await predictScans({ opened, input: [join(references, scan)], out, withLogits: true });
  } finally {
    opened.close();
  }
  return { label: await readVolume(out), logits: await readVolume(out.replace('.nii.gz', '_logits.nii.gz')) };
}

/** Every n-th voxel along each axis. */
function thinned({ size: [nx, ny, nz], channels, data }: Volume): number[] {
  const values: number[] = [];
  for (let c = 0; c < channels; c++)
    for (let z = 0; z < nz; z += every)
      for (let y = 0; y < ny; y += every)
        for (let x = 0; x < nx; x += every) values.push(data[((c * nz + z) * ny + y) * nx + x]!);
  return values;
}

describe.each(Object.keys(cases))('%s beside MONAI, from file to file', (name) => {
  it('has its logits within 1e-4 of the largest, its arg-max in 99.99 % of the voxels, and the affine of the scan', async () => {
    const { label, logits } = await predicted(name);
    const expectedLabel = await readVolume(join(references, `${name}-label.nii.gz`));
    const expectedLogits = await readVolume(join(references, `${name}-logits.nii.gz`));
    const found = thinned(logits);
    expect(found.length).toBe(expectedLogits.data.length);
    const error = found.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - expectedLogits.data[i]!)),
      0,
    );
    expect(error / cases[name]!.largestLogit).toBeLessThan(1e-4);
    expect(label.size).toEqual(expectedLabel.size);
    const differing = Array.from(label.data).filter((value, i) => value !== expectedLabel.data[i]).length;
    expect(differing / label.data.length).toBeLessThanOrEqual(1e-4);
    for (const [i, value] of label.affine.rows.entries())
      expect(value).toBeCloseTo(expectedLabel.affine.rows[i]!, 4);
    expect(new Set(expectedLabel.data).size).toBe(classes);
  });
});
