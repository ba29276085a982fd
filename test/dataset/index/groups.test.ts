import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import type { ListedCase } from '../../../src/dataset/index/listed-case.js';
import { assignSplits } from '../../../src/dataset/index/split.js';
import { likelyVisits } from '../../../src/dataset/index/visits.js';
import { checkDatasets, type PreparedIndex, prepareDatasets, withFold } from '../../../src/dataset/index.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { drawnFraction } from '../../../src/training/drawn-fraction.js';
import { referenceFile } from '../../volume/references.js';
import { temporaryFolder, writeCase, writeJson } from '../generated-data.js';

const root = temporaryFolder();
const series = referenceFile('dicom/equal');
let written = 0;

/** A dataset of files that nobody reads, with names alone. */
async function listed(names: readonly string[], extra: object = {}, top: object = {}) {
  const cases = names.map((id) => ({ id, image: `${id}.nii.gz` }));
  const file = writeJson(join(root, `datasets-${written++}.json`), {
    schema: 1,
    ...top,
    datasets: { d: { layout: 'files', modality: 'ct', path: root, cases, ...extra } },
  });
  const [dataset] = await indexDatasets(await readDatasetFile(file));
  return dataset!;
}

const groupsIn = ({ cases }: Awaited<ReturnType<typeof listed>>) =>
  Object.fromEntries(cases.map(({ name, group }) => [name, group]));

/** Groups of which cases lie in several splits. */
function tornGroups(cases: readonly { group?: string | undefined; split: string }[]): string[] {
  const splits = new Map<string, Set<string>>();
  for (const { group, split } of cases)
    if (group !== undefined) splits.set(group, (splits.get(group) ?? new Set()).add(split));
  return [...splits].flatMap(([group, { size }]) => (size > 1 ? [group] : []));
}

/** A small DICOM series whose headers give its patient this id of four letters, or none. */
function writeSeriesOf(folder: string, patient: string): void {
  mkdirSync(folder, { recursive: true });
  const id = Buffer.from([0x10, 0, 0x20, 0, 0, 0, 0, 0]); // the length of an implicit type has four bytes
  for (const file of readdirSync(series)) {
    const bytes = readFileSync(join(series, file));
    const at = bytes.indexOf(id);
    const given = Buffer.concat([id, Buffer.from(patient)]);
    given.writeUInt32LE(patient.length, 4);
    writeFileSync(
      join(folder, file),
      Buffer.concat([bytes.subarray(0, at), given, bytes.subarray(at + id.length)]),
    );
  }
}

/** Up to 12 patients with up to 4 visits each, and cases that are alone. */
const patients = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 12 }).map((visits) =>
  visits.flatMap((count, patient) =>
    Array.from({ length: count }, (_, visit): ListedCase => {
      const name = `p${patient}v${visit}`;
      return { name, images: [name], label: name, ...(count > 1 && { group: `p${patient}` }) };
    }),
  ),
);

describe('the groups of cases', () => {
  it.each<[string, string, Record<string, string>]>([
    ['a pattern with brackets', '^(p[0-9]+)_', { p1_a: 'p1', p1_b: 'p1', p22_a: 'p22' }],
    [
      'a pattern with two pairs of brackets',
      '^(s[0-9])-.*-(p[0-9])',
      { 's1-x-p1': 's1_p1', 's2-y-p1': 's2_p1' },
    ],
    ['a pattern for names of two kinds', '^(p[0-9]+)_|^(case.*)$', { p1_a: 'p1', case9: 'case9' }],
    ['a pattern with a named pair', '(?<patient>[0-9]+)-', { 'x07-1': '07', 'y07-2': '07' }],
  ])('are found by %s', async (_, groups, expected) => {
    expect(groupsIn(await listed(Object.keys(expected), { groups }))).toEqual(expected);
  });

  it.each([
    [
      '^(p[0-9]+)_',
      /groups is "\^\(p\[0-9\]\+\)_", which finds nothing in the case "alone": write a pattern/,
    ],
    ['^p[0-9]+', /which has no brackets: write a pattern such as/],
    ['(p[0-9', /which is neither a CSV file nor a regular expression/],
    ['^(?=p)(p[0-9]+)', /which cannot be searched for in a time that is bounded .*without lookaheads/],
    ['^(p)\\1', /which cannot be searched for in a time that is bounded/],
  ])('are refused with the pattern %s', async (groups, sentence) => {
    const found = listed(['p1_a', 'alone'], { groups });
    await expect(found).rejects.toThrow(sentence);
    await expect(found).rejects.toBeInstanceOf(UsageError);
  });

  it.each(['^((a+)+)$', '^(.*a){20}b', '^(a|aa)+$'])('take no time to speak of with %s', async (groups) => {
    const began = performance.now();
    await expect(listed([`${'a'.repeat(100)}1`], { groups })).rejects.toThrow(/which finds nothing/);
    expect(performance.now() - began).toBeLessThan(10_000); // a search that goes back takes years
  });

  it.each([
    ['commas', 'case,group\na,one\nb,one\nc,"two, three"\n'],
    [
      'semicolons, a mark of the byte order and line ends of Windows',
      '\ufeffCase;Site;Group\r\na;x;one\r\nb;x;one\r\nc;y;two, three\r\n',
    ],
    [
      'tabs, spaces and a line for a case of another dataset',
      'group\tcase\none\t a\none\td/b\n\ntwo, three\tc\nzero\tz\n',
    ],
  ])('are read from a file with %s', async (_, text) => {
    writeFileSync(join(root, 'groups.CSV'), text);
    const dataset = await listed(['a', 'b', 'c'], { groups: 'groups.CSV' });
    expect(groupsIn(dataset)).toEqual({ a: 'one', b: 'one', c: 'two, three' });
    expect(dataset.descriptions).toEqual([join(root, 'groups.CSV')]);
  });

  it.each([
    ['case,group\na,one\n', /groups.csv has no line for the case "b" of d: add it/],
    ['case,group\na,one\na,two\nb,one\n', /puts the case "a" into "one" and into "two": remove one line/],
    ['name,patient\na,one\nb,one\n', /record 1: case: .*; expected a first line "case,group"/],
    ['case,group\na,\nb,one\n', /record 1: group: .*expected a first line "case,group"/],
    ['case,group\n"a,one\n', /groups.csv is no CSV file: .*; expected a first line "case,group"/],
    [undefined, /the file of groups .*groups-3.csv does not exist: correct "groups" in the dataset index/],
  ])('are refused from the file %j', async (text, sentence) => {
    const name = text === undefined ? 'groups-3.csv' : 'groups.csv';
    if (text !== undefined) writeFileSync(join(root, name), text);
    const found = listed(['a', 'b'], { groups: name });
    await expect(found).rejects.toThrow(sentence);
    await expect(found).rejects.toBeInstanceOf(DataError);
  });

  it('are the subjects of BIDS names, wherever a name has them, unless the index says that there are none', async () => {
    const names = [
      'sub-01_ses-01_T1w',
      'sub-01_ses-02_T1w',
      '02_02_sub-02_ses-02',
      'sub-02',
      'sub-012_ses-1',
      'other',
    ];
    expect(groupsIn(await listed(names))).toEqual({
      'sub-01_ses-01_T1w': 'sub-01',
      'sub-01_ses-02_T1w': 'sub-01',
      '02_02_sub-02_ses-02': 'sub-02',
      'sub-02': 'sub-02',
      'sub-012_ses-1': 'sub-012',
      other: undefined,
    });
    expect(Object.values(groupsIn(await listed(names, { groups: false })))).toEqual(
      names.map(() => undefined),
    );
  });

  it('are the patients of BraTS since 2023, and every case of the years before', async () => {
    for (const [names, groups] of [
      [
        ['BraTS-GLI-00005-000', 'BraTS-GLI-00005-001', 'BraTS-MEN-00005-000'],
        ['BraTS-GLI-00005', 'BraTS-GLI-00005', 'BraTS-MEN-00005'],
      ],
      [
        ['BraTS20_Training_001', 'BraTS20_Training_002', 'BraTS2021_00002'],
        [undefined, undefined, undefined],
      ],
    ] as const) {
      const path = join(root, `brats-${written}`);
      for (const name of names) {
        mkdirSync(join(path, name), { recursive: true });
        const separator = name.startsWith('BraTS-') ? '-' : '_';
        const parts =
          separator === '-' ? ['t2f', 't1n', 't1c', 't2w', 'seg'] : ['flair', 't1', 't1ce', 't2', 'seg'];
        for (const part of parts) writeFileSync(join(path, name, `${name}${separator}${part}.nii.gz`), '');
      }
      const file = writeJson(join(root, `datasets-${written++}.json`), {
        schema: 1,
        datasets: { d: { layout: 'brats', path } },
      });
      const [dataset] = await indexDatasets(await readDatasetFile(file));
      expect(dataset!.cases.map(({ group }) => group)).toEqual(groups);
      expect(dataset!.groupOddities).toEqual([]);
    }
  });
});

describe('a drawn split', () => {
  const settings = { file: 'datasets.json', validationShare: 0.2 };

  it('has every group on one side, both sides filled, and no more for validation than its share and a group', () => {
    fc.assert(
      fc.property(patients, fc.nat(999), (cases, seed) => {
        const splits = assignSplits('ct', cases, {}, { ...settings, seed });
        const split = cases.map((listed) => ({ ...listed, split: splits.get(listed.name)! }));
        expect(tornGroups(split)).toEqual([]);
        const validating = split.filter((listed) => listed.split === 'validation').length;
        expect(validating).toBeGreaterThan(0);
        expect(validating).toBeLessThan(cases.length);
        expect(validating).toBeLessThanOrEqual(Math.max(4, Math.round(0.2 * cases.length)));
        expect(assignSplits('ct', [...cases].reverse(), {}, { ...settings, seed })).toEqual(splits);
      }),
    );
  });

  it('is that of the names where each case is a group', () => {
    const names = Array.from({ length: 30 }, (_, i) => `case${i}`);
    const alone = names.map((name): ListedCase => ({ name, images: [name] }));
    const grouped = alone.map((listed) => ({ ...listed, group: `of ${listed.name}` }));
    for (let seed = 0; seed < 5; seed++)
      expect(assignSplits('ct', grouped, {}, { ...settings, seed })).toEqual(
        assignSplits('ct', alone, {}, { ...settings, seed }),
      );
  });

  it('takes half of two patients, and nothing of one', () => {
    const visits = (patient: string) =>
      ['a', 'b', 'c'].map(
        (visit): ListedCase => ({ name: `${patient}${visit}`, images: [], group: patient }),
      );
    const count = (cases: ListedCase[]) =>
      [...assignSplits('ct', cases, {}, { ...settings, seed: 0 }).values()].filter(
        (split) => split === 'validation',
      ).length;
    expect([count([...visits('p'), ...visits('q')]), count(visits('p'))]).toEqual([3, 0]);
  });

  it('puts what is of one group with a case that is fixed beside it', async () => {
    const names = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1'];
    const { cases, groupOddities } = await listed(names, {
      groups: '^([a-d])',
      splits: { validation: ['a1'], test: ['b2'], training: ['c1'] },
    });
    const labelled = Object.fromEntries(cases.map(({ name, split }) => [name, split]));
    expect(labelled).toMatchObject({
      a1: 'validation',
      a2: 'validation',
      c1: 'training',
      c2: 'training',
      d1: 'training',
    });
    expect(labelled).toMatchObject({ b1: 'test', b2: 'test' });
    expect(groupOddities).toEqual([]);
    // The scans of a challenge's test part have no labels and evaluate nothing: they take no case out of training.
    const visit = { images: ['b'], group: 'b' };
    const challenge: ListedCase[] = [
      { ...visit, name: 'b1', label: 'b1' },
      { ...visit, name: 'b2', split: 'test' },
    ];
    expect(assignSplits('ct', challenge, {}, { ...settings, seed: 0 }).get('b1')).toBe('training');
    const evaluated = challenge.map((listed) => ({ ...listed, label: listed.name }));
    expect(assignSplits('ct', evaluated, {}, { ...settings, seed: 0 }).get('b1')).toBe('test');
  });
});

describe('folds and shares', () => {
  const indexOf = (cases: readonly ListedCase[]): PreparedIndex =>
    ({
      schema: 1,
      seed: 0,
      validationShare: 0.2,
      datasets: { d: {} },
      cases: cases.map(({ name, group }) => ({
        id: `d/${name}`,
        dataset: 'd',
        name,
        group,
        split: 'training',
      })),
      skipped: [],
    }) as unknown as PreparedIndex;

  it('of a cross-validation have every group on one side, each case validating once, in parts alike but for a group', () => {
    fc.assert(
      fc.property(patients, fc.integer({ min: 2, max: 5 }), (cases, folds) => {
        fc.pre(new Set(cases.map(({ name, group }) => group ?? name)).size >= folds);
        const parts = Array.from(
          { length: folds },
          (_, i) => withFold(indexOf(cases), { fold: i + 1, folds }).cases,
        );
        for (const part of parts) expect(tornGroups(part)).toEqual([]);
        const validating = parts.map((part) => part.filter(({ split }) => split === 'validation'));
        expect(validating.flat()).toHaveLength(cases.length);
        expect(new Set(validating.flat().map(({ id }) => id)).size).toBe(cases.length);
        const sizes = validating.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(4);
      }),
    );
    const two = ['p', 'q'].flatMap((group) =>
      ['1', '2'].map((n): ListedCase => ({ name: group + n, images: [], group })),
    );
    expect(() => withFold(indexOf(two), { fold: 1, folds: 3 })).toThrow(
      /dataset d has 4 cases of 2 groups, fewer than 3 folds/,
    );
  });

  it('of the training cases have whole groups, and lie within one another', () => {
    fc.assert(
      fc.property(patients, fc.nat(99), (cases, seed) => {
        const { cases: prepared } = indexOf(cases);
        let smaller: string[] = [];
        for (const fraction of [0.05, 0.2, 0.5, 0.8, 1]) {
          const drawn = drawnFraction(prepared, fraction, seed);
          const split = prepared.map(({ id, group }) => ({
            group,
            split: drawn.includes(id) ? 'in' : 'out',
          }));
          expect(tornGroups(split)).toEqual([]);
          expect(smaller.every((id) => drawn.includes(id))).toBe(true);
          expect(drawn.length).toBeLessThanOrEqual(Math.max(4, Math.round(fraction * cases.length)));
          smaller = drawn;
        }
        expect(smaller).toHaveLength(cases.length);
      }),
    );
  });
});

describe('names that look like visits', () => {
  const found = (names: readonly string[]) => likelyVisits(names.map((name) => ({ name, images: [] })));

  it.each<[readonly string[], number]>([
    [['p1_1', 'p1_2', 'p2_1', 'p3_1'], 1],
    [['pat07_baseline', 'pat07_followup', 'pat08_baseline', 'pat08_followup'], 2],
    [['anna-v1', 'anna-v2', 'bert-v1'], 1],
    [['case3_20190102', 'case3_20200305', 'case4_20190102'], 1],
    [['case3_2019-01-02', 'case3_2020-03-05', 'case4_2019-01-02'], 1],
    [['X12a', 'X12b', 'X13a', 'X14a'], 1],
    [['01_pre', '01_post'], 1],
    [['A_timepoint1', 'A_timepoint2', 'B_timepoint1'], 1],
    [['HN-1_T0', 'HN-1_T1', 'HN-2_T0'], 1],
    [['P1-session-01', 'P1-session-02'], 1],
    [['p01_visit1_ct', 'p01_visit2_ct', 'p02_visit1_ct'], 1],
    [['v1_p01', 'v2_p01', 'v1_p02'], 1],
    [['s1.v1', 's1.v2', 's2.v1'], 1],
    [['case1 visit 2', 'case1 visit 1', 'case2 visit 1'], 1],
    [['S001V1', 'S001V2', 'S002V1'], 1],
    [['P1M0', 'P1M6', 'P2M0'], 1],
    [['TCGA-02-0003_1997.06.08', 'TCGA-02-0003_1998.01.01', 'TCGA-02-0006_1996.08.23'], 1],
    [['CT_p1_20200101_a', 'CT_p1_20210101_a', 'CT_p2_20200101_a'], 1],
    [['UCSF-PDGM-0001_nifti', 'UCSF-PDGM-0002_nifti', 'UCSF-PDGM-0002_FU001d_nifti'], 1],
    [['Patient-005_week-000-1', 'Patient-005_week-011', 'Patient-006_week-000'], 1],
    [['10_preRT', '10_midRT', '11_preRT'], 1],
    [['P7_FU1_ct', 'P7_ct', 'P8_ct'], 1],
    [['HN1_pre-op', 'HN1_post-op', 'HN2_pre-op'], 1],
    [['p1_before', 'p1_after', 'p2_before'], 1],
    [['p1_1st', 'p1_2nd', 'p2_1st'], 1],
    [['p1-inhale', 'p1-exhale', 'p2-inhale'], 1],
    [['p1_follow-up_1', 'p1_follow-up_2', 'p2_follow-up_1'], 1],
    [['Glioma-Post_0003_Timepoint_1', 'Glioma-Post_0003_Timepoint_2', 'Glioma-Post_0004_Timepoint_1'], 1],
  ])('are found: %j', (names, patients) => {
    expect(found(names)?.patients).toBe(patients);
  });

  it.each([
    [['liver_0', 'liver_1', 'liver_10']],
    [['img0001', 'img0002']],
    [['BraTS20_Training_001', 'BraTS20_Training_002', 'BraTS20_Training_010']],
    [['volume-covid19-A-0003', 'volume-covid19-A-0014']],
    [['ATM_001', 'ATM_002']],
    [['KiTS_2019_001', 'KiTS_2019_002', 'KiTS_2019_003']],
    [['train_000', 'validation_001']],
    [['1.3.6.1.4.1.14519.5.2.1', '1.3.6.1.4.1.14519.5.2.2']],
    [['TCGA-02-0006', 'TCGA-02-0009', 'TCGA-06-0119', 'TCGA-06-0122']],
    [['p1_1', 'p2_1', 'p3_1']],
    [['ct_scan_001', 'ct_scan_002', 'ct_scan_003']],
    [['study_001', 'study_002']],
    [['Post-0001', 'Post-0002', 'Post-0003']],
    [['a3f2d9', 'a3f2d7', 'b1c2d9']],
    [['p1_pre', 'p2_pre', 'p3_post']],
  ])('are not found: %j', (names) => {
    expect(found(names)).toBeUndefined();
  });

  it('are a finding where DICOM headers say the patient, who is not named', async () => {
    const folder = join(root, 'patients');
    const patients = { a: 'Doe1', b: 'Roe2', c: 'Doe1', d: '', e: '' };
    for (const [name, patient] of Object.entries(patients)) writeSeriesOf(join(folder, name), patient);
    const cases = Object.keys(patients).map((id) => ({ id, image: id }));
    const found = async (extra: object) => {
      const datasetsFile = writeJson(join(folder, 'datasets.json'), {
        schema: 1,
        datasets: { d: { layout: 'files', modality: 'ct', cases, ...extra } },
      });
      const { findings } = await checkDatasets({ datasetsFile, workers: 1 });
      return findings.filter(({ kind }) => kind === 'visits');
    };
    const [finding, ...others] = await found({});
    expect([finding?.id, others]).toEqual(['d/a', []]);
    expect(finding?.message).toMatch(
      /^2 cases of "d" are of 1 patient by the PatientID of their DICOM headers, such as a, c: .* set "groups"/,
    );
    expect(finding?.message).not.toContain('Doe1');
    expect([await found({ groups: false }), await found({ groups: '^([a-e])' })]).toEqual([[], []]);
    const grouped = ['a', 'c'].map((image) => ({ id: `sub-1_${image}`, image }));
    expect(await found({ cases: grouped })).toEqual([]);
  });

  it('are a finding of the check and a note of prepare, until the index says what they are', async () => {
    const folder = join(root, 'visits');
    const names = ['p1_1', 'p1_2', 'p2_1', 'p3_1'];
    for (const [i, name] of names.entries()) await writeCase(folder, name, [9 + i, 8, 7], { label: false });
    const cases = names.map((id) => ({ id, image: `${id}.nii.gz` }));
    const run = async (extra: object, splitFile?: string) => {
      const datasetsFile = writeJson(join(folder, 'datasets.json'), {
        schema: 1,
        datasets: { d: { layout: 'files', modality: 'ct', spacing: null, cases, ...extra } },
      });
      const { findings } = await checkDatasets({ datasetsFile, workers: 1, splitFile });
      const { index, notes } = await prepareDatasets({
        datasetsFile,
        out: join(folder, 'out'),
        workers: 1,
        splitFile,
      });
      return {
        findings: findings.map(({ id, kind, severity }) => [id, kind, severity]),
        messages: findings.map(({ message }) => `d: ${message}`),
        notes,
        index,
      };
    };
    const plain = await run({});
    expect(plain.findings).toEqual([['d/p1_1', 'visits', 'odd']]);
    expect(plain.notes).toEqual(plain.messages);
    expect(plain.notes[0]).toMatch(
      /^d: 2 cases of "d" look like visits of 1 patients, such as p1_1, p1_2: .* set "groups" to a pattern/,
    );
    expect((await run({ groups: false })).findings).toEqual([]);
    const grouped = await run({ groups: '^(p[0-9])' });
    expect([grouped.findings, grouped.notes]).toEqual([[], []]);
    expect(grouped.index.cases.map(({ group }) => group)).toEqual(['p1', 'p1', 'p2', 'p3']);
    const listed = { splits: { training: ['p1_1'], validation: ['p1_2'] } };
    const torn = await run({ groups: '^(p[0-9])', ...listed });
    expect(torn.findings).toEqual([['d/p1_1', 'split-group', 'odd']]);
    expect(torn.notes[0]).toBe(
      'd: the group "p1" of "d" is on two sides of the split, p1_1 (training) and p1_2 (validation), as the index lists them: list them in one split',
    );
    const splitFile = writeJson(join(folder, 'splits.json'), { d: listed.splits });
    expect((await run({ groups: '^(p[0-9])' }, splitFile)).findings).toEqual(torn.findings);
    const back = await run({});
    expect(back.index.cases.every(({ group }) => group === undefined)).toBe(true);
  });
});
