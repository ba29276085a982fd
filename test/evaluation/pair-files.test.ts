import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { pairFiles } from '../../src/evaluation/pair-files.js';

const root = mkdtempSync(join(tmpdir(), 'pair-files-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let made = 0;

/** Two folders with these files, whose content nobody reads. */
function folders(predictions: readonly string[], labels: readonly string[]) {
  const folder = join(root, String(made++));
  for (const [side, names] of [
    ['p', predictions],
    ['l', labels],
  ] as const)
    for (const name of names) {
      mkdirSync(dirname(join(folder, side, name)), { recursive: true });
      writeFileSync(join(folder, side, name), '');
    }
  return { p: join(folder, 'p'), l: join(folder, 'l') };
}

/** Pairs as `prediction = label`, relative to their folders. */
async function paired(predictions: readonly string[], labels: readonly string[], incomplete = false) {
  const { p, l } = folders(predictions, labels);
  const { pairs, ...rest } = await pairFiles(p, l, incomplete);
  return {
    ...rest,
    pairs: pairs.map(
      ({ prediction, reference }) => `${prediction.slice(p.length + 1)} = ${reference.slice(l.length + 1)}`,
    ),
  };
}

describe('files of one case', () => {
  it.each([
    [
      'of the same name',
      ['b.nii.gz', 'a.nii'],
      ['a.nii.gz', 'b.nii'],
      ['a.nii = a.nii.gz', 'b.nii.gz = b.nii'],
      'the same name',
    ],
    [
      'in other formats',
      ['a.mha', 'b.nrrd', 'c.mhd', 'd.nhdr'],
      ['a.nii.gz', 'b.nii', 'c.nii.gz', 'd.mha'],
      ['a.mha = a.nii.gz', 'b.nrrd = b.nii', 'c.mhd = c.nii.gz', 'd.nhdr = d.mha'],
      'the same name',
    ],
    [
      'with endings in capitals',
      ['a.NII.GZ', 'b.Nrrd'],
      ['a.nii.gz', 'b.MHA'],
      ['a.NII.GZ = a.nii.gz', 'b.Nrrd = b.MHA'],
      'the same name',
    ],
    [
      'in a folder a case',
      ['c1/seg.nii.gz', 'c2/seg.nii.gz'],
      ['c1/seg.nii', 'c2/seg.nii'],
      ['c1/seg.nii.gz = c1/seg.nii', 'c2/seg.nii.gz = c2/seg.nii'],
      'the same name',
    ],
    [
      'in subfolders of one side',
      ['fold1/a.nii', 'fold2/b.nii'],
      ['a.nii', 'b.nii'],
      ['fold1/a.nii = a.nii', 'fold2/b.nii = b.nii'],
      'the same file name, in any subfolder',
    ],
    [
      "with nnU-Net's channel",
      ['a_0000.nii.gz', 'b_0000.nii.gz'],
      ['a.nii.gz', 'b.nii.gz'],
      ['a_0000.nii.gz = a.nii.gz', 'b_0000.nii.gz = b.nii.gz'],
      'the same name but for the channel "_0000"',
    ],
    [
      "as MONAI writes BTCV's",
      ['img0001/img0001_seg.nii.gz', 'img0002/img0002_pred.nii.gz'],
      ['label0001.nii.gz', 'label0002.nii.gz'],
      ['img0001/img0001_seg.nii.gz = label0001.nii.gz', 'img0002/img0002_pred.nii.gz = label0002.nii.gz'],
      'the same name but for the channel "_0000", upper and lower case, and words such as img, label, seg or pred at both ends',
    ],
    [
      "as BTCV's",
      ['img0001.nii.gz', 'img0002.nii.gz'],
      ['label0001.nii.gz', 'label0002.nii.gz'],
      ['img0001.nii.gz = label0001.nii.gz', 'img0002.nii.gz = label0002.nii.gz'],
      /img, label, seg or pred/,
    ],
    [
      "as LiTS's",
      ['volume-0.nii', 'volume-10.nii'],
      ['segmentation-0.nii', 'segmentation-10.nii'],
      ['volume-0.nii = segmentation-0.nii', 'volume-10.nii = segmentation-10.nii'],
      /img, label, seg or pred/,
    ],
    [
      'with a word behind',
      ['A1_pred.nii', 'b_prediction.nii'],
      ['a1_gt.nii', 'b-seg.nii'],
      ['A1_pred.nii = a1_gt.nii', 'b_prediction.nii = b-seg.nii'],
      /img, label, seg or pred/,
    ],
    [
      'by the folder alone',
      ['c1/out.nii', 'c2/out.nii'],
      ['c1/liver.nii', 'c2/tumour.nii'],
      ['c1/out.nii = c1/liver.nii', 'c2/out.nii = c2/tumour.nii'],
      /the folder of the case/,
    ],
    [
      'by folder and file',
      ['c1/out.nii', 'c2/out.nii'],
      ['c1.nii', 'c2.nii'],
      ['c1/out.nii = c1.nii', 'c2/out.nii = c2.nii'],
      /the folder of the case/,
    ],
    [
      'in other Unicode forms',
      ['Sättiger.nii'.normalize('NFD'), '检查 1.nii'],
      ['Sättiger.nii'.normalize('NFC'), '检查 1.nii'],
      [`${'Sättiger.nii'.normalize('NFD')} = ${'Sättiger.nii'.normalize('NFC')}`, '检查 1.nii = 检查 1.nii'],
      'the same name',
    ],
  ])('pair %s', async (_, predictions, labels, pairs, rule) => {
    const found = await paired(predictions, labels);
    expect([found.pairs, found.missing, found.extra]).toEqual([pairs, [], []]);
    expect(found.rule).toMatch(rule);
  });

  it('have the name of the label as theirs, whatever rule paired them', async () => {
    const { p, l } = folders(['img0001.nii', 'img0002.nii'], ['label0001.nii', 'label0002.nii']);
    expect((await pairFiles(p, l, false)).pairs.map(({ id }) => id)).toEqual(['label0001', 'label0002']);
  });

  it('are numbered scans, not channels, where their own labels have the numbers', async () => {
    const names = ['scan_0000.nii', 'scan_0001.nii', 'scan_0002.nii'];
    expect((await paired(names, names)).rule).toBe('the same name');
    const incomplete = await paired(['scan_0001.nii'], names, true);
    expect([incomplete.pairs, incomplete.missing]).toEqual([
      ['scan_0001.nii = scan_0001.nii'],
      ['scan_0000', 'scan_0002'],
    ]);
  });

  it('are passed over where they are no volumes: hidden files, logits, notes', async () => {
    const others = [
      '._a.nii',
      '.DS_Store',
      'a_logits.nii.gz',
      'summary.json',
      '__MACOSX/a.nii',
      '.cache/a.nii',
    ];
    expect((await paired(['a.nii', ...others], ['a.nii', ...others])).pairs).toEqual(['a.nii = a.nii']);
  });

  it('are found through a link to a folder, but not for ever through one that leads back', async () => {
    const { p, l } = folders(['deep/a.nii'], ['a.nii']);
    symlinkSync(p, join(p, 'deep', 'back'));
    symlinkSync(join(p, 'deep'), join(l, 'linked'));
    await expect(pairFiles(p, l, false)).rejects.toThrow(DataError); // a.nii and linked/a.nii are two
    expect((await pairFiles(p, join(l, 'linked'), false)).pairs).toHaveLength(1);
  });

  it('are two files that were named themselves', async () => {
    const { p, l } = folders(['some.mha'], ['other.nii.gz']);
    const { pairs, rule } = await pairFiles(join(p, 'some.mha'), join(l, 'other.nii.gz'), false);
    expect([pairs.map(({ id }) => id), rule]).toEqual([['other'], 'the two files that were named']);
    writeFileSync(join(l, 'notes.txt'), '');
    await expect(pairFiles(join(p, 'some.mha'), join(l, 'notes.txt'), false)).rejects.toThrow(/is no volume/);
  });
});

describe('files that several names would fit', () => {
  it('are refused and named, not paired by guess', async () => {
    await expect(paired(['a_0000.nii', 'x/a_0000.nii'], ['a.nii'])).rejects.toThrow(
      /several files claim one case when files pair by .*: .*\/p\/a_0000\.nii, .*\/p\/x\/a_0000\.nii; rename them/,
    );
    await expect(paired(['a_pred.nii', 'a_seg.nii'], ['a.nii'])).rejects.toThrow(
      /several files claim one case/,
    );
  });

  it('pair by the strictest rule where it is enough', async () => {
    const found = await paired(['a.nii', 'a_0000.nii'], ['a.nii', 'a_0000.nii']);
    expect(found.pairs).toEqual(['a.nii = a.nii', 'a_0000.nii = a_0000.nii']);
    const left = await paired(['a.nii', 'a_0000.nii'], ['a.nii'], true);
    expect([left.pairs, left.extra]).toEqual([['a.nii = a.nii'], ['a_0000']]);
  });

  it('are never paired by a part of a name that is no word of its own', async () => {
    const found = paired(['image.nii', 'labella.nii'], ['seg.nii', 'segella.nii']);
    await expect(found).rejects.toThrow(/has no label/);
    await expect(paired(['s_0007.nii'], ['s.nii'])).rejects.toThrow(/has no label/); // no first channel
    await expect(paired(['c1/a.nii', 'c1/b.nii'], ['c1.nii'])).rejects.toThrow(
      /several files claim one case/,
    );
    await expect(paired(['case1.nii', 'case2.nii'], ['case11.nii', 'case22.nii'])).rejects.toThrow(
      /has no label/,
    );
  });
});

describe('files without a partner', () => {
  it('are named, ten of many with a count of the others', async () => {
    const many = Array.from({ length: 30 }, (_, i) => `c${String(i).padStart(2, '0')}.nii`);
    await expect(paired(['c00.nii'], many)).rejects.toThrow(
      /without a prediction: c01, c02, .*c10 and 19 others\)$/,
    );
  });
});
