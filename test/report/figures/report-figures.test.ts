import { describe, expect, it } from 'vitest';
import { summarise } from '../../../src/evaluation/index.js';
import { boxFigures, efficiencyFigure, speedFigure } from '../../../src/report/figures/report-figures.js';
import { specToSvg } from '../../../src/report/figures/spec-to-svg.js';
import { pageSvg } from '../../../src/report/page/page-svg.js';
import type { ReportEvaluation } from '../../../src/report/page/report-content.js';

function evaluated(
  name: string,
  classes: readonly string[],
  dice: readonly (number | null)[],
  facts: Partial<ReportEvaluation> = {},
): ReportEvaluation {
  const cases = dice.map((value, i) => ({
    id: `${i}`,
    classes: Object.fromEntries(
      classes.map((label) => [label, { dice: value, hd95: null, status: 'ok' as const }]),
    ),
  }));
  const unknown = {
    split: undefined,
    table: undefined,
    network: undefined,
    fraction: undefined,
    pretrained: undefined,
  };
  return { name, source: `${name}.json`, evaluation: summarise(name, classes, cases), ...unknown, ...facts };
}

const valuesOf = (figure: { readonly spec: unknown } | undefined) =>
  (figure!.spec as { data: { values: Record<string, unknown>[] } }).data.values;

describe('box plots', () => {
  it('are one figure for the evaluations with the same classes, a value a case and class that is defined', () => {
    const figures = boxFigures([
      evaluated('a', ['liver'], [0.5, null, 0.75]),
      evaluated('b', ['spleen'], [1]),
      evaluated('c', ['liver'], [0.25]),
    ]);
    expect(figures.map(({ title, text }) => [title, text])).toEqual([
      ['Dice over cases: liver', 'a: 3 cases, mean 62.50 %; c: 1 case, mean 25.00 %'],
      ['Dice over cases: spleen', 'b: 1 case, mean 100.00 %'],
    ]);
    expect(valuesOf(figures[0])).toEqual([
      { name: 'a', class: 'liver', dice: 50 },
      { name: 'a', class: 'liver', dice: 75 },
      { name: 'c', class: 'liver', dice: 25 },
    ]);
  });

  it('are left out where no Dice is defined', () => {
    expect(boxFigures([evaluated('a', ['liver'], [null])])).toEqual([]);
  });

  it('name every class and evaluation in the picture', async () => {
    const [figure] = boxFigures([
      evaluated('first', ['liver', 'tumour'], [0.5, 0.6]),
      evaluated('second', ['liver', 'tumour'], [0.7]),
    ]);
    const svg = await specToSvg(figure!.spec);
    for (const name of ['liver', 'tumour', 'first', 'second']) expect(svg).toContain(`>${name}</text>`);
  });
});

describe('label efficiency', () => {
  const known = { network: 'unet', pretrained: true };

  it('shows what was learnt from several shares of the cases, but no result on training cases', () => {
    const figure = efficiencyFigure([
      evaluated('a', ['liver'], [0.5], { ...known, fraction: 0.2 }),
      evaluated('b', ['liver'], [0.75], { ...known, fraction: 1 }),
      evaluated('c', ['liver'], [0.99], { ...known, fraction: 0.6, split: 'training' }),
      evaluated('d', ['spleen'], [0.9], { ...known, fraction: 1 }),
    ]);
    const name = 'liver, unet, pre-trained';
    expect(valuesOf(figure)).toEqual([
      { name, fraction: 20, dice: 50 },
      { name, fraction: 100, dice: 75 },
    ]);
  });

  it('has a curve an arm of an experiment, also where two have one network', () => {
    const figure = efficiencyFigure(
      ['HybridMIM(Swin)', 'UNetFormer'].flatMap((arm, i) =>
        [0.2, 1].map((fraction) => evaluated(arm, ['WT'], [0.5 + i / 4], { ...known, fraction, arm })),
      ),
    );
    expect(new Set(valuesOf(figure).map(({ name }) => name))).toEqual(
      new Set(['WT, HybridMIM(Swin)', 'WT, UNetFormer']),
    );
  });

  it('is left out where every run learnt from the same share', () => {
    expect(
      efficiencyFigure(
        [0.5, 0.6].map((dice) => evaluated('a', ['liver'], [dice], { ...known, fraction: 1 })),
      ),
    ).toBeUndefined();
  });
});

describe('speed', () => {
  it('is in seconds, the slowest first, and left out without measurements', () => {
    const of = (method: string, medianMs: number) => ({
      network: 'unet',
      method,
      precision: 'float32',
      region: 'full',
      medianMs,
      minMs: 1,
      maxMs: 9000,
    });
    expect(
      valuesOf(speedFigure([of('fast', 500), of('slow', 1500)])).map(({ name, seconds }) => [name, seconds]),
    ).toEqual([
      ['slow, unet, full, float32', 1.5],
      ['fast, unet, full, float32', 0.5],
    ]);
    expect(speedFigure([])).toBeUndefined();
  });
});

describe('an SVG inside a page', () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="20"><rect width="10" height="20" fill="white"/>' +
    '<clipPath id="clip0"/><path clip-path="url(#clip0)" d="M1.23456,2" fill="#24292f" data-id="x"/><text>1.23456</text></svg>';

  it('has ids of its own, no background, the colours of the page, a description and two decimals', () => {
    expect(pageSvg(svg, 'fig1', 'a "b" < c')).toBe(
      '<svg role="img" aria-label="a &quot;b&quot; &lt; c" xmlns="http://www.w3.org/2000/svg" width="10" viewBox="0 0 10 20">' +
        '<rect width="10" height="20" fill="none"/><clipPath id="fig1-clip0"/><path clip-path="url(#fig1-clip0)" d="M1.23,2" fill="var(--ink)" data-id="x"/>' +
        '<text>1.23456</text></svg>',
    );
  });
});
