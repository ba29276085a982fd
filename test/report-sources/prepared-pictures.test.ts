import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prepareDatasets } from '../../src/dataset/index.js';
import { writePreparedPictures } from '../../src/report-sources/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';

const folder = temporaryFolder();
const size = (file: string) => ({
  width: readFileSync(file).readUInt32BE(16),
  height: readFileSync(file).readUInt32BE(20),
});

it('a prepared dataset has a picture with slices of three of its cases at most, with labels or without, drawn again only when asked', async () => {
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) await writeCase(folder, name, [24, 20, 18], { label: name !== 'a' });
  const out = join(folder, 'out');
  const draw = async (cases: readonly object[], redraw = true) => {
    const datasetsFile = writeJson(join(folder, 'datasets.json'), datasetIndex(cases));
    const { index } = await prepareDatasets({ datasetsFile, out, workers: 1 });
    return writePreparedPictures(out, index, redraw);
  };
  const picture = join(out, 'ct.png');
  const cases = [{ id: 'a', image: 'a.nii.gz' }, ...names.slice(1).map((name) => labelledCase(name))];
  expect(await draw(cases.slice(0, 1))).toEqual([picture]);
  const one = size(picture);
  expect(await draw(cases)).toEqual([picture]);
  const three = size(picture);
  expect(three.width).toBeGreaterThan(2.5 * one.width); // three of the four cases, side by side
  expect(three.width).toBeLessThan(3.5 * one.width);
  expect(three.height).toBeLessThan(1.3 * one.height);
  const { mtimeMs } = statSync(picture);
  expect(await draw(cases, false)).toEqual([]);
  expect(statSync(picture).mtimeMs).toBe(mtimeMs);
  rmSync(picture);
  expect(await draw(cases, false)).toEqual([picture]);
});
