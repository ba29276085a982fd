import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describePlan, type PreparePlan, prepareDatasets } from '../../../src/dataset/index.js';
import { planFor } from '../../../src/dataset/prepare/prepare-plan.js';
import { WorkError } from '../../../src/errors.js';
import { niftiBytes } from '../../../src/volume/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../generated-data.js';

const MiB = 2 ** 20;
const needs = (cases: number, memory = 200) =>
  Array.from({ length: cases }, () => ({
    memoryBytes: memory * MiB,
    cacheBytes: 100 * MiB,
    waitingBytes: 50 * MiB,
  }));
const machine = { cores: 8, memoryBytes: 2000 * MiB, diskBytes: 10_000 * MiB };

describe('the plan of a preparation', () => {
  it('has as many threads as cores, memory and cases allow, and at least one', () => {
    expect(planFor(needs(50), machine, 'out').workers).toBe(8); // 0.8 x 2000 / 200
    expect(planFor(needs(50, 500), machine, 'out').workers).toBe(3);
    expect(planFor(needs(50), { ...machine, cores: 2 }, 'out').workers).toBe(2);
    expect(planFor(needs(3), machine, 'out').workers).toBe(3);
    expect(planFor(needs(50, 5000), machine, 'out').workers).toBe(1);
    expect(planFor(needs(50), machine, 'out', 12).workers).toBe(12); // asked for
    expect(planFor([...needs(49), ...needs(1, 800)], machine, 'out').workers).toBe(2); // any thread may get the largest
  });

  it('is refused before anything is written when the disk is too small for the cache and what waits beside it', () => {
    expect(planFor(needs(50), { ...machine, diskBytes: 5100 * MiB }, 'out', 2)).toMatchObject({
      cacheBytes: 5000 * MiB,
    });
    const plan = () => planFor(needs(50), { ...machine, diskBytes: 5099 * MiB }, 'out', 2);
    expect(plan).toThrow(WorkError);
    expect(plan).toThrow(
      'preparing 50 cases takes up to 5.0 GiB on the disk of out, but 5.0 GiB is free: free space, choose another --out or a coarser "spacing"',
    );
  });

  describe('of real cases', () => {
    const folder = temporaryFolder();
    let datasetsFile: string;
    beforeAll(async () => {
      await writeCase(folder, 'a', [40, 33, 70], { spacing: [1, 1.5, 2] });
      // One slice, which takes 512 GiB where slabs of it are turned upright; the file has no bytes on the disk.
      const wide = Buffer.from(niftiBytes(volumeOf([8, 8, 1], (x) => x)).subarray(0, 352));
      for (const [at, value] of Object.entries({ 42: 32_767, 44: 32_767, 70: 2, 72: 8 }))
        wide.writeInt16LE(value, Number(at));
      writeFileSync(join(folder, 'wide.nii'), wide);
      truncateSync(join(folder, 'wide.nii'), 352 + 32_767 ** 2);
      const others = ['gone', 'wide'].map((id) => ({ id, image: `${id}.nii` }));
      const cases = [labelledCase('a'), ...others];
      datasetsFile = writeJson(join(folder, 'datasets.json'), datasetIndex(cases, { spacing: [1, 1.5, 1] }));
    });

    it('is told before the first of them, from their headers, and only for what is to be done', async () => {
      const told: (PreparePlan | string)[] = [];
      const options = {
        datasetsFile,
        out: join(folder, 'out'),
        onPlan: (plan: PreparePlan) => told.push(plan),
        onProgress: () => told.push('case'),
      };
      await prepareDatasets(options);
      const voxels = 64 * 48 * 144; // 40 x 33 x 139 voxels in chunks of 32 x 16 x 16
      expect(told.slice(1)).toEqual(['case', 'case', 'case']);
      expect(told[0]).toMatchObject({ cases: 3, cacheBytes: voxels * (4 + 1) });
      const [plan] = told as [PreparePlan];
      expect(describePlan(plan)).toMatch(
        /^3 cases to make, at most 3 MiB of .* free disk; [12] threads?, each up to [0-9]+ MiB of .* free memory$/,
      );
      await prepareDatasets({ ...options, onPlan: (again) => expect(again.cases).toBe(2) }); // what cannot be used is tried again
    });
  });
});
