import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { isLabel, pairScans } from '../../src/project/pair-scans.js';

const content = (files: readonly string[], series: readonly string[] = []) =>
  new Map([['/d', { files, series, dicomLabels: [] }]]);
const paired = (
  files: readonly string[],
  labels?: { folder: string; files: readonly string[] },
  series: readonly string[] = [],
) =>
  pairScans(content(files, series), labels).scans.map(({ id, images, label }) => [id, images.length, label]);
/** Which label goes with which scan, by their names below `/d`. */
const labelsOf = (files: readonly string[], labels?: readonly string[]) =>
  Object.fromEntries(
    pairScans(
      content(files.map((file) => `/d/${file}`)),
      labels && { folder: '/l', files: labels.map((file) => `/l/${file}`) },
    ).scans.flatMap(({ images, label }) =>
      label === undefined ? [] : [[images[0]?.slice(3), label.slice(3)]],
    ),
  );

describe('names of files', () => {
  it.each([
    'labels/a.nii.gz',
    'labelsTr/a.nii.gz',
    'p1/masks/a.nii.gz',
    'a_seg.nii.gz',
    'a-label.nii',
    'a.gt.nrrd',
    'segmentation-12.nii',
    'label0001.nii.gz',
    'p1/mask.nii.gz',
    'Ground Truth/a.mha',
  ])('say that %s is a label', (file) => expect(isLabel(file)).toBe(true));

  it.each(['images/a.nii.gz', 'legs_mr.nii.gz', 'a_0000.nii.gz', 'segovia.nii', 'masked-study/a.nii.gz'])(
    'say nothing of the kind of %s',
    (file) => expect(isLabel(file)).toBe(false),
  );
});

describe('scans and labels', () => {
  it.each([
    [['/d/images/a.nii.gz', '/d/labels/a.nii.gz']],
    [['/d/a.nii.gz', '/d/a_seg.nii.gz']],
    [['/d/a/image.nii.gz', '/d/a/label.nii.gz']],
    [['/d/imagesTr/a_0000.nii.gz', '/d/labelsTr/a.nii.gz']],
    [['/d/volume-7.nii', '/d/segmentation-7.nii']],
    [['/d/img0001.nii.gz', '/d/label0001.nii.gz']],
    [['/d/scans/A.mha', '/d/masks/a-mask.nrrd']],
  ])('belong together by what their names have beside words: %j', ([image, label]) => {
    const [found, ...more] = pairScans(content([image!, label!])).scans;
    expect([found?.images, found?.label, more]).toEqual([[image], label, []]);
  });

  it('are some with and some without labels, of several channels, or folders of DICOM files', () => {
    expect(
      paired([
        '/d/images/a_0000.nii.gz',
        '/d/images/a_0001.nii.gz',
        '/d/images/b_0000.nii.gz',
        '/d/images/b_0001.nii.gz',
        '/d/labels/b.nii.gz',
        '/d/readme.txt',
      ]),
    ).toEqual([
      ['a', 2, undefined],
      ['b', 2, '/d/labels/b.nii.gz'],
    ]);
    expect(paired(['/d/anna/1.dcm', '/d/bert/ct/1.IMA'], undefined, ['/d/anna', '/d/bert/ct'])).toEqual([
      ['anna', 1, undefined],
      ['bert_ct', 1, undefined],
    ]);
  });

  it.each([
    [['p1/ct.nii.gz', 'p1/seg.nii.gz', 'p2/ct.nii.gz'], { 'p1/ct.nii.gz': 'p1/seg.nii.gz' }],
    [['p1/a.nii', 'p1/b_seg.nii', 'p2/c.nii'], { 'p1/a.nii': 'p1/b_seg.nii' }],
    [['p1/ct/a.nii', 'p1/seg/b.nii', 'p2/ct/a.nii'], { 'p1/ct/a.nii': 'p1/seg/b.nii' }],
    [
      ['CT/p1.nii', 'CT/p2.nii', 'labels/p1.nii', 'labels/p2.nii'],
      { 'CT/p1.nii': 'labels/p1.nii', 'CT/p2.nii': 'labels/p2.nii' },
    ],
    [['p1_ct.nii', 'p10_ct.nii', 'p1_seg.nii'], { 'p1_ct.nii': 'p1_seg.nii' }],
    [['p1.nii', 'p1_day2.nii', 'p1_day2_liver_seg.nii'], { 'p1_day2.nii': 'p1_day2_liver_seg.nii' }],
    [
      ['my scan 1.nii', 'my scan 1 Segmentation.nii', 'my scan 2.nii'],
      { 'my scan 1.nii': 'my scan 1 Segmentation.nii' },
    ],
    [['raw_images/a.nii', 'manual labels/a.nii'], { 'raw_images/a.nii': 'manual labels/a.nii' }],
    [
      ['seg_study/images/a.nii', 'seg_study/labels/a.nii'],
      { 'seg_study/images/a.nii': 'seg_study/labels/a.nii' },
    ],
    [['image.nii', 'label.nii'], { 'image.nii': 'label.nii' }],
    [['cafe\u0301.nii', 'caf\u00e9_seg.nii'], { 'cafe\u0301.nii': 'caf\u00e9_seg.nii' }],
  ])('belong together where their names differ: %j', (files, pairs) =>
    expect(labelsOf(files)).toEqual(pairs),
  );

  it('of a folder of labels may have words that no scan has, all the same', () => {
    const labels = ['p1_organs.nii', 'p2_organs.nii'];
    const scans = ['p1.nii', 'p2.nii', 'p3.nii'];
    expect(labelsOf(scans, labels)).toEqual({ 'p1.nii': 'p1_organs.nii', 'p2.nii': 'p2_organs.nii' });
    const { notes } = pairScans(content(['/d/p1.nii']), { folder: '/l', files: ['/l/p1_organs.nii'] });
    expect(notes).toEqual([
      'labels are paired with scans whose names differ by "organs", such as /l/p1_organs.nii with p1',
    ]);
    expect(() => labelsOf(scans, ['p1_organs.nii', 'p2_bones.nii'])).toThrow(
      'the label /l/p2_bones.nii differs from the name of its scan p2 by "bones", but /l/p1_organs.nii by "organs"',
    );
    expect(() => labelsOf(['p1.nii'], ['p1_organs.nii', 'p1_bones.nii'])).toThrow(
      /differs from|labels of one scan/,
    );
    expect(() => labelsOf(['p1.nii', 'p10.nii'], ['p11.nii'])).toThrow(/belongs to no scan/);
  });

  it('are refused where a label may belong to two scans', () => {
    expect(() => labelsOf(['p1_t1.nii', 'p1_t2.nii', 'p1_seg.nii'])).toThrow(
      'the label /d/p1_seg.nii belongs to p1_t1 or to p1_t2 by their names: call the channels of one scan NAME_0000, NAME_0001',
    );
  });

  it('keep names of other scripts, and apart what would be one file', () => {
    expect(paired(['/d/\u8179\u90e8 1.nii', '/d/x/y_z.nii', '/d/x_y/z.nii']).map(([id]) => id)).toEqual([
      expect.stringMatching(/^x_y_z-[0-9a-f]{8}$/),
      expect.stringMatching(/^x_y_z-[0-9a-f]{8}$/),
      '\u8179\u90e8_1',
    ]);
  });

  it('are told by a folder where that is given, whatever the names say', () => {
    const labels = { folder: '/l', files: ['/l/a.nii.gz'] };
    expect(paired(['/d/a.nii.gz', '/d/b_seg.nii.gz'], labels)).toEqual([
      ['a', 1, '/l/a.nii.gz'],
      ['b_seg', 1, undefined],
    ]);
  });

  it('are refused where a label has no scan, two are one by their names, or there is none', () => {
    expect(() => paired(['/d/images/a.nii.gz', '/d/labels/b.nii.gz'])).toThrow(
      'the label /d/labels/b.nii.gz belongs to no scan: its name beside words such as "seg" is "b", and no scan without a label is called so (the first scan is a)',
    );
    expect(() => paired(['/d/a.nii.gz', '/d/a.mha'])).toThrow(/are one scan by their names/);
    expect(() => paired(['/d/a.nii', '/d/a_seg.nii', '/d/a_mask.nii'])).toThrow(/are labels of one scan/);
    expect(() => paired(['/d/readme.txt'])).toThrow(/\/d holds no scan/);
    expect(() => paired([])).toThrow(DataError);
  });
});
