import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { isLabel, pairScans } from '../../src/project/pair-scans.js';

const paired = (files: readonly string[], labels?: { folder: string; files: readonly string[] }) =>
  pairScans(new Map([['/d', files]]), labels).map(({ id, images, label }) => [id, images.length, label]);

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
    const [found, ...more] = pairScans(new Map([['/d', [image!, label!]]]));
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
    expect(paired(['/d/anna/1.dcm', '/d/anna/2.dcm', '/d/bert/ct/1.IMA'])).toEqual([
      ['anna', 1, undefined],
      ['bert_ct', 1, undefined],
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
      'the label /d/labels/b.nii.gz belongs to no scan: its name beside words such as "seg" is "b", and no scan is called so (the first scan is /d/images/a.nii.gz)',
    );
    expect(() => paired(['/d/a.nii.gz', '/d/a.mha'])).toThrow(/are one scan by their names/);
    expect(() => paired(['/d/a.nii', '/d/a_seg.nii', '/d/a_mask.nii'])).toThrow(/are labels of one scan/);
    expect(() => paired(['/d/readme.txt'])).toThrow(/\/d holds no scan/);
    expect(() => paired([])).toThrow(DataError);
  });
});
