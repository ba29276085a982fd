import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDatasets, prepareDatasets } from '../../src/dataset/index.js';
import { toClassValues } from '../../src/dataset/prepare/label-values.js';
import { DataError, UsageError } from '../../src/errors.js';
import { evaluateFiles } from '../../src/evaluation/evaluate-files.js';
import { labelOnGrid } from '../../src/inference/to-label.js';
import { openLabelSlices, readLabel, readVolume, type Volume, writeNifti } from '../../src/volume/index.js';
import { readReference, referenceFile } from '../volume/references.js';
import { datasetIndex, temporaryFolder, volumeOf, writeJson } from './generated-data.js';

/** Made by `test/parity/volume/make_label_references.py` with nibabel and SimpleITK. */
const { references, ids } = readReference<{
  references: Readonly<Record<string, readonly number[]>>;
  ids: readonly number[];
}>('labels.json');
const file = (name: string) => referenceFile(join('labels', name));
const exact = Object.keys(references).filter((name) => !name.includes('rounded'));
/** 8 bytes a voxel, floating point, and 4 bytes. */
const someWithAllIds = ['int64.nii.gz', 'float64.mha', 'uint32.nrrd'];
const rounded = Object.keys(references).filter((name) => name.includes('rounded'));
const folder = temporaryFolder();
const timesOf = (name: string, id: number) => references[name]!.filter((value) => value === id).length;

describe('ids of an atlas', () => {
  it.each(exact)('are what nibabel and SimpleITK read from %s, whole and slice by slice', async (name) => {
    expect([...(await readLabel(file(name))).data]).toEqual(references[name]);
    const values: number[] = [];
    for await (const slice of (await openLabelSlices(file(name))).slices()) values.push(...slice);
    expect(values).toEqual(references[name]);
  });

  it.each(someWithAllIds)(
    'of %s are mapped to classes one by one, in the check and in the cache',
    async (name) => {
      const image = join(folder, 'image.nii');
      const { size, spacing, affine } = await readVolume(file(name));
      await writeNifti(image, { ...volumeOf(size, (x, y, z) => x + 10 * y + 100 * z), spacing, affine });
      const labelMap = Object.fromEntries(ids.map((id, i) => [String(id), i]));
      const classes = Object.fromEntries(ids.slice(1).map((id, i) => [String(i + 1), `region ${id}`]));
      const one = { id: 'a', image, label: join(process.cwd(), file(name)) };
      const settings = { classes, labelMap, spacing: null, foregroundThreshold: null, modality: 'mr' };
      const datasetsFile = writeJson(join(folder, `${name}.json`), datasetIndex([one], settings));
      const { findings } = await checkDatasets({ datasetsFile, workers: 1 });
      expect(findings.filter(({ severity }) => severity === 'unusable')).toEqual([]);
      const out = join(folder, `${name}.prepared`);
      const { index } = await prepareDatasets({ datasetsFile, out, workers: 1 });
      const voxels = Object.values(index.cases[0]!.classVoxels).map((found) => found.voxels);
      expect(voxels).toEqual(ids.slice(1).map((id) => timesOf(name, id)));
    },
  );

  it.each(someWithAllIds)('of %s stay apart when they are evaluated', async (name) => {
    const classes = ids.slice(1).map((id) => ({ name: String(id), values: [id] }));
    const task = { id: 'a', classes, further: { nsdToleranceMm: [] }, resample: false };
    const { result } = await evaluateFiles({
      ...task,
      prediction: file(name),
      reference: file('int32.nii.gz'),
    });
    for (const id of ids.slice(1)) {
      const n = timesOf(name, id);
      expect(result.classes[id]).toMatchObject({ dice: 1, voxels: { predicted: n, present: n, both: n } });
    }
  });

  it.each(rounded)('are refused where float32 has rounded them: %s', async (name) => {
    const map = { '*': 0 };
    const label = await readLabel(file(name));
    const values = () => toClassValues(label, { 1: 'one' }, map, name);
    expect(values).toThrow(DataError);
    expect(values).toThrow(
      /holds the value \d+, but its type of number tells whole numbers apart up to 16777216/,
    );
  });

  it.each(['70000', '65536', '4294967297'])('are no class of a prepared dataset: %s', async (id) => {
    const settings = { classes: { 4464: 'other', [id]: 'nucleus' } };
    const one = { id: 'a', image: 'a.nii', label: 'l.nii' };
    const datasetsFile = writeJson(join(folder, 'large.json'), datasetIndex([one], settings));
    const prepared = prepareDatasets({ datasetsFile, out: join(folder, 'none'), workers: 1 });
    await expect(prepared).rejects.toBeInstanceOf(UsageError);
    await expect(prepared).rejects.toThrow(
      `classes has the class ${id}, but a class is 65535 at most: name a smaller one, and map`,
    );
  });
});

const line = (data: Volume['data']): Volume => ({
  ...volumeOf([data.length, 1, 1], () => 0),
  data,
});

describe('the classes of a label', () => {
  it('are the values themselves, whatever their size and the type that holds them', () => {
    const values = fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 5 });
    const drawn = values.chain((ids) =>
      fc.record({
        ids: fc.constant(ids),
        found: fc.array(fc.constantFrom(0, ...ids), { minLength: 1, maxLength: 40 }),
      }),
    );
    fc.assert(
      fc.property(drawn, fc.constantFrom(Uint32Array, Float64Array), ({ ids, found }, ArrayType) => {
        const classes = Object.fromEntries(ids.map((id) => [String(id), `${id}`]));
        const { data } = toClassValues(line(ArrayType.from(found)), classes, undefined, 'f');
        expect([...data]).toEqual(found);
      }),
    );
  });

  it('may not be above 2^32 - 1, nor a value above 2^53', () => {
    const values = (found: number, id: number) => () =>
      toClassValues(line(Float64Array.of(found)), { [id]: 'one' }, { '*': id }, 'f.nii');
    expect(values(1, 2 ** 32)).toThrow(/the class 4294967296 is larger than 4294967295/);
    expect(values(2 ** 53, 1)).toThrow(/holds the value 9007199254740992, but its type of number/);
    expect(values(2 ** 53 - 1, 1)()).toMatchObject({ data: Uint8Array.of(1) });
  });

  it('are written as they are in a predicted label', () => {
    const logits = { ...line(Float32Array.of(0, 0, 5, 0, 0, 5)), size: [2, 1, 1] as const, channels: 3 };
    const scheme = { kind: 'classes', names: ['a', 'b'], values: [[70_000], [4464]] } as const;
    expect(labelOnGrid(logits, logits, scheme).data).toEqual(Uint32Array.of(70_000, 4464));
  });
});
