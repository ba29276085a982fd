import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCase } from '../../src/dataset/check/check-case.js';
import { preprocessingOf } from '../../src/dataset/index.js';
import { prepareCase } from '../../src/dataset/prepare/prepare-case.js';
import { DataError } from '../../src/errors.js';
import { evaluateFolders } from '../../src/evaluation/index.js';
import { predictCase } from '../../src/inference/index.js';
import { readLabel, readVolume } from '../../src/volume/index.js';
import { scheme, thresholdPredictor } from '../inference/tiny-predictor.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
const whole = 'test/parity/volume';
const evaluated = { classes: [{ name: 'organ', values: [1] }], labelMap: { '*': 1 } };

/** What each command does to a scan or label, `reference` being one that is whole. */
const commands: Record<string, (scan: string, reference: string) => Promise<unknown>> = {
  'prepare --check': async (image) => {
    const { findings } = await checkCase(task(image));
    const unusable = findings.find(({ severity }) => severity === 'unusable');
    if (unusable) throw new DataError(unusable.message);
  },
  prepare: async (image) => {
    const out = join(folder, 'out');
    mkdirSync(join(out, 'd'), { recursive: true });
    return prepareCase({ out, ...task(image) });
  },
  predict: async (image) =>
    predictCase(thresholdPredictor(0, [16, 16, 16]), { images: [image], preprocessing: 'none', scheme }),
  'evaluate, of predictions': (predictions, labels) => evaluateFolders({ predictions, labels, ...evaluated }),
  'evaluate, of labels': (labels, predictions) => evaluateFolders({ predictions, labels, ...evaluated }),
  'report, of images': (image) => readVolume(image),
  'report, of labels': (image) => readLabel(image),
};

function task(image: string) {
  const preprocessing = preprocessingOf('mr', {
    spacing: null,
    intensity: 'none',
    foregroundThreshold: null,
  });
  const source = { id: 'd/a', dataset: 'd', name: 'a', split: 'training' as const, images: [image] };
  return { source, preprocessing, classes: {} };
}

/** Behind the last voxel: where a reader that stops there does not look. */
const behindTheVoxels = {
  'a bit of its checksum is turned': (bytes: Buffer, checksumAt: number) => {
    const spoilt = Buffer.from(bytes);
    spoilt.writeUInt8(spoilt.readUInt8(checksumAt) ^ 4, checksumAt);
    return spoilt;
  },
  'its last byte is cut off': (bytes: Buffer) => bytes.subarray(0, -1),
};

describe.each(Object.entries(behindTheVoxels))('a compressed scan of which %s', (way, spoil) => {
  it.each([
    ['gzip-members/one.nii.gz', 8],
    ['formats/int16.nrrd', 8],
    ['formats/compressed.mha', 4],
  ])('is refused by every command that reads it: %s', async (name, fromEnd) => {
    const reference = join(whole, name);
    const bytes = readFileSync(reference);
    const scan = join(folder, `${way.length}-${name.replace('/', '-')}`);
    writeFileSync(scan, spoil(bytes, bytes.length - fromEnd));
    for (const [command, run] of Object.entries(commands)) {
      const error = await run(scan, reference).catch((thrown: unknown) => thrown);
      expect(error, command).toBeInstanceOf(DataError);
      expect(String(error), command).toMatch(/damaged|checksum|truncated/);
    }
  });
});
