import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { classColour } from '../../../src/report/figures/class-colours.js';
import { progressPanels } from '../../../src/report/figures/progress-panels.js';
import { evenlySpread, seriesPoints } from '../../../src/report/figures/step-series.js';
import { escapeXml, svgToPng, textWidth } from '../../../src/report/figures/svg-to-png.js';
import { axisFromZero, lossAxis } from '../../../src/report/figures/value-axis.js';
import { type ProgressLine, writeProgressFigure } from '../../../src/report/index.js';
import type { MetricsLine } from '../../../src/training/index.js';
import { boxOfColour, countOfColour, decodePng, pixelAt, readPng } from '../pixels.js';

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-progress-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const colours = {
  loss: '#1f6fb2',
  heldOut: '#d9480f',
  learningRate: '#2b8a5a',
  firstClass: classColour(0),
  secondClass: classColour(1),
  mean: '#24292f',
};

/** A run whose losses fall, as `metrics.jsonl` has it. */
function fallingRun(steps: number): MetricsLine[] {
  return Array.from({ length: steps }, (_, i) => {
    const losses = {
      dice: 0.2 + 0.6 * Math.exp((-5 * i) / steps),
      crossEntropy: 0.1 + Math.exp((-5 * i) / steps),
    };
    const timing = { gradientNorm: 1, seconds: 0.1, waitSeconds: 0 };
    return {
      step: i + 1,
      loss: losses.dice + losses.crossEntropy,
      losses,
      lr: 1e-4 * (1 - i / steps),
      ...timing,
    };
  });
}

/** Validations of a fine-tuning run, after those of its steps that are given. */
const withDice = (
  lines: readonly MetricsLine[],
  steps: readonly number[],
  values: Record<string, number | null>,
): MetricsLine[] =>
  lines.flatMap((line) =>
    steps.includes(line.step) ? [line, { step: line.step, validation: values }] : [line],
  );

async function drawn(name: string, lines: readonly ProgressLine[], title = 'a run') {
  const file = join(folder, `${name}.png`);
  await writeProgressFigure(file, lines, title);
  return readPng(file);
}

describe('the picture of a run', () => {
  it('shows losses that fall as curves that fall, and the learning rate in a colour of its own', async () => {
    const picture = await drawn('falling', fallingRun(300));
    const total = { bottom: 700 }; // the upper panel, of all the width
    const [start, end] = [
      boxOfColour(picture, colours.loss, { ...total, right: Math.round(picture.width / 4) }),
      boxOfColour(picture, colours.loss, { ...total, left: Math.round((picture.width * 3) / 4) }),
    ];
    // y grows downwards: the curve starts near the top and ends near the bottom of a panel of 460 pixels
    expect(end!.top - start!.top).toBeGreaterThan(300);
    expect(countOfColour(picture, colours.learningRate)).toBeGreaterThan(500);
    expect(countOfColour(picture, colours.heldOut)).toBe(0);
  });

  it('draws each held-out loss beside the same loss of training', async () => {
    const losses = { reconstruction: 0.5, contrast: 1.2 };
    const steps: ProgressLine[] = Array.from({ length: 50 }, (_, i) => ({
      step: i + 1,
      loss: 1.7 - i / 100,
      losses,
      lr: 1e-4,
    }));
    const lines = [...steps, { step: 50, validation: { total: 1.5, reconstruction: 0.4 } }];
    const { total, terms, scores } = progressPanels(lines);
    expect(total.heldOut).toEqual([{ step: 50, value: 1.5 }]);
    expect(terms.map(({ title, heldOut }) => [title, heldOut])).toEqual([
      ['reconstruction loss', [{ step: 50, value: 0.4 }]],
      ['contrast loss', []],
    ]);
    expect(scores).toBeUndefined();
    const [before, after] = [await drawn('training only', steps), await drawn('held out', lines)];
    expect(countOfColour(before, colours.heldOut)).toBe(0);
    expect(countOfColour(after, colours.heldOut)).toBeGreaterThan(2 * 40); // two dots of some 60 pixels
    expect(after.height).toBe(before.height);
  });

  it('draws the Dice of every class below the losses where there are validations', async () => {
    const run = fallingRun(60);
    const [without, with_] = [
      await drawn('without', run),
      await drawn('with', withDice(run, [20, 40, 60], { dice: 0.6, 'dice liver': 0.9, 'dice spleen': 0.3 })),
    ];
    expect(with_.height).toBeGreaterThan(without.height + 300);
    expect(with_.width).toBe(without.width);
    const below = { top: without.height };
    const [liver, spleen] = [
      boxOfColour(with_, colours.firstClass, below),
      boxOfColour(with_, colours.secondClass, below),
    ];
    expect(liver!.top).toBeLessThan(spleen!.top); // 0.9 above 0.3
    // Points at steps 20, 40 and 60: two thirds of the plot's width lie between the first and the last. The legend is to the right of it.
    const plot = { ...below, right: liver!.right - 250 };
    const line = boxOfColour(with_, colours.secondClass, plot)!;
    expect(line.right - line.left).toBeGreaterThan(900);
  });

  it('takes a loss and a score of the same name apart', () => {
    const { terms, scores } = progressPanels(
      withDice(fallingRun(10), [10], { dice: 0.8, 'dice liver': 0.8 }),
    );
    expect(terms.map(({ title, heldOut }) => [title, heldOut.length])).toEqual([
      ['dice loss', 0],
      ['cross entropy loss', 0],
    ]);
    expect(scores).toEqual({
      title: 'validation Dice',
      names: ['mean', 'liver'],
      values: [
        { step: 10, value: 0.8, name: 'mean' },
        { step: 10, value: 0.8, name: 'liver' },
      ],
    });
  });

  it('leaves out values that are null, and a panel of nothing but them', async () => {
    const run = fallingRun(12);
    const some = progressPanels(
      withDice(run, [4, 8, 12], { dice: 0.5, 'dice liver': 0.5, 'dice oesophagus': null }),
    );
    expect(some.scores?.values.filter(({ name }) => name === 'oesophagus')).toEqual([]);
    expect(some.scores?.names).toContain('oesophagus');
    const none = withDice(run, [12], { dice: null, 'dice liver': null });
    expect(progressPanels(none).scores).toBeUndefined();
    expect((await drawn('null', none)).height).toBe((await drawn('no validation', run)).height);
  });

  it('shows a run of one step as a point, and one of none as empty panels', async () => {
    const one = await drawn('one', fallingRun(1));
    expect(countOfColour(one, colours.loss)).toBeGreaterThan(3 * 30); // total and two terms
    expect(countOfColour(one, colours.learningRate)).toBeGreaterThan(30);
    const none = await drawn('none', []);
    expect(countOfColour(none, colours.loss)).toBe(0);
    expect(countOfColour(none, '#e8eaed')).toBeGreaterThan(1000); // its grid
  });

  it('takes hardly longer for 100,000 steps with 1,000 validations than for 1,000 steps', async () => {
    const measured = { dice: 0.5, 'dice liver': 0.5 };
    const long = fallingRun(100_000).flatMap((line) =>
      line.step % 100 === 0 ? [line, { step: line.step, validation: measured }] : [line],
    );
    const { total, terms, scores } = progressPanels(long);
    for (const { points } of [total, ...terms]) expect(points.length).toBeLessThanOrEqual(400);
    expect(scores!.values.length).toBeLessThanOrEqual(2 * 100);
    expect(scores!.values.at(-1)!.step).toBe(100_000);
    const milliseconds = async (lines: readonly ProgressLine[], name: string) => {
      const start = performance.now();
      await drawn(name, lines);
      return performance.now() - start;
    };
    await milliseconds(fallingRun(1000), 'loads the libraries');
    const short = await milliseconds(fallingRun(1000), 'short');
    // Without thinning, 101,000 lines would make a hundred times as many marks. Generous, because the machine may be busy.
    expect(await milliseconds(long, 'long')).toBeLessThan(10 * short + 1000);
  });

  it('keeps its size and its letters whatever the title', async () => {
    const run = fallingRun(5);
    const [plain, marked] = [
      await drawn('plain', run, 'Dice'),
      await drawn('marked', run, 'a <b> & "c" läuft'),
    ];
    expect([marked.width, marked.height]).toEqual([plain.width, plain.height]);
    const title = { bottom: 70 }; // pixels of the title's line, above the explanation
    expect(countOfColour(marked, colours.mean, title)).toBeGreaterThan(
      1.5 * countOfColour(plain, colours.mean, title),
    );
    expect(countOfColour(plain, colours.mean, title)).toBeGreaterThan(100);
  });

  it('replaces an earlier picture in one go, makes the folder, and leaves nothing else behind', async () => {
    const file = join(folder, 'deep', 'run', 'progress.png');
    await writeProgressFigure(file, fallingRun(3), 'first');
    const first = readFileSync(file);
    await writeProgressFigure(file, fallingRun(30), 'second');
    expect(readFileSync(file).equals(first)).toBe(false);
    expect(readdirSync(join(folder, 'deep', 'run'))).toEqual(['progress.png']);
  });

  it('leaves no half picture where it cannot write', async () => {
    const blocked = join(folder, 'blocked');
    mkdirSync(join(blocked, 'progress.png'), { recursive: true });
    writeFileSync(join(blocked, 'progress.png', 'keep'), 'kept');
    await expect(
      writeProgressFigure(join(blocked, 'progress.png'), fallingRun(3), 'a run'),
    ).rejects.toThrow();
    expect(readdirSync(blocked)).toEqual(['progress.png']);
    expect(readdirSync(join(blocked, 'progress.png'))).toEqual(['keep']);
  });
});

describe('thinned curves', () => {
  const values = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 1500 });
  const ofSteps = (numbers: readonly number[]) => numbers.map((value, i) => ({ step: i + 1, value }));

  it('have at most 400 points in the order of steps, within the range of their steps, and lose no extreme', () => {
    fc.assert(
      fc.property(values, (numbers) => {
        const points = seriesPoints(ofSteps(numbers));
        expect(points.length).toBe(Math.min(400, numbers.length));
        for (const [i, { step, mean, low, high, smooth }] of points.entries()) {
          const slack = 1e-9 * Math.max(1, Math.abs(low), Math.abs(high)); // sums round
          expect(mean).toBeGreaterThanOrEqual(low - slack);
          expect(mean).toBeLessThanOrEqual(high + slack);
          expect(Math.abs(smooth)).toBeLessThanOrEqual(1e3 + 1e-6);
          if (i > 0) expect(step).toBeGreaterThan(points[i - 1]!.step);
        }
        expect(Math.min(...points.map(({ low }) => low))).toBe(Math.min(...numbers));
        expect(Math.max(...points.map(({ high }) => high))).toBe(Math.max(...numbers));
      }),
      { numRuns: 50 },
    );
  });

  it('show each step of a short run as it is, smoothed over its neighbours: 2 % on either side', () => {
    const numbers = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : 3));
    const points = seriesPoints(ofSteps(numbers));
    expect(points.map(({ mean }) => mean)).toEqual(numbers);
    expect(points[50]!.smooth).toBeCloseTo((1 + 3 + 1 + 3 + 1) / 5, 12);
    expect(points[0]!.smooth).toBe(1); // nothing before it: the raw start
    expect(points[99]!.smooth).toBeCloseTo((3 + 1 + 3) / 3, 12); // nothing after it
  });

  it('leave out what is no finite number', () => {
    const points = seriesPoints([
      { step: 1, value: 2 },
      { step: 2, value: Number.NaN },
      { step: 3, value: Number.POSITIVE_INFINITY },
      { step: 4, value: 4 },
    ]);
    expect(points.map(({ step, mean }) => [step, mean])).toEqual([
      [1, 2],
      [4, 4],
    ]);
  });

  it('spread what they keep of many validations evenly, up to the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 120 }), (length, most) => {
        const kept = evenlySpread(
          Array.from({ length }, (_, i) => i),
          most,
        );
        expect(kept.length).toBe(Math.min(length, most));
        expect(kept.at(-1)).toBe(length - 1);
        const gaps = kept.slice(1).map((item, i) => item - kept[i]!);
        for (const gap of gaps) expect(Math.abs(gap - length / kept.length)).toBeLessThan(1);
      }),
    );
  });
});

describe('axes of values', () => {
  const pointsOf = (numbers: readonly number[]) =>
    seriesPoints(numbers.map((value, i) => ({ step: i + 1, value })));

  it('hold every smoothed and held-out value', () => {
    const number = fc.double({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 60 }),
        fc.array(number, { maxLength: 5 }),
        (numbers, held) => {
          const [points, heldOut] = [pointsOf(numbers), held.map((value, step) => ({ step, value }))];
          const { domain } = lossAxis({ points, heldOut });
          expect(domain[1]).toBeGreaterThan(domain[0]);
          for (const value of [...points.map(({ smooth }) => smooth), ...held]) {
            expect(value).toBeGreaterThanOrEqual(domain[0]);
            expect(value).toBeLessThanOrEqual(domain[1]);
          }
        },
      ),
      {
        examples: [
          [[0], []],
          [[5e-324], []],
          [[-5e-324], [0]],
        ],
      },
    );
  });

  it('are logarithmic, with ticks, only for positive losses that fall by more than 30 times', () => {
    const axis = (numbers: readonly number[]) => lossAxis({ points: pointsOf(numbers), heldOut: [] });
    expect(axis([1, 0.5, 0.04]).type).toBe('linear');
    expect(axis([1, 0.1, -0.001]).type).toBe('linear');
    expect(axis([1, 0.1, 0]).type).toBe('linear');
    const { type, ticks, domain } = axis([1, 0.1, 0.02]);
    expect(type).toBe('log');
    expect(ticks!.length).toBeGreaterThan(3);
    for (const tick of ticks!) expect(tick > domain[0] && tick < domain[1]).toBe(true);
  });

  it('let a lone spike leave rather than flatten the curve', () => {
    const numbers = Array.from({ length: 1000 }, (_, i) => (i === 500 ? 1e6 : 1 + (i % 2) / 10));
    const smoothedSpike = Math.max(...pointsOf(numbers).map(({ smooth }) => smooth));
    expect(lossAxis({ points: pointsOf(numbers), heldOut: [] }).domain[1]).toBeLessThanOrEqual(
      1.1 * smoothedSpike,
    );
    expect(axisFromZero({ points: [] }).domain).toEqual([0, 1.05]);
  });
});

describe('text in figures', () => {
  it('is drawn in the font that comes with the package, on machines without fonts too', async () => {
    // Advance widths in Roboto's own table, of 2048 to the font size: m 1796, D 1344, i 498, blank 508; half-bold m 1779.
    expect(textWidth('mDi', 2048)).toBeCloseTo(1796 + 1344 + 498, -1); // the renderer measures curves to a few of 2048
    expect(textWidth('m i', 2048) - textWidth('mi', 2048)).toBeCloseTo(508, -1);
    expect(textWidth('m', 2048, 600)).toBeCloseTo(1779, -1);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60"><rect width="300" height="60" fill="white"/><text x="10" y="40" font-family="Roboto" font-size="40">${escapeXml('m<D>&')}</text></svg>`;
    const picture = decodePng(await svgToPng(svg, 2));
    expect([picture.width, picture.height]).toEqual([600, 120]);
    const ink = boxOfColour(picture, '#000000', {}, 100)!;
    expect(ink.right - ink.left).toBeGreaterThan(2 * (textWidth('m<D>&', 40) - 8)); // side bearings apart
    expect(ink.right - ink.left).toBeLessThan(2 * textWidth('m<D>&', 40));
    expect(pixelAt(picture, 2, 2)).toEqual([255, 255, 255]);
  });
});
