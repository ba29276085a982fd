import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { preprocessingOf } from '../../../src/dataset/prepare/preprocessing.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { datasetIndex, labelledCase, temporaryFolder, writeJson } from '../generated-data.js';

const folder = temporaryFolder();
let written = 0;
const indexFile = (content: unknown) => writeJson(join(folder, `datasets-${written++}.json`), content);
const listed = async (content: unknown, only?: string[]) =>
  indexDatasets(await readDatasetFile(indexFile(content)), only);

afterEach(() => vi.unstubAllEnvs());

describe('the dataset index', () => {
  it.each(['01', '-0', '1.5', '1e3', ' 1', '+1', 'x', ''])(
    'refuses the value "%s" of a labelMap, which no value of a file would be found by',
    async (value) => {
      await expect(listed(datasetIndex([labelledCase('a')], { labelMap: { [value]: 1 } }))).rejects.toThrow(
        `labelMap.${value}: the key "${value}" must be a whole number, without zeros before it, or "*"`,
      );
    },
  );

  it('takes values below 0 in a labelMap', async () => {
    const [ct] = await listed(datasetIndex([labelledCase('a')], { labelMap: { '-1024': 0, '*': 1 } }));
    expect(ct?.cases[0]?.labelMap).toEqual({ '-1024': 0, '*': 1 });
  });

  it('lists the cases of the layout "files" with absolute paths', async () => {
    const [ct] = await listed(
      datasetIndex([labelledCase('a'), { id: 'b', images: ['t1.nii', 't2.nii'], split: 'test' }]),
    );
    expect(ct?.cases).toEqual([
      {
        id: 'ct/a',
        dataset: 'ct',
        name: 'a',
        images: [join(folder, 'a.nii.gz')],
        label: join(folder, 'a_label.nii.gz'),
        split: 'training',
      },
      {
        id: 'ct/b',
        dataset: 'ct',
        name: 'b',
        images: [join(folder, 't1.nii'), join(folder, 't2.nii')],
        split: 'test',
      },
    ]);
  });

  it('reads an example that documents it', async () => {
    const file = await readDatasetFile(resolve('datasets.example.json'));
    expect(Object.keys(file.datasets)).toContain('msd-liver');
  });

  it('puts environment variables into paths', async () => {
    vi.stubEnv('SCANS_FOR_TEST', '/scans');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the index itself names the variable
    const [ct] = await listed(datasetIndex([labelledCase('a')], { path: '${SCANS_FOR_TEST}/abdomen' }));
    expect(ct?.cases[0]?.images).toEqual(['/scans/abdomen/a.nii.gz']);
  });

  it('says which variable is not set, but not for a dataset that nobody asked for', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the index itself names the variable
    const content = datasetIndex([labelledCase('a')], { path: '${SCANS_NOT_SET}/abdomen' }) as {
      datasets: Record<string, unknown>;
    };
    const both = {
      ...content,
      datasets: {
        ...content.datasets,
        here: { layout: 'files', modality: 'ct', cases: [{ id: 'c', image: 'c.nii' }] },
      },
    };
    await expect(listed(both)).rejects.toThrow(
      /datasets.ct.path uses \$\{SCANS_NOT_SET\}, which is not set: export SCANS_NOT_SET/,
    );
    await expect(listed(both)).rejects.toBeInstanceOf(UsageError);
    expect((await listed(both, ['here'])).map(({ name }) => name)).toEqual(['here']);
  });

  it.each([
    ['an unknown key', datasetIndex([labelledCase('a')], { spacng: [1, 1, 1] }), /datasets.ct: .*spacng/],
    [
      'a window that falls',
      datasetIndex([labelledCase('a')], { windowHu: [250, -175] }),
      /datasets.ct.windowHu: must rise/,
    ],
    [
      'an id that is no file name',
      datasetIndex([labelledCase('../a')]),
      /datasets.ct.cases.0.id: must consist of/,
    ],
    ['a case listed twice', datasetIndex([labelledCase('a'), labelledCase('a')]), /lists the case "a" twice/],
    ['neither image nor images', datasetIndex([{ id: 'a' }]), /must have either "image" or "images"/],
    [
      'a label without classes',
      datasetIndex([labelledCase('a')], { classes: undefined }),
      /classes is missing, but the case "a" has a label/,
    ],
    [
      'a split of an unknown case',
      datasetIndex([labelledCase('a')], { splits: { test: ['z'] } }),
      /names "z", which is no case/,
    ],
    [
      'a case in two splits',
      datasetIndex([labelledCase('a', { split: 'training' })], { splits: { test: ['a'] } }),
      /names "a", which is in the training split already/,
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(listed(content)).rejects.toThrow(message);
    await expect(listed(content)).rejects.toBeInstanceOf(UsageError);
  });

  it.each(['"__proto__"', '"__prot\\u006f__"'])(
    'refuses a dataset that is named %s, which would be lost',
    async (name) => {
      const text = JSON.stringify(datasetIndex([labelledCase('a')])).replace('"ct"', name);
      const file = join(folder, 'proto.json');
      writeFileSync(file, text);
      await expect(readDatasetFile(file)).rejects.toThrow(
        /proto.json is not valid JSON: a key is named "__proto__"/,
      );
    },
  );

  it('says when it is missing, is no JSON, or has no such dataset', async () => {
    await expect(readDatasetFile(join(folder, 'absent.json'))).rejects.toThrow(
      /absent.json cannot be read: copy datasets.example.json/,
    );
    await expect(listed(datasetIndex([labelledCase('a')]), ['mr'])).rejects.toThrow(
      /has no dataset "mr": it has ct/,
    );
  });
});

describe('the layout "msd"', () => {
  const task = join(folder, 'Task03_Liver');
  const description = {
    name: 'Liver',
    modality: { 0: 'CT' },
    labels: { 0: 'background', 1: 'liver', 2: 'cancer' },
    training: [{ image: './imagesTr/liver_1.nii.gz', label: './labelsTr/liver_1.nii.gz' }],
    test: ['./imagesTs/liver_9.nii.gz'],
  };

  it('takes cases, modality and classes from its own dataset.json', async () => {
    writeJson(join(task, 'dataset.json'), description);
    const [liver] = await listed({
      schema: 1,
      datasets: { liver: { layout: 'msd', path: 'Task03_Liver', includeTest: true } },
    });
    expect(liver).toMatchObject({
      modality: 'ct',
      classes: { 1: 'liver', 2: 'cancer' },
      cases: [
        {
          id: 'liver/liver_1',
          images: [join(task, 'imagesTr/liver_1.nii.gz')],
          label: join(task, 'labelsTr/liver_1.nii.gz'),
          split: 'training',
        },
        { id: 'liver/liver_9', images: [join(task, 'imagesTs/liver_9.nii.gz')], split: 'test' },
      ],
    });
    const [withoutTest] = await listed({
      schema: 1,
      datasets: { liver: { layout: 'msd', path: 'Task03_Liver' } },
    });
    expect(withoutTest?.cases.length).toBe(1);
  });

  it('says when the folder has no dataset.json, or one of another form', async () => {
    const missing = { schema: 1, datasets: { liver: { layout: 'msd', path: 'nowhere' } } };
    await expect(listed(missing)).rejects.toThrow(/nowhere\/dataset.json cannot be read/);
    await expect(listed(missing)).rejects.toBeInstanceOf(DataError);
    writeJson(join(folder, 'odd', 'dataset.json'), { labels: {}, training: [] });
    await expect(listed({ schema: 1, datasets: { liver: { layout: 'msd', path: 'odd' } } })).rejects.toThrow(
      /odd\/dataset.json: training/,
    );
  });
});

describe('the split', () => {
  const names = Array.from({ length: 20 }, (_, i) => `case${i}`);
  const splitOf = async (ids: readonly string[], content: object = {}, extra: object = {}) => {
    const [ct] = await listed({
      ...datasetIndex(
        ids.map((id) => labelledCase(id)),
        extra,
      ),
      ...content,
    });
    return Object.fromEntries(ct!.cases.map(({ name, split }) => [name, split]));
  };
  const count = (splits: Record<string, string>, split: string) =>
    Object.values(splits).filter((found) => found === split).length;

  it('is 80/20, the same for any order of the index, and another for another seed', async () => {
    const splits = await splitOf(names);
    expect([count(splits, 'training'), count(splits, 'validation')]).toEqual([16, 4]);
    expect(await splitOf([...names].reverse())).toEqual(splits);
    expect(await splitOf(names, { seed: 1 })).not.toEqual(splits);
  });

  it('keeps one case for validation where there are two, none where there is one or the share is 0', async () => {
    expect(count(await splitOf(['a', 'b']), 'validation')).toBe(1);
    expect(count(await splitOf(['a']), 'validation')).toBe(0);
    expect(count(await splitOf(names, { validationShare: 0 }), 'validation')).toBe(0);
  });

  it('keeps what the index fixes and draws the rest', async () => {
    const splits = await splitOf(names, {}, { splits: { test: ['case3', 'case4'], training: ['case5'] } });
    expect(splits).toMatchObject({ case3: 'test', case4: 'test', case5: 'training' });
    expect(count(splits, 'validation')).toBe(3); // 20% of the 17 others
  });
});

describe('preprocessing defaults', () => {
  it("are the method's for CT and MR, and the foreground of a CT begins at its window", () => {
    expect(preprocessingOf('ct')).toEqual({
      spacing: [1.5, 1.5, 2],
      intensity: 'ct-window',
      windowHu: [-1000, 1000],
      foregroundThreshold: -1000,
    });
    expect(preprocessingOf('ct', { windowHu: [-175, 250] }).foregroundThreshold).toBe(-175);
    expect(preprocessingOf('mr')).toMatchObject({
      spacing: [1, 1, 1],
      intensity: 'z-score',
      foregroundThreshold: 'background',
    });
    expect(preprocessingOf('mr', { spacing: null, foregroundThreshold: null })).toMatchObject({
      spacing: null,
      foregroundThreshold: null,
    });
  });
});

describe('a field of the dataset index that is wrong', () => {
  const folderEntry = (entry: object) => ({
    schema: 1,
    datasets: { d: { layout: 'folder', modality: 'ct', path: '.', ...entry } },
  });
  const masksEntry = (entry: object) => folderEntry({ layout: 'masks', classes: { 1: 'a' }, ...entry });

  it.each([
    [
      'the images of a folder',
      folderEntry({ images: 3 }),
      /datasets\.d\.images: found 3, expected text or a list \[\.\.\.\]$/,
    ],
    [
      'one of them',
      folderEntry({ images: ['a', {}] }),
      /datasets\.d\.images\.1: found the object \{\}, expected text$/,
    ],
    [
      'an empty list',
      folderEntry({ images: [] }),
      /datasets\.d\.images: found the list \[\], expected a list whose length is at least 1$/,
    ],
    [
      'the images of masks',
      masksEntry({ images: null }),
      /datasets\.d\.images: found null, expected text or a list/,
    ],
    [
      'the folder of masks',
      masksEntry({ masks: '*/segmentations' }),
      /datasets\.d\.masks: must end in "\/": it names folders/,
    ],
    [
      'a structure',
      masksEntry({ structures: { a: 1 } }),
      /datasets\.d\.structures\.a: found 1, expected text or a list/,
    ],
    [
      'the rule for overlaps',
      masksEntry({ overlap: 'sum' }),
      /datasets\.d\.overlap: found "sum", expected "refuse" or "first" or "last"$/,
    ],
    ['no class', folderEntry({ layout: 'masks' }), /datasets\.d\.classes: is missing; expected an object/],
    ['a region', folderEntry({ regions: { x: 1 } }), /datasets\.d\.regions\.x: found 1, expected a list/],
    [
      'a value to ignore',
      folderEntry({ ignore: 'three' }),
      /datasets\.d\.ignore: found "three", expected a number|a whole number/,
    ],
    [
      'a value below 1',
      folderEntry({ ignore: 0 }),
      /datasets\.d\.ignore: found 0, expected a number at least 1$/,
    ],
    [
      'aligned',
      folderEntry({ aligned: 'yes' }),
      /datasets\.d\.aligned: found "yes", expected true or false$/,
    ],
    [
      'a spacing',
      folderEntry({ spacing: [1, 1] }),
      /datasets\.d\.spacing: found the list \[1,1\], expected a list whose length is at least 3$/,
    ],
    [
      'a layout',
      folderEntry({ layout: 'nnUNet' }),
      /datasets\.d\.layout: found "nnUNet", expected "files" or "msd" or .*"nnunet" or "folder" or "masks"$/,
    ],
    ['no layout', folderEntry({ layout: undefined }), /datasets\.d\.layout: is missing; expected "files"/],
    [
      'a key of a class',
      folderEntry({ classes: { liver: 1 } }),
      /datasets\.d\.classes\.liver: the key "liver" must be a whole number above 0$/,
    ],
    ['an unknown key', folderEntry({ spacng: null }), /datasets\.d: has no key "spacng"$/],
    [
      'a label that is a list',
      datasetIndex([{ id: 'a', image: 'a.nii', label: ['b.nii'] }]),
      /cases\.0\.label: found the list \["b\.nii"\], expected one file; where .* "masks": {/,
    ],
    ['no dataset', { schema: 1, datasets: [] }, /datasets: found the list \[\], expected an object/],
    ['another version', { schema: '1', datasets: {} }, /schema: found "1", expected 1$/],
    ['no object', 7, /datasets-.*: found 7, expected an object \{\.\.\.\}$/],
  ])('is named by its key, what was found and what is expected: %s', async (_, content, message) => {
    const file = writeJson(join(folder, 'datasets-wrong.json'), content);
    await expect(readDatasetFile(file)).rejects.toThrow(message);
    await expect(readDatasetFile(file)).rejects.toBeInstanceOf(UsageError);
  });
});
