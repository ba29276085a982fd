import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lossesOf, type PreparedCase, prepareDatasets } from '../../../src/dataset/index.js';
import { lossTable } from '../../../src/report-sources/index.js';
import { type Triple, type Volume, writeNifti } from '../../../src/volume/index.js';
import { runCli } from '../../cli/run-cli.js';
import { affineOf, asLabel, temporaryFolder, volumeOf, writeJson } from '../generated-data.js';

const root = temporaryFolder();
let written = 0;
const classes = { 1: 'organ', 2: 'lesion' };

/** A set of one case. */
async function layOut(
  image: Volume,
  label: Volume,
  settings: object,
): Promise<{ datasetsFile: string; out: string }> {
  const folder = join(root, String(written++));
  mkdirSync(folder);
  await writeNifti(join(folder, 'i.nii.gz'), image);
  await writeNifti(join(folder, 'l.nii.gz'), label);
  const cases = [{ id: 'c', image: 'i.nii.gz', label: 'l.nii.gz' }];
  const dataset = { layout: 'files', modality: 'ct', foregroundThreshold: null, classes, ...settings, cases };
  const datasetsFile = writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: { d: dataset } });
  return { datasetsFile, out: join(folder, 'out') };
}

async function prepared(image: Volume, label: Volume, settings: object) {
  const result = await prepareDatasets({ ...(await layOut(image, label, settings)), workers: 1 });
  expect(result.skipped).toEqual([]);
  return { ...result, record: result.index.cases[0] as PreparedCase };
}

const size: Triple = [40, 36, 24];
const spacing: Triple = [0.5, 0.5, 1];
const scan = volumeOf(size, (x, y, z) => ((x + 3 * y + 5 * z) % 50) + 10, spacing);
const organ = (x: number, y: number, z: number) =>
  x >= 8 && x < 32 && y >= 8 && y < 28 && z >= 4 && z < 20 ? 1 : 0;
const lesionOf = (voxels: readonly Triple[]) =>
  asLabel(
    volumeOf(
      size,
      (x, y, z) => (voxels.some(([a, b, c]) => a === x && b === y && c === z) ? 2 : organ(x, y, z)),
      spacing,
    ),
  );
const coarse = { spacing: [1.5, 1.5, 2] };
/** Voxels 1 and 2 of every three along x, which no voxel of the coarse grid takes. */
const unseen: Triple[] = [
  [13, 12, 8],
  [14, 12, 8],
  [13, 13, 8],
];

describe('what becomes of a label', () => {
  it('names a lesion of three voxels that vanishes, in the record, the table, the log and for scripts', async () => {
    const set = await layOut(scan, lesionOf(unseen), coarse);
    const run = (...flags: string[]) =>
      runCli(['prepare', '--datasets', set.datasetsFile, '--out', set.out, '--workers', '1', ...flags]);
    const { stdout, stderr, code } = await run('--json');
    const sentence =
      'lesion (2) vanished, 0.75 mm3: 1 resampled to nothing, the largest had 3 voxels, 0.75 mm3, at voxel [13, 12, 8] of the label';
    expect(JSON.parse(stdout)).toMatchObject({ losses: [{ id: 'd/c', lost: [sentence] }] });
    expect([stderr.includes(`lost of the label of d/c: ${sentence}`), code]).toEqual([true, 0]);
    const text = (await run()).stdout; // nothing is made anew, and it is said again
    expect(text).toMatch(
      /\| d\/c +\| 2 lesion +\| +0\.75 +\| +0 +\| +0 +\| +1 +\| +0 +\| +1 +\| +0 +\| +0 +\|/,
    );
  });

  it('names nothing where nothing vanishes', async () => {
    const { losses, record, index } = await prepared(
      scan,
      lesionOf([
        [12, 12, 8],
        [13, 12, 8],
        [14, 12, 8],
      ]),
      coarse,
    );
    expect(losses).toEqual([]);
    expect(lossTable(index)).toBeUndefined();
    expect(record.labelSurvival).toMatchObject({
      1: { parts: { source: 1, prepared: 1 }, vanished: { resampled: 0, cropped: 0 }, shrunk: 0 },
      2: { volume: { source: 0.75, prepared: 4.5, cropped: 0 }, parts: { source: 1, prepared: 1 } },
    });
  });

  it('counts the parts that vanish of a class that is still there, and those that shrink', async () => {
    const block = (x: number): Triple[] =>
      [0, 1, 2].flatMap((i) => [0, 1, 2].flatMap((j) => [0, 1].map((k): Triple => [x + i, 18 + j, 12 + k])));
    // 40 voxels that no voxel of the coarse grid takes, and one of 4.5 mm3 there that one does.
    const rows = [25, 26].flatMap((y) => Array.from({ length: 20 }, (_, i): Triple => [10 + i, y, 9]));
    const thin: Triple[] = [...rows, [15, 24, 10]];
    const { losses, record } = await prepared(scan, lesionOf([...unseen, ...block(21), ...thin]), coarse);
    expect(losses).toEqual([
      {
        id: 'd/c',
        lost: [
          'lesion (2) 1 of 3 parts vanished: 1 resampled to nothing, the largest had 3 voxels, 0.75 mm3, at voxel [13, 12, 8] of the label; ' +
            '1 of 3 parts keep less than half of their volume',
        ],
      },
    ]);
    expect(record.labelSurvival![2]).toMatchObject({
      parts: { source: 3 },
      vanished: { resampled: 1, cropped: 0 },
    });
  });

  it('says what cropping took: a class beyond the box, a part of a class, a share of a part', async () => {
    const dark = volumeOf([20, 18, 16], (x) => (x < 12 ? 50 : -1000));
    const labelled = (value: (x: number, y: number, z: number) => number) =>
      asLabel(volumeOf([20, 18, 16], value));
    const cut = { spacing: null, foregroundThreshold: -1000 };
    const beyond = await prepared(
      dark,
      labelled((x, y, z) => (x === 15 && y === 3 && z === 4 ? 2 : x === 5 ? 1 : 0)),
      cut,
    );
    expect(beyond.losses).toEqual([
      {
        id: 'd/c',
        lost: [
          'lesion (2) vanished, 1 mm3: 1 cropped away, the largest had 1 voxels, 1 mm3, at voxel [15, 3, 4] of the label',
        ],
      },
    ]);
    const part = await prepared(
      dark,
      labelled((x, y, z) => ((x === 15 || x === 5) && y > 3 && z > 3 ? 1 : 0)),
      cut,
    );
    expect(part.losses[0]!.lost).toEqual([
      'organ (1) 1 of 2 parts vanished: 1 cropped away, the largest had 168 voxels, 168 mm3, at voxel [15, 4, 4] of the label',
    ]);
    const share = await prepared(
      dark,
      labelled((x, y) => (y === 7 && x >= 9 ? 1 : 0)),
      cut,
    );
    expect(share.losses[0]!.lost).toEqual([
      'organ (1) keeps 48 mm3 of 176 mm3; 1 of 1 parts keep less than half of their volume',
    ]);
    expect(share.record.labelSurvival![1]!.volume).toEqual({ source: 176, prepared: 48, cropped: 128 });
    const half = await prepared(
      dark,
      labelled((x, y) => (y === 7 && x >= 6 && x < 18 ? 1 : 0)),
      cut,
    );
    expect(half.losses).toEqual([]);
  });

  it('is what one counts in the prepared label when every part is a class of its own, on any grid', async () => {
    const small: Triple = [9, 8, 7];
    const voxels = small[0] * small[1] * small[2];
    const oblique = { rows: [-0.7, 0.1, 0.2, 3, 0.1, -0.1, 1.6, -4, 0.05, 0.9, 0.1, 7] };
    const sideways = { rows: [0, 0, 1.5, 0, -0.8, 0, 0, 4, 0, 0.6, 0, 2] };
    for (const [i, affine] of [affineOf([0.7, 0.9, 1.2]), oblique, sideways].entries()) {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(voxels - 1), { minLength: 6, maxLength: 30 }),
          fc.nat(2),
          async (places, cut) => {
            const data = new Uint8Array(voxels);
            // Each voxel of a class of its own: so a part is a class, and no two touch.
            for (const [n, at] of [...new Set(places)].entries()) data[at] = n + 1;
            const spacings = affine.rows
              .slice(0, 3)
              .map((_, a) => Math.hypot(...[0, 4, 8].map((r) => affine.rows[r + a]!)));
            const grid = { size: small, spacing: spacings as unknown as Triple, affine, channels: 1 };
            const image = {
              ...grid,
              data: Float32Array.from({ length: voxels }, (_, at) => (at % 9 < 9 - 2 * cut ? 1 : -1)),
            };
            const named = Object.fromEntries(
              [...new Set(data)].filter((n) => n > 0).map((n) => [n, `part ${n}`]),
            );
            const { record } = await prepared(
              image,
              { ...grid, data },
              { modality: 'mr', spacing: [1.1, 1.3, 1], foregroundThreshold: 0, classes: named },
            );
            for (const [value, { volume, parts, vanished }] of Object.entries(record.labelSurvival!)) {
              const kept = record.classVoxels[value]?.voxels ?? 0;
              expect([i, value, volume.prepared]).toEqual([i, value, expect.closeTo(kept * 1.1 * 1.3, 9)]);
              expect(vanished.resampled + vanished.cropped).toBe(kept === 0 ? 1 : 0);
              expect(parts).toEqual({ source: 1, prepared: kept === 0 ? 0 : 1 });
            }
            expect(Object.keys(record.labelSurvival!)).toEqual(Object.keys(named));
          },
        ),
        { numRuns: 8 },
      );
    }
  });
});

it('names classes by their values where they have no name', () => {
  const none = {
    volume: { source: 4, prepared: 0, cropped: 0 },
    parts: { source: 1, prepared: 0 },
    vanished: { resampled: 1, cropped: 0 },
    shrunk: 0,
  };
  expect(lossesOf({ 7: none }, {})).toEqual(['class (7) vanished, 4 mm3: 1 resampled to nothing']);
});
