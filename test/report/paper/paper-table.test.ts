import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type CaseResult, summarise } from '../../../src/evaluation/index.js';
import { type NamedResult, paperTables, paperTaskOf, writePaperTables } from '../../../src/report/index.js';

const fixtures = new URL('../fixtures/', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'paper-tables-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const classesOf = (task: string): string[] => {
  const { classes, regions } = parse(readFileSync(`configs/tasks/${task}.yaml`, 'utf8')) as Record<
    'classes' | 'regions',
    Record<string, string>
  >;
  return regions ? Object.keys(regions) : Object.values(classes);
};

/** A result whose classes have given Dice and HD95. */
function resultOf(
  name: string,
  task: string,
  numbers: readonly (readonly [number | null, number | null])[],
  backbone?: string,
): NamedResult {
  const classes = classesOf(task);
  const entries = classes.map((label, i) => {
    const [dice, hd95] = numbers[i]!;
    return [label, { dice, hd95, status: dice === null ? 'absent' : 'ok' }] as const;
  });
  return {
    name,
    backbone,
    evaluation: summarise(task, classes, [{ id: 'a', classes: Object.fromEntries(entries) } as CaseResult]),
  };
}

const given: readonly NamedResult[] = [
  resultOf('ours (UNet)', 'btcv', [
    [0.96, 1],
    [0.944, 1],
    [0.95, 1],
    [0.7, 1],
    [0.7584, 1],
    [0.9672, 1],
    [0.8, 1],
    [0.91, 1],
    [0.86, 1],
    [0.7, 1],
    [0.8, 1],
    [null, null],
    [0.6, 1],
  ]),
  resultOf('ours (UNet)', 'msd-liver', [
    [0.9601, 0.3],
    [0.5301, 12.345],
  ]),
  resultOf('ours (UNet)', 'msd-spleen', [[0.955, 0.2]]),
  resultOf('spleen only, 100 % & more_', 'msd-spleen', [[0.97, null]]),
  resultOf('ours (UNet)', 'brats', [
    [0.915, 4],
    [0.8735, 5],
    [0.8, 6],
  ]),
  {
    ...resultOf(
      'all losses',
      'brats',
      [
        [0.915, 4],
        [0.8735, 5],
        [0.8, 6],
      ],
      'unet',
    ),
    table: 4,
  },
];

describe('the published rows', () => {
  it.each([1, 2, 3, 4] as const)('of Table %i equal the text of the paper cell by cell', (number) => {
    const printed = sourceRows(number);
    const rows = paperTables([])[number - 1]!.rows.map(({ labels, cells }) => ({
      labels,
      cells: cells.map(({ text }) => text),
    }));
    expect(rows.map(({ cells }) => cells)).toEqual(printed.map(({ cells }) => cells));
    // Table 4's text keeps labels of its supervised rows alone; the rest of the column is symbols that are lost.
    for (const [i, { labels }] of printed.entries())
      if (labels.length > 0) expect(rows[i]!.labels).toEqual(labels);
    expect(rows.length).toBe({ 1: 11, 2: 11, 3: 11, 4: 12 }[number]);
  });

  it('have columns in the order of the text', () => {
    const headers = paperTables([]).map(({ header }) => header);
    const source = sections();
    expect(headers[0]).toEqual(cellsOf(source[1]![0]!));
    expect(headers[2]).toEqual(cellsOf(source[3]![0]!));
    expect(headers[3]!.slice(2)).toEqual(cellsOf(source[4]![1]!));
    const metrics = cellsOf(source[2]![1]!).slice(1);
    const parts = cellsOf(source[2]![2]!);
    const expected = metrics.map((metric, i) => (i < 6 ? `${metric} ${parts[i]}` : `Spleen ${metric}`));
    expect(headers[1]!.slice(1)).toEqual(expected);
  });

  it('keep the average that does not follow from its row, and say so under the table', () => {
    const tables = paperTables([]);
    expect(tables[1]!.rows[0]!.cells[5]!.text).toBe('25.31');
    expect(tables[1]!.notes.slice(1)).toEqual([
      'SegresNet: the published HD Avg of 25.31 is not the mean of its row (8.06); it is copied as printed.',
    ]);
    expect([tables[0]!.notes, tables[2]!.notes]).toEqual([[], []]);
  });
});

describe('a table in the shape of the paper', () => {
  it.each(['table-1', 'table-2', 'table-3', 'table-4'])(
    '%s is the golden file, as Markdown and LaTeX',
    async (name) => {
      const files = await writePaperTables(folder, given);
      expect(files.map((file) => basename(file))).toHaveLength(8);
      for (const extension of ['md', 'tex']) {
        await expect(readFileSync(join(folder, `${name}.${extension}`), 'utf8')).toMatchFileSnapshot(
          `../fixtures/${name}.${extension}`,
        );
      }
    },
  );

  it('puts results of one name into one row, and dashes where it was not evaluated', () => {
    const ours = paperTables(given)[1]!.rows.filter(({ published }) => !published);
    expect(ours.map(({ labels, cells }) => [...labels, ...cells.map(({ text }) => text)])).toEqual([
      ['ours (UNet)', '96.01', '53.01', '74.51', '0.30', '12.35', '6.32', '95.50', '0.20'],
      ['spleen only, 100 % & more_', '-', '-', '-', '-', '-', '-', '97.00', '-'],
    ]);
  });

  it('has a result on BraTS in the table that it was made for, which is the third where nothing is said', () => {
    const rowsOf = (results: readonly NamedResult[]) =>
      paperTables(results).map(({ rows }) =>
        rows.flatMap(({ labels, published }) => (published ? [] : [labels.join(' ')])),
      );
    expect(rowsOf(given)).toEqual([
      ['ours (UNet)'],
      ['ours (UNet)', 'spleen only, 100 % & more_'],
      ['ours (UNet)'],
      ['unet all losses'],
    ]);
  });

  it('parts results of one name by their backbone', () => {
    const [unet, swin] = ['UNet', 'Swin'].map((backbone) => ({ ...given.at(-1)!, backbone }));
    const ours = paperTables([unet!, swin!])[3]!.rows.filter(({ published }) => !published);
    expect(ours.map(({ labels }) => labels)).toEqual([
      ['UNet', 'all losses'],
      ['Swin', 'all losses'],
    ]);
  });

  it('names a row whose weights were chosen by the cases that it is evaluated on', () => {
    const [result] = given;
    const of = (chosenOnTheseCases: boolean) => {
      const weights = { checkpoint: 'best', chosenOnTheseCases } as const;
      return paperTables([{ ...result!, evaluation: { ...result!.evaluation, weights } }])[0]!.notes;
    };
    expect(of(true)).toEqual([
      expect.stringMatching(/^ours \(UNet\) \(btcv\): the evaluated cases chose these weights.*too good/),
    ]);
    expect(of(false)).toEqual([]);
  });

  it('gives two results of one name and task a row each', () => {
    const twice = [resultOf('a', 'msd-spleen', [[0.9, 1]]), resultOf('a', 'msd-spleen', [[0.8, 1]])];
    expect(paperTables(twice)[1]!.rows.filter(({ published }) => !published)).toHaveLength(2);
  });

  it('ranks the best three Dice of a column, higher first, ties alike', () => {
    const [, table] = paperTables(given);
    const column = (i: number) =>
      table!.rows.flatMap(({ cells }) => (cells[i]!.rank ? [[cells[i]!.text, cells[i]!.rank]] : []));
    expect(column(1)).toEqual([
      ['52.53', 3],
      ['52.81', 2],
      ['53.01', 1],
    ]);
    expect(column(6)).toEqual([
      ['95.97', 3],
      ['96.05', 2],
      ['97.00', 1],
    ]);
  });

  it('never ranks or compares a published distance, which has no unit, and says so', () => {
    const three = [0.1, 0.2, 0.2, 40].map((hd95, i) => resultOf(`run ${i}`, 'msd-spleen', [[0.9, hd95]]));
    for (const results of [[], three.slice(0, 1), given, three]) {
      const { rows, header, comparable, notes } = paperTables(results)[1]!;
      const distances = header.slice(1).flatMap((title, i) => (/HD/.test(title) ? [i] : []));
      expect(distances).toEqual([3, 4, 5, 7]);
      expect(comparable.flatMap((of, i) => (of ? [] : [i]))).toEqual(distances);
      for (const { cells, published } of rows)
        for (const i of distances) if (published) expect(cells[i]!.rank).toBeUndefined();
      expect(notes.join(' ')).toMatch(/no unit.*not ranked.*must not be compared with ours.*HD95 in mm/);
    }
    const ours = (results: readonly NamedResult[]) =>
      paperTables(results)[1]!.rows.flatMap(({ cells, published }) => (published ? [] : [cells[7]!.rank]));
    expect(ours(three)).toEqual([1, 2, 2, undefined]); // among themselves, the least first
    expect(ours(three.slice(0, 1))).toEqual([undefined]); // nothing to compare with
    expect(ours(given)).toEqual([undefined, undefined]); // the other has none
    expect(paperTables(three)[1]!.caption).toContain('published: no unit given');
  });

  it('never ranks a number behind one that is worse', () => {
    const dice = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(dice, { minLength: 1, maxLength: 8 }), (values) => {
        const rows = paperTables(
          values.map((value, i) => resultOf(`run ${i}`, 'msd-spleen', [[value, 1]])),
        )[1]!.rows;
        const ranked = rows
          .map(({ cells }) => cells[6]!)
          .map(({ text, rank }) => ({ value: Number(text), rank: rank ?? 4 }));
        for (const a of ranked)
          for (const b of ranked) if (a.rank < b.rank) expect(a.value).toBeGreaterThan(b.value);
        expect(ranked.filter(({ rank }) => rank <= 3).length).toBeGreaterThanOrEqual(3);
      }),
      { numRuns: 30 },
    );
  });
});

/** What collections and their users call the classes of the tables. */
const realNames: readonly (readonly [origin: string, task: string, classes: readonly string[]])[] = [
  ['Task03_Liver of the Decathlon', 'msd-liver', ['liver', 'cancer']],
  ["nnU-Net's LiTS", 'msd-liver', ['liver', 'tumor']],
  ['Task09_Spleen of the Decathlon', 'msd-spleen', ['spleen']],
  [
    "MONAI's dataset_0.json of BTCV",
    'btcv',
    [
      ...['spleen', 'rkid', 'lkid', 'gall', 'eso', 'liver', 'sto'],
      ...['aorta', 'IVC', 'veins', 'pancreas', 'rad', 'lad'],
    ],
  ],
  [
    "nnU-Net's BTCV",
    'btcv',
    [
      ...['spleen', 'right kidney', 'left kidney', 'gallbladder', 'esophagus', 'liver', 'stomach', 'aorta'],
      ...['inferior vena cava', 'portal vein and splenic vein', 'pancreas'],
      ...['right adrenal gland', 'left adrenal gland'],
    ],
  ],
  [
    "TotalSegmentator's names",
    'btcv',
    [
      ...['spleen', 'kidney_right', 'kidney_left', 'gallbladder', 'esophagus', 'liver', 'stomach', 'aorta'],
      ...['inferior_vena_cava', 'portal_vein_and_splenic_vein', 'pancreas'],
      ...['adrenal_gland_right', 'adrenal_gland_left'],
    ],
  ],
  [
    "the paper's own titles",
    'btcv',
    ['Spl', 'RKid', 'LKid', 'Gall', 'Eso', 'Liv', 'Sto', 'Aor', 'IVC', 'PSV', 'Pan', 'Rag', 'Lag'],
  ],
  ['BraTS', 'brats', ['whole tumor', 'tumor core', 'enhancing tumor']],
];

describe.each(realNames)('the classes of %s', (_, task, classes) => {
  it('fill every cell of their task, each in the column of its class', () => {
    const found = Object.fromEntries(
      classes.map((name, i) => [name, { dice: (i + 1) / 100, hd95: i + 1, status: 'ok' as const }]),
    );
    const evaluation = summarise(task, classes, [{ id: 'a', classes: found }]);
    const named = resultOf(
      'x',
      task,
      classes.map((_, i) => [(i + 1) / 100, i + 1]),
    );
    const oursIn = (result: NamedResult) =>
      paperTables([result]).flatMap(({ rows }) =>
        rows.flatMap(({ cells, published }) => (published ? [] : [cells.map(({ text }) => text)])),
      );
    const [row, ...others] = oursIn({ name: 'x', evaluation });
    expect(others).toEqual([]);
    expect(row).toEqual(oursIn(named)[0]);
    const own = { btcv: [0, 14], 'msd-liver': [0, 6], 'msd-spleen': [6, 8], brats: [0, 4] }[task]!;
    expect(row!.slice(...own)).not.toContain('-');
  });
});

describe('the task of an evaluation', () => {
  it.each(['btcv', 'msd-liver', 'msd-spleen', 'brats'])(
    'is %s by the classes of its configuration, in any order',
    (task) => {
      expect(paperTaskOf(classesOf(task).toReversed())).toBe(task);
    },
  );

  it('is none for other classes, and for some of the 13 organs', () => {
    expect(paperTaskOf(['kidney'])).toBeUndefined();
    expect(paperTaskOf(['liver', 'cancer', 'tumour'])).toBeUndefined(); // two names of one class
    expect(paperTaskOf(['liver', 'cancer', 'spleen'])).toBeUndefined();
    expect(paperTaskOf(classesOf('btcv').slice(1))).toBeUndefined();
    expect(paperTaskOf([])).toBeUndefined();
  });
});

/** Lines of the paper's text by the number of their table. */
function sections(): Record<number, string[]> {
  const parts = readFileSync(new URL('paper-tables.txt', fixtures), 'utf8')
    .split(/^# Table (\d)\n/m)
    .slice(1);
  return Object.fromEntries(
    Array.from({ length: 4 }, (_, i) => [Number(parts[2 * i]), parts[2 * i + 1]!.trim().split('\n')]),
  );
}

function sourceRows(number: number): { labels: string[]; cells: string[] }[] {
  const rows = sections()
    [number]!.map(cellsOf)
    .filter((cells) => cells.filter((cell) => /^\d+\.\d+$/.test(cell)).length >= 4);
  return rows.map((cells) => ({
    labels: cells.filter((cell) => !/^\d/.test(cell)),
    cells: cells.filter((cell) => /^\d/.test(cell)),
  }));
}

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .map((cell) => cell.trim())
    .filter((cell) => cell !== '');
