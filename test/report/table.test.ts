import { describe, expect, it } from 'vitest';
import { type CaseResult, type ClassResult, summarise } from '../../src/evaluation/index.js';
import { evaluationCells, fittedTable, markdownTable, millimetres, percent } from '../../src/report/index.js';

const result = (
  dice: number | null,
  hd95: number | null,
  status: ClassResult['status'] = 'ok',
): ClassResult => ({ dice, hd95, status });
const evaluation = (...cases: readonly CaseResult[]) => summarise('task', ['liver', 'tumour'], cases);

describe('the cells of the paper-shaped table', () => {
  it('are Dice in percent a class and their mean, then HD95 in mm likewise, with two decimals', () => {
    const first = evaluation(
      { id: 'a', classes: { liver: result(0.9, 2), tumour: result(0.5, 10) } },
      { id: 'b', classes: { liver: result(0.95555, 3.5), tumour: result(0.7, 4.004) } },
    );
    expect(evaluationCells([{ name: 'HybridMIM', evaluation: first }])).toEqual({
      header: ['method', 'liver Dice', 'tumour Dice', 'mean Dice', 'liver HD95', 'tumour HD95', 'mean HD95'],
      body: [['HybridMIM', '92.78', '60.00', '76.39', '2.75', '7.00', '4.88']],
    });
  });

  it('are dashes where a number is undefined, and the mean is over the others', () => {
    const missed = evaluation({
      id: 'a',
      classes: { liver: result(1, 0), tumour: result(0, null, 'missed') },
    });
    const absent = evaluation({
      id: 'a',
      classes: { liver: result(0.5, 1), tumour: result(null, null, 'absent') },
    });
    const none = evaluation({
      id: 'a',
      classes: { liver: result(null, null, 'absent'), tumour: result(null, null, 'false-positive') },
    });
    const rows = [missed, absent, none].map((found, i) => ({ name: `run ${i}`, evaluation: found }));
    expect(evaluationCells(rows).body).toEqual([
      ['run 0', '100.00', '0.00', '50.00', '0.00', '-', '0.00'],
      ['run 1', '50.00', '-', '50.00', '1.00', '-', '1.00'],
      ['run 2', '-', '-', '-', '-', '-', '-'],
    ]);
  });
});

describe('numbers as the paper prints them', () => {
  it('are percent and millimetres with two decimals, or a dash', () => {
    expect([0, 0.85694, 1, null].map(percent)).toEqual(['0.00', '85.69', '100.00', '-']);
    expect([0, 4.358, 120, null].map(millimetres)).toEqual(['0.00', '4.36', '120.00', '-']);
  });
});

describe('a Markdown table', () => {
  it('has the first column on the left and numbers on the right, every column as wide as its longest cell', () => {
    const table = markdownTable(
      ['method', 'Dice'],
      [
        ['UNet from scratch', '84.41'],
        ['HybridMIM', '100.00'],
      ],
    );
    expect(table.split('\n')).toEqual([
      '| method            |   Dice |',
      '|:------------------|-------:|',
      '| UNet from scratch |  84.41 |',
      '| HybridMIM         | 100.00 |',
    ]);
  });

  it('is a header alone without rows', () => {
    expect(markdownTable(['a', 'bc'], [])).toBe('| a | bc |\n|:--|---:|');
  });

  it('stays a table when a name holds a bar', () => {
    const [header, , row] = markdownTable(['class', 'n'], [['left|right', '3']]).split('\n');
    expect(row).toBe('| left\\|right | 3 |');
    expect(header).toHaveLength(row!.length);
  });
});

describe('a table in a terminal', () => {
  const titles = ['method', 'liver Dice', 'tumour Dice'];
  const rows = [
    ['a', '1.00', '2.00'],
    ['b', '3.00', '4.00'],
  ];
  const turned = [
    '| method      |    a |    b |',
    '|:------------|-----:|-----:|',
    '| liver Dice  | 1.00 | 3.00 |',
    '| tumour Dice | 2.00 | 4.00 |',
  ].join('\n');

  it('is turned round where it is wider than the terminal, and nowhere else', () => {
    const table = markdownTable(titles, rows);
    expect(fittedTable(titles, rows, Number.POSITIVE_INFINITY)).toBe(table);
    expect(fittedTable(titles, rows, table.indexOf('\n'))).toBe(table);
    expect(fittedTable(titles, rows, table.indexOf('\n') - 1)).toBe(turned);
  });

  it('stays as it is where turning it round makes it no narrower', () => {
    const many = ['a', 'b', 'c', 'd'].map((name) => [`${name} long name`, '1.00']);
    expect(fittedTable(['m', 'Dice'], many, 10)).toBe(markdownTable(['m', 'Dice'], many));
  });
});
