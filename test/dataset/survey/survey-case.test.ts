import { readFileSync, writeFileSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { surveyCase } from '../../../src/dataset/survey/survey-case.js';
import { temporaryFolder, writeCase } from '../generated-data.js';

const folder = temporaryFolder();
const taskOf = (name: string) => ({
  id: name,
  images: [join(folder, `${name}.nii.gz`)],
  label: join(folder, `${name}_label.nii.gz`),
  voxels: true,
});

describe('a survey of a labelled scan', () => {
  it('counts the voxels of each class, and keeps no file open', async () => {
    await writeCase(folder, 'whole', [12, 11, 10]);
    const { voxels } = await surveyCase(taskOf('whole'));
    const [outer, inner] = [8 * 7 * 6, 4 * 3 * 2];
    expect(voxels?.classVoxels).toEqual({ 1: outer - inner, 2: inner });
    const open = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(join('/proc/self/fd', fd)).catch(() => '')),
    );
    expect(open.filter((file) => file.startsWith(folder))).toEqual([]);
  });

  it('refuses a label whose last bytes, the checksum, are damaged', async () => {
    await writeCase(folder, 'damaged', [12, 11, 10]);
    const { label } = taskOf('damaged');
    const bytes = readFileSync(label);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
    writeFileSync(label, bytes);
    await expect(surveyCase(taskOf('damaged'))).rejects.toThrow(/damaged_label.nii.gz is damaged.*checksum/);
  });
});
