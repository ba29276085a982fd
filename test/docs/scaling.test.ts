import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pageWithTables, scalingTables } from '../../benchmarks/scaling-model.mjs';

const page = readFileSync('docs/scaling.md', 'utf8');

/** The cells of a row of a table that begins with `first`. */
const cellsOf = (table: string, first: string) =>
  table
    .split('\n')
    .map((line) => line.slice(2, -2).split(' | '))
    .find(([cell]) => cell === first);

describe('the page on scaling', () => {
  it('has the tables that the model computes: node benchmarks/scaling-model.mjs --write puts them there', () => {
    expect(pageWithTables(page)).toBe(page);
    expect(page).not.toContain('undefined');
    expect(page).not.toContain('NaN');
  });

  it('has no table without its marks', () => {
    expect(() => pageWithTables(page.replace('<!-- table: loader -->', ''))).toThrow(
      /no marks of the table loader/,
    );
  });

  it('has bytes of a ring and of pairs, as worked out by hand for the 91.9442 MB of the UNet', () => {
    const { reduction = '' } = scalingTables();
    expect(cellsOf(reduction, '2')?.map(Number).slice(0, 5)).toEqual([2, 91.9, 0.15, 0.01, 91.9]);
    expect(cellsOf(reduction, '8')?.map(Number)).toEqual([8, 161, 0.27, 0.02, 276, 0.46, 0.03]); // 1.75 and 3 times
    expect(cellsOf(reduction, '64')?.map(Number)[1]).toBe(181); // 126 / 64
  });

  it('has cores and bytes of one GPU, as worked out by hand', () => {
    // Four crops in 0.1 s, 58 ms and 6.2 MB each.
    expect(cellsOf(scalingTables().loader ?? '', 'Models Genesis')?.slice(-2)).toEqual(['2.32', '248']);
  });

  it('names the slowest as what is waited for', () => {
    // 64 x 4 crops of 53 MB at 5 GB/s last 2.7 s, the GPU with its sum 2.7 s, of which the disk is a little slower.
    const row = cellsOf(scalingTables()['sizes-models-genesis-128'] ?? '', '64');
    expect(row?.slice(1, 4)).toEqual(['94.3', '87 %', 'disk']);
  });
});
