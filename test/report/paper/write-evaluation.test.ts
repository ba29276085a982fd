import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type CaseResult,
  defaultFurtherMetrics,
  evaluateCase,
  summarise,
} from '../../../src/evaluation/index.js';
import { writeEvaluation } from '../../../src/report/index.js';
import { axisAlignedAffine } from '../../../src/volume/index.js';

const folder = mkdtempSync(join(tmpdir(), 'write-evaluation-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const number = z.number().nullable();
const spread = z.strictObject({ mean: number, std: number, n: z.int().min(0) });
const means = z.strictObject({ overClasses: number, overCases: number });
const count = z.int().min(0);
/** `evaluation.json` as the formats page promises it to scripts. */
const promised = z.strictObject({
  schema: z.literal(1),
  task: z.string(),
  classes: z.array(z.string()),
  cases: z.array(
    z.strictObject({
      id: z.string(),
      classes: z.record(
        z.string(),
        z.strictObject({
          dice: number,
          hd95: number,
          status: z.enum(['ok', 'missed', 'false-positive', 'absent']),
        }),
      ),
    }),
  ),
  perClass: z.record(
    z.string(),
    z.strictObject({
      dice: spread,
      hd95: spread,
      nUndefined: count,
      nMissed: count,
      nFalsePositiveOnEmpty: count,
    }),
  ),
  mean: z.strictObject({ dice: means, hd95: means }),
});

const cases: CaseResult[] = [
  {
    id: 'a',
    classes: {
      liver: { dice: 0.9, hd95: 2.5, status: 'ok' },
      tumour: { dice: 0, hd95: null, status: 'missed' },
    },
  },
  {
    id: 'b "2", right',
    classes: {
      liver: { dice: 0.8, hd95: 4, status: 'ok' },
      tumour: { dice: null, hd95: null, status: 'false-positive' },
    },
  },
  {
    id: 'c',
    classes: {
      liver: { dice: null, hd95: null, status: 'absent' },
      tumour: { dice: null, hd95: null, status: 'absent' },
    },
  },
];
const evaluation = summarise('msd-liver', ['liver', 'tumour'], cases);

async function written(name: string): Promise<Record<'json' | 'md' | 'csv', string>> {
  await writeEvaluation(join(folder, name, 'evaluation.json'), evaluation);
  expect(readdirSync(join(folder, name)).sort()).toEqual([
    'evaluation.csv',
    'evaluation.json',
    'evaluation.md',
  ]);
  const read = (ending: string) => readFileSync(join(folder, name, `evaluation.${ending}`), 'utf8');
  return { json: read('json'), md: read('md'), csv: read('csv') };
}

/** Fields of an RFC 4180 text without line breaks in fields. */
const csvRows = (text: string) =>
  text
    .split('\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain,
      ),
    );

describe('a written evaluation', () => {
  it('makes its folder and holds in evaluation.json exactly what is promised, undefined numbers as null', async () => {
    const { json } = await written('new/folder');
    const found = JSON.parse(json);
    expect(promised.parse(found)).toEqual(evaluation);
    expect(found.cases[1].classes.tumour).toEqual({ dice: null, hd95: null, status: 'false-positive' });
    expect(found.perClass.tumour).toEqual({
      dice: { mean: 0, std: null, n: 1 },
      hd95: { mean: null, std: null, n: 0 },
      nUndefined: 2,
      nMissed: 1,
      nFalsePositiveOnEmpty: 1,
    });
    expect(json.endsWith('\n')).toBe(true);
  });

  it('has a CSV line a case, class and metric, quoted where needed, empty where undefined', async () => {
    const { csv } = await written('csv');
    expect(csv.split('\n')).toEqual([
      'case,class,metric,value',
      'a,liver,dice,0.9',
      'a,liver,hd95,2.5',
      'a,tumour,dice,0',
      'a,tumour,hd95,',
      '"b ""2"", right",liver,dice,0.8',
      '"b ""2"", right",liver,hd95,4',
      '"b ""2"", right",tumour,dice,',
      '"b ""2"", right",tumour,hd95,',
      'c,liver,dice,',
      'c,liver,hd95,',
      'c,tumour,dice,',
      'c,tumour,hd95,',
      '',
    ]);
    expect(csvRows(csv)[8]).toEqual(['b "2", right', 'tumour', 'hd95', '']);
  });

  it('quotes names with line breaks of any kind', async () => {
    const odd = summarise(
      't',
      ['left\rright', 'a\nb'],
      [
        {
          id: 'x',
          classes: {
            'left\rright': { dice: 1, hd95: 0, status: 'ok' },
            'a\nb': { dice: 1, hd95: 0, status: 'ok' },
          },
        },
      ],
    );
    await writeEvaluation(join(folder, 'odd.json'), odd);
    const text = readFileSync(join(folder, 'odd.csv'), 'utf8');
    expect(text).toContain('\nx,"left\rright",dice,1\nx,"left\rright",hd95,0\n');
    expect(text).toContain('\nx,"a\nb",dice,1\nx,"a\nb",hd95,0\n');
  });

  it('says in Markdown what was reached, what was left out and every case, with dashes for the undefined', async () => {
    const { md } = await written('md');
    const rows = md
      .split('\n')
      .filter((line) => /^\| /.test(line))
      .map((line) =>
        line
          .slice(2, -2)
          .split('|')
          .map((cell) => cell.trim()),
      );
    expect(md.startsWith('# msd-liver\n')).toBe(true);
    expect(rows).toEqual([
      ['method', 'liver Dice', 'tumour Dice', 'mean Dice', 'liver HD95', 'tumour HD95', 'mean HD95'],
      ['msd-liver', '85.00', '0.00', '42.50', '3.25', '-', '3.25'],
      ['class', 'cases', 'missed', 'not in reference', 'predicted though not there'],
      ['liver', '2', '0', '1', '0'],
      ['tumour', '1', '1', '2', '1'],
      ['case', 'class', 'Dice', 'HD95', 'status'],
      ['a', 'liver', '90.00', '2.50', 'ok'],
      ['a', 'tumour', '0.00', '-', 'missed'],
      ['b "2", right', 'liver', '80.00', '4.00', 'ok'],
      ['b "2", right', 'tumour', '-', '-', 'false-positive'],
      ['c', 'liver', '-', '-', 'absent'],
      ['c', 'tumour', '-', '-', 'absent'],
    ]);
  });

  it('replaces an earlier one', async () => {
    await written('again');
    await writeEvaluation(join(folder, 'again', 'evaluation.json'), { ...evaluation, task: 'another' });
    expect(JSON.parse(readFileSync(join(folder, 'again', 'evaluation.json'), 'utf8')).task).toBe('another');
    expect(readdirSync(join(folder, 'again'))).toHaveLength(3);
  });
});

describe('a written evaluation with further metrics', () => {
  const row = (...values: number[]) =>
    ({
      size: [3, 1, 1],
      spacing: [1, 1, 1],
      affine: axisAlignedAffine([1, 1, 1]),
      channels: 1,
      data: Uint8Array.from(values),
    }) as const;
  const liver = [{ name: 'liver', values: [1] }];
  const result = evaluateCase(
    'a',
    row(1, 0, 0),
    row(1, 1, 0),
    liver,
    { prediction: 'p/a.nii', reference: 'l/a.nii' },
    { nsdToleranceMm: [0.5] },
  );
  const facts = {
    classValues: { liver: [1] },
    settings: { nsdToleranceMm: [0.5] },
    software: { hybridmim: '1', node: '2' },
  };
  const full = summarise('t', ['liver'], [result], facts);

  it('has them in CSV and Markdown, and settings and software in JSON', async () => {
    await writeEvaluation(join(folder, 'full', 'evaluation.json'), full);
    expect(
      readFileSync(join(folder, 'full', 'evaluation.csv'), 'utf8')
        .split('\n')
        .slice(3, 5),
    ).toEqual([`a,liver,asd,${1 / 3}`, `a,liver,nsd0.5mm,${2 / 3}`]);
    expect(readFileSync(join(folder, 'full', 'evaluation.md'), 'utf8')).toMatch(
      /\| mean +\| +0.3333 \| +0.6667 \| +-0.0010 \| +-0.5000 \| +0.5000 \| +1.0000 \|/,
    );
    expect(JSON.parse(readFileSync(join(folder, 'full', 'evaluation.json'), 'utf8'))).toMatchObject({
      ...facts,
      schema: 1,
    });
  });

  it("has nnU-Net's summary beside it under nnU-Net's name, and under its own where the evaluation has one", async () => {
    await writeEvaluation(join(folder, 'full', 'test.json'), full);
    const [first, second] = ['summary.json', 'test.summary.json'].map((name) =>
      JSON.parse(readFileSync(join(folder, 'full', name), 'utf8')),
    );
    expect(first.mean['1'].Dice).toBeCloseTo(2 / 3, 12);
    expect(second).toEqual(first);
  });
});

describe('paths of predictions and labels', () => {
  it('are relative to the evaluation, in evaluation.json and in summary.json', async () => {
    const volume = {
      size: [2, 1, 1],
      spacing: [1, 1, 1],
      affine: axisAlignedAffine([1, 1, 1]),
      channels: 1,
      data: Uint8Array.of(0, 1),
    } as const;
    const classes = [{ name: 'liver', values: [1] }];
    const files = {
      prediction: join(folder, 'p', 'a.nii.gz'),
      reference: join(folder, '..', 'l', 'a.nii.gz'),
    };
    const results = [evaluateCase('a', volume, volume, classes, files, defaultFurtherMetrics)];
    const relative = {
      prediction: join('..', 'p', 'a.nii.gz'),
      reference: join('..', '..', 'l', 'a.nii.gz'),
    };
    for (const name of ['evaluation.json', 'other.json']) {
      const file = join(folder, 'relative', name);
      const evaluation = summarise('t', ['liver'], results, {
        classValues: { liver: [1] },
        settings: { nsdToleranceMm: [1] },
        software: { hybridmim: '0', node: '0' },
      });
      const written = await writeEvaluation(file, evaluation);
      expect(written.cases[0]?.files).toEqual(relative);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ cases: [{ files: relative }] });
    }
    const found = readdirSync(join(folder, 'relative')).filter((name) => name.endsWith('summary.json'));
    expect(found).toEqual(['other.summary.json', 'summary.json']);
    for (const name of readdirSync(join(folder, 'relative'))) {
      const text = readFileSync(join(folder, 'relative', name), 'utf8');
      expect(text).not.toContain(folder);
      if (name.endsWith('summary.json'))
        expect(text).toMatch(
          /"prediction_file": "\.\.\/p\/a\.nii\.gz",\s*"reference_file": "\.\.\/\.\.\/l\/a\.nii\.gz"/,
        );
    }
  });
});
