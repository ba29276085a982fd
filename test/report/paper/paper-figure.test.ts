import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { paperFigureSpec, writePaperFigure } from '../../../src/report/figures/paper-figure-spec.js';
import { specToSvg } from '../../../src/report/figures/spec-to-svg.js';
import { type OwnPoint, paperFigure, paperFigureMarkdown } from '../../../src/report/index.js';
import { temporaryFolder } from '../../temporary-folder.js';

const folder = temporaryFolder();
const own = (row: string, dice: number | null, seconds: number | null = null, share = 1): OwnPoint => ({
  row,
  share,
  dice,
  seconds,
});
const sizes = [
  own('64-32-128', 0.81, 1.5),
  own('32-16-128', 0.84, 2),
  own('32-16-96', 0.83, 1.25),
  own('32-16-64', null, 1),
];
const curves = ['HybridMIM(Swin)', 'TransVW', 'UNetFormer'].flatMap((row, i) =>
  [0.2, 1].map((share) => own(row, 0.7 + 0.01 * i + 0.1 * share, 1, share)),
);
const bars = ['TransVW', 'HybridMIM(Swin), not partial', 'HybridMIM(UNet)'].map((row, i) =>
  own(row, null, 3 - i),
);
const cellsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => /^\|[^:]/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

describe('figure 6 as a table', () => {
  it('has what the text gives of two sizes, Dice and seconds, beside ours, and nothing of the others', () => {
    const text = paperFigureMarkdown(paperFigure(6, sizes));
    expect(cellsOf(text)).toEqual([
      ['sub-volume-patch-region', 'Dice', 'Dice (published)', 's a step', 's a step (published)'],
      ['64-32-128', '81.00', '-', '1.50', '-'],
      ['32-16-128', '84.00', '85.79', '2.00', '1.03'],
      ['32-16-96', '83.00', '85.57', '1.25', '0.68'],
      ['32-16-64', '-', '-', '1.00', '-'],
    ]);
    expect(text).toMatch(/drawn in the picture of the paper alone, and its text gives no number/);
  });

  it('lists what the text gives of sizes that were not run', () => {
    expect(cellsOf(paperFigureMarkdown(paperFigure(6, sizes.slice(0, 1))))[2]).toEqual([
      ...['32-16-128', '-', '85.79', '-', '1.03'],
    ]);
  });
});

describe('figure 4 as a table', () => {
  it('has the stated Dice at 20 % and 60 % of the labels, and the two that differences give', () => {
    const rows = cellsOf(paperFigureMarkdown(paperFigure(4, curves)));
    expect(rows.slice(1).map(([row, share, , published]) => [row, share, published])).toEqual([
      ['HybridMIM(Swin)', '20%', '82.55'],
      ['HybridMIM(Swin)', '100%', '-'],
      ['TransVW', '20%', '79.38 (worked out)'], // 82.55 - 3.17
      ['TransVW', '100%', '-'],
      ['UNetFormer', '20%', '81.13 (worked out)'], // 82.55 - 1.42
      ['UNetFormer', '100%', '-'],
      ['HybridMIM(Swin)', '60%', '85.24'],
    ]);
  });
});

describe('figure 5 as a table', () => {
  it('has the stated seconds, says which are worked out, and gives none that the text does not', () => {
    const rows = cellsOf(paperFigureMarkdown(paperFigure(5, bars)));
    expect(rows.slice(1)).toEqual([
      ['TransVW', '3.00', '1.42'],
      ['HybridMIM(Swin), not partial', '2.00', '-'],
      ['HybridMIM(UNet)', '1.00', '0.68'],
      ['ModelGen', '-', '1.42'],
      ['UNetFormer', '-', '1.13 (worked out)'],
      ['HybridMIM(Swin)', '-', '0.74 (worked out)'],
      ['HybridMIM(UNet), not partial', '-', '1.03'],
    ]);
  });
});

describe('the drawing', () => {
  it('of figure 6 has sizes below, Dice at the left and seconds at the right, each on a scale of its own', async () => {
    const spec = paperFigureSpec(paperFigure(6, sizes)) as unknown as {
      resolve: unknown;
      layer: {
        encoding: { x: { sort: string[] }; y: { axis: { title: string; orient: string } } };
        layer: { data: { values: { row: string; value: number }[] } }[];
      }[];
    };
    expect(spec.resolve).toEqual({ scale: { y: 'independent' } });
    expect(spec.layer.map(({ encoding }) => [encoding.y.axis.title, encoding.y.axis.orient])).toEqual([
      ['mean Dice, %', 'left'],
      ['seconds a step', 'right'],
    ]);
    for (const { encoding } of spec.layer) expect(encoding.x.sort).toEqual(sizes.map(({ row }) => row));
    const values = spec.layer.map(({ layer }) =>
      layer.map(({ data }) => data.values.map(({ row, value }) => [row, Number(value.toFixed(4))])),
    );
    expect(values.map((layers) => layers.slice(1))).toEqual([
      [
        [
          ['64-32-128', 81],
          ['32-16-128', 84],
          ['32-16-96', 83],
        ],
        [
          ['32-16-128', 85.79],
          ['32-16-96', 85.57],
        ],
      ],
      [
        [
          ['64-32-128', 1.5],
          ['32-16-128', 2],
          ['32-16-96', 1.25],
          ['32-16-64', 1],
        ],
        [
          ['32-16-128', 1.03],
          ['32-16-96', 0.68],
        ],
      ],
    ]);
    const svg = await specToSvg(paperFigureSpec(paperFigure(6, sizes)));
    for (const text of ['mean Dice, %', 'seconds a step', ...sizes.map(({ row }) => row)])
      expect(svg).toContain(`>${text}</text>`);
  });

  it('of figure 4 is a curve a row', async () => {
    const svg = await specToSvg(paperFigureSpec(paperFigure(4, curves)));
    for (const name of ['HybridMIM(Swin)', 'TransVW', 'UNetFormer']) expect(svg).toContain(`>${name}</text>`);
    expect(svg.match(/mark-line role-mark[^>]*>/g)?.length ?? 0).toBeGreaterThan(0);
    expect(svg.match(/aria-roledescription="line mark"/g)).toHaveLength(3);
  });

  it.each([
    [4, curves],
    [5, bars],
    [6, sizes],
  ] as const)('of figure %i is written as PNG', async (number, points) => {
    const file = join(process.env.HYBRIDMIM_KEEP_FIGURES ?? folder, `figure-${number}.png`);
    await writePaperFigure(file, paperFigure(number, points));
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file).subarray(1, 4).toString()).toBe('PNG');
  });
});
