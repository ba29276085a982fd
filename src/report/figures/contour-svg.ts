import { classColour } from './class-colours.js';
import type { ContourRow, ShownSlice } from './contour-rows.js';
import { greyPng } from './grey-png.js';
import { contourPath, type PixelMask } from './label-contour.js';
import { escapeXml, type FontWeight, figureFont, textWidth } from './svg-to-png.js';

export interface ContourGrid {
  readonly title: string | undefined;
  readonly methods: readonly string[];
  readonly classNames: readonly string[];
  readonly rows: readonly ContourRow[];
}

/** A part of the figure, drawn from its own top left. */
interface Block {
  readonly svg: string;
  readonly height: number;
}

/** Units of the figure. */
const layout = { margin: 24, cell: 300, tallest: 420, gap: 10, rowGap: 22, line: 18, widest: 1300 };

const colours = { text: '#24292f', quiet: '#6e7781', neutral: '#57606a' };

/**
 * The figure as SVG: titles of the columns, the rows of cases, and a legend of the classes that can be seen. Cases with few
 * columns stand side by side, as many as fit.
 */
export function contourSvg({ title, methods, classNames, rows }: ContourGrid): string {
  const columns = methods.length + 1;
  const own = columns * layout.cell + (columns - 1) * layout.gap;
  const step = own + 2 * layout.gap;
  const across = Math.max(1, Math.min(rows.length, Math.floor((layout.widest + 2 * layout.gap) / step)));
  const inner = across * step - 2 * layout.gap;
  const titles = columnTitles([hasReference(rows) ? 'reference' : 'image', ...methods]);
  const cases = rows.map((row) => rowBlock(row, own));
  const blocks = [
    ...(title === undefined ? [] : [titleBlock(title, inner)]),
    sideBySide(
      Array.from({ length: across }, () => titles),
      step,
    ),
    ...linesOf(cases, across).map((line) => sideBySide(line, step)),
    legend(classNames, rows, inner),
  ];
  let y = layout.margin;
  const placed = blocks.map(({ svg, height }) => {
    const group = `<g transform="translate(${layout.margin} ${y})">${svg}</g>`;
    y += height;
    return group;
  });
  const [width, height] = [inner + 2 * layout.margin, y + layout.margin];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${figureFont}" font-size="12">` +
    `<rect width="${width}" height="${height}" fill="white"/>${placed.join('')}</svg>`
  );
}

/** Blocks beside each other, as high as the highest. */
const sideBySide = (blocks: readonly Block[], step: number): Block => ({
  svg: blocks.map(({ svg }, i) => `<g transform="translate(${i * step} 0)">${svg}</g>`).join(''),
  height: Math.max(...blocks.map(({ height }) => height)),
});

const linesOf = (blocks: readonly Block[], across: number): Block[][] =>
  Array.from({ length: Math.ceil(blocks.length / across) }, (_, i) =>
    blocks.slice(i * across, (i + 1) * across),
  );

function titleBlock(title: string, width: number): Block {
  return { svg: textLine(title, 0, 15, { size: 18, weight: 600, fill: colours.text, width }), height: 34 };
}

function columnTitles(titles: readonly string[]): Block {
  const style = { size: 14, weight: 600, fill: colours.text, width: layout.cell, anchor: 'middle' } as const;
  return {
    svg: titles.map((title, i) => textLine(title, columnX(i) + layout.cell / 2, 12, style)).join(''),
    height: 24,
  };
}

/** The name of the case with spacing and window, its slices one above the other, and the captions. */
function rowBlock({ caseName, facts, slices, captions }: ContourRow, width: number): Block {
  const notes = slices.map(({ note }) => note).join(', ');
  const name = fitted(caseName, width - textWidth(notes, 12) - 10, 13, 600);
  let y = 2 * layout.line + 4;
  const quiet = { size: 12, weight: 400, fill: colours.quiet, width } as const;
  const parts = [
    textLine(name, 0, 13, { size: 13, weight: 600, fill: colours.text, width }),
    textLine(notes, textWidth(name, 13, 600) + 10, 13, quiet),
    textLine(facts, 0, 13 + layout.line, quiet),
  ];
  for (const slice of slices) {
    const { svg, height } = sliceCells(slice);
    parts.push(`<g transform="translate(0 ${y})">${svg}</g>`);
    y += height + layout.gap / 2;
  }
  const style = { size: 12, weight: 400, fill: colours.quiet, width: layout.cell, anchor: 'middle' } as const;
  parts.push(
    ...captions.map((caption, i) => textLine(caption, columnX(i + 1) + layout.cell / 2, y + 11, style)),
  );
  return { svg: parts.join(''), height: y + layout.line + layout.rowGap - layout.gap };
}

/** One slice in every column, as large as a cell allows. */
function sliceCells({ image, grey, reference, predictions }: ShownSlice): Block {
  const perMm = Math.min(layout.cell / image.widthMm, layout.tallest / image.heightMm);
  const [width, height] = [image.widthMm * perMm, image.heightMm * perMm];
  const scale = [width / image.width, height / image.height] as const;
  const picture = `<image width="${width}" height="${height}" preserveAspectRatio="none" href="data:image/png;base64,${greyPng(grey, image.width, image.height).toString('base64')}"/>`;
  const left = (layout.cell - width) / 2;
  const cell = (column: number, content: string) =>
    `<g transform="translate(${columnX(column) + left} 0)">${picture}${content}</g>`;
  const solid = reference ? outlines(reference, scale, 'stroke-width="1.5"') : '';
  const dashed = (masks: readonly PixelMask[] | undefined) =>
    masks ? outlines(masks, scale, `stroke-width="1.5" ${dashes}`, 0.22) : '';
  const cells = [
    cell(0, solid + sideMarks(width, height)),
    ...predictions.map((masks, i) => cell(i + 1, dashed(masks) + solid)),
  ];
  return { svg: cells.join(''), height };
}

/** The outline of every class in its colour, and its area tinted. */
function outlines(
  masks: readonly PixelMask[],
  scale: readonly [number, number],
  stroke: string,
  tint = 0,
): string {
  return masks
    .map((mask, i) => ({ path: contourPath(mask, scale), colour: classColour(i) }))
    .filter(({ path }) => path !== '')
    .map(
      ({ path, colour }) =>
        `<path d="${path}" fill="${colour}" fill-opacity="${tint}" fill-rule="evenodd" stroke="${colour}" ${stroke}/>`,
    )
    .join('');
}

/** Which side of the patient is where. */
function sideMarks(width: number, height: number): string {
  const mark = (letter: string, x: number) =>
    `<text x="${x}" y="${height / 2 + 4}" text-anchor="middle" font-size="11" font-weight="600" fill="white" stroke="black" stroke-width="2" paint-order="stroke">${letter}</text>`;
  return mark('R', 9) + mark('L', width - 9);
}

/**
 * What solid and dashed lines are, and the colours of the classes that a slice shows; as many lines as it
 * takes.
 */
function legend(classNames: readonly string[], rows: readonly ContourRow[], width: number): Block {
  const line = (dash: string) =>
    `<line x1="0" x2="22" y1="-4" y2="-4" stroke="${colours.neutral}" stroke-width="1.8" ${dash}/>`;
  const items = [
    ...(hasReference(rows) ? [{ name: 'reference', symbol: line(''), symbolWidth: 22 }] : []),
    ...(rows.some(({ captions }) => captions.length > 0)
      ? [{ name: 'prediction', symbol: line(dashes), symbolWidth: 22 }]
      : []),
    ...classNames.flatMap((name, i) => {
      const colour = classColour(i);
      return isSeen(rows, i)
        ? [
            {
              name,
              symbol: `<rect y="-10" width="12" height="12" rx="2" fill="${colour}"/>`,
              symbolWidth: 12,
            },
          ]
        : [];
    }),
  ];
  let [x, y] = [0, 12];
  const parts = items.map(({ name, symbol, symbolWidth }) => {
    const label = fitted(name, width - symbolWidth - 6, 12, 400);
    const itemWidth = symbolWidth + 6 + textWidth(label, 12);
    if (x > 0 && x + itemWidth > width) [x, y] = [0, y + layout.line];
    const item = `<g transform="translate(${x} ${y})">${symbol}<text x="${symbolWidth + 6}" fill="${colours.text}">${escapeXml(label)}</text></g>`;
    x += itemWidth + 18;
    return item;
  });
  return { svg: parts.join(''), height: y };
}

/** Of predictions; references are solid. */
const dashes = 'stroke-dasharray="4 2.5"';

const hasReference = (rows: readonly ContourRow[]): boolean =>
  rows.some(({ slices }) => slices.some(({ reference }) => reference !== undefined));

const isSeen = (rows: readonly ContourRow[], index: number): boolean =>
  rows.some(({ slices }) =>
    slices.some(({ reference, predictions }) =>
      [reference, ...predictions].some((masks) => masks?.[index]?.values.includes(1)),
    ),
  );

const columnX = (column: number): number => column * (layout.cell + layout.gap);

interface TextStyle {
  readonly size: number;
  readonly weight: FontWeight;
  readonly fill: string;
  /** More is cut off. */
  readonly width: number;
  readonly anchor?: 'start' | 'middle';
}

function textLine(
  text: string,
  x: number,
  y: number,
  { size, weight, fill, width, anchor = 'start' }: TextStyle,
): string {
  const style = `font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}"`;
  return `<text x="${x}" y="${y}" ${style}>${escapeXml(fitted(text, width, size, weight))}</text>`;
}

/** As much of a text as fits, with an ellipsis where it is cut. */
function fitted(text: string, width: number, size: number, weight: FontWeight): string {
  if (textWidth(text, size, weight) <= width) return text;
  const letters = [...text];
  while (letters.length > 0 && textWidth(`${letters.join('')}…`, size, weight) > width) letters.pop();
  return `${letters.join('')}…`;
}
