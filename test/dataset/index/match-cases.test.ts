import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brats } from '../../../src/dataset/index/layouts/brats.js';
import { globCase } from '../../../src/dataset/index/layouts/glob-case.js';
import { matchCases } from '../../../src/dataset/index/layouts/match-cases.js';

describe('sorting files into cases', () => {
  const parts = ['flair', 't1', 't1ce', 't2', 'seg'] as const;
  const every = ['001', '002', '003', '004'].flatMap((n) =>
    parts.map((part) => ({ n, part, file: `/d/Training/B_${n}/B_${n}_${part}.nii.gz` })),
  );

  it('loses no file, and lists a case without problem exactly when all of its files are there', () => {
    const strange = ['/d/readme.txt', '/d/Training/B_001/notes.nii.gz'];
    const shuffled = fc
      .tuple(fc.subarray(every, { minLength: 1 }), fc.subarray(strange))
      .chain(([kept, strangers]) => {
        const files = [...kept.map(({ file }) => file), ...strangers];
        return fc.tuple(
          fc.constant(kept),
          fc.constant(strangers),
          fc.shuffledSubarray(files, { minLength: files.length }),
        );
      });
    fc.assert(
      fc.property(shuffled, ([kept, strangers, files]) => {
        const { labelled, unlabelled, others } = matchCases(files, brats.patterns);
        const listed = [...labelled, ...unlabelled].flatMap(({ images, label }) => [
          ...images,
          ...(label ? [label] : []),
        ]);
        expect([...listed, ...others].sort()).toEqual([...files].sort());
        expect([...others].sort()).toEqual([...strangers].sort());
        const anyLabel =
          kept.some(({ part }) => part === 'seg') &&
          kept.some(
            ({ n, part }) => part !== 'seg' && kept.some((other) => other.n === n && other.part === 'seg'),
          );
        for (const { name, problem, images } of [...labelled, ...unlabelled]) {
          const there = kept.filter(({ n }) => name === `B_${n}`).map(({ part }) => part);
          const complete = images.length === 4 && (there.includes('seg') || !anyLabel);
          expect(problem === undefined, `${name}: ${there.join()}`).toBe(complete);
        }
      }),
    );
  });

  it('keeps the order of the channels, whatever the order of the files', () => {
    const files = every.filter(({ n }) => n === '002').map(({ file }) => file);
    for (const order of [files, [...files].reverse()]) {
      expect(
        matchCases(order, brats.patterns).labelled[0]!.images.map((file) => file.split('_').at(-1)),
      ).toEqual(['flair', 't1', 't1ce', 't2'].map((part) => `${part}.nii.gz`));
    }
  });
});

describe('a glob', () => {
  it.each([
    ['*.nii.gz', '/r/a.nii.gz', 'a'],
    ['*.nii.gz', '/r/b/a.nii.gz', undefined],
    ['*.nii.gz', '/r/aXnii.gz', undefined],
    ['*.{nii,nii.gz}', '/r/a.nii.gz', 'a'],
    ['*.{nii,nii.gz}', '/r/a.nii', 'a'],
    ['img/*_ct.nii', '/r/img/p1_ct.nii', 'p1'],
    ['img/*_ct.nii', '/elsewhere/img/p1_ct.nii', undefined],
    ['**/*.mha', '/r/a.mha', 'a'],
    ['**/*.mha', '/r/x/y/a.mha', 'x/y_a'],
    ['*/scan?.mha', '/r/p/scan1.mha', 'p_1'],
    ['patients/*/', '/r/patients/anna/', 'anna'],
    ['patients/*/', '/r/patients/anna', undefined],
    ['only (1).nii', '/r/only (1).nii', 'only (1).nii'],
  ])('"%s" makes of %s the case %s', (glob, file, name) => {
    expect(globCase('/r', glob)(file)).toBe(name);
  });

  it('takes no time to speak of, however many stars it has', () => {
    const began = performance.now();
    const caseOf = globCase('/r', `${'*a'.repeat(20)}b.nii.gz`);
    expect(caseOf(`/r/${'a'.repeat(200)}.nii.gz`)).toBeUndefined();
    expect(caseOf(`/r/${'ca'.repeat(20)}b.nii.gz`)).toBe(Array(20).fill('c').join('_'));
    expect(performance.now() - began).toBeLessThan(10_000); // a search that goes back takes years
  });

  it('takes the letters of a folder as they are', () => {
    const folder = '/data (1)/a+b/{x}/[y]$^|\\d';
    expect(globCase(folder, '*.nii')(`${folder}/é😀.nii`)).toBe('é😀');
    expect(globCase(folder, '?.nii')(`${folder}/😀.nii`)).toBe('😀');
  });
});
