import { markdownTable, percent } from '../table.js';
import { publishedSpeeds } from './published-speed.js';

/** A figure of the paper that results can be drawn as. */
export type FigureNumber = 4 | 5 | 6;

/** A number that the text of the paper gives. */
export interface PublishedNumber {
  readonly value: number;
  /** As the text gives it; false: worked out from a difference or a percentage there. */
  readonly stated: boolean;
}

/** What we measured at one place of a figure. */
export interface OwnPoint {
  /** Name of the curve, bar or sizes. */
  readonly row: string;
  /** Share of the labels, above 0, at most 1. */
  readonly share: number;
  /** Mean Dice over classes and seeds, 0 to 1. */
  readonly dice: number | null;
  /** Of a pre-training step. */
  readonly seconds: number | null;
}

/** A place of a figure: our numbers, and those of the paper's text. */
export interface FigurePoint extends OwnPoint {
  /** Dice in %, and seconds a step; null: not in the text. */
  readonly published: Readonly<Record<'dice' | 'seconds', PublishedNumber | null>>;
}

/** One of the paper's figures with our numbers beside the published ones. */
export interface PaperFigure {
  readonly number: FigureNumber;
  readonly caption: string;
  readonly points: readonly FigurePoint[];
  readonly notes: readonly string[];
}

type PublishedPoint = Pick<FigurePoint, 'row' | 'share' | 'published'>;

const stated = (value: number): PublishedNumber => ({ value, stated: true });
const workedOut = (value: number): PublishedNumber => ({ value, stated: false });

/** Section 5.3: Dice of the others at 20 % are given as what HybridMIM(Swin) has more. */
const labelPoints: readonly PublishedPoint[] = [
  { row: 'HybridMIM(Swin)', share: 0.2, published: { dice: stated(82.55), seconds: null } },
  { row: 'TransVW', share: 0.2, published: { dice: workedOut(79.38), seconds: null } },
  { row: 'UNetFormer', share: 0.2, published: { dice: workedOut(81.13), seconds: null } },
  { row: 'HybridMIM(Swin)', share: 0.6, published: { dice: stated(85.24), seconds: null } },
];

/** Section 5.5.1. */
const sizePoints: readonly PublishedPoint[] = [
  { row: '32-16-128', share: 1, published: { dice: stated(85.79), seconds: stated(1.03) } },
  { row: '32-16-96', share: 1, published: { dice: stated(85.57), seconds: stated(0.68) } },
];

/** Section 5.4. */
const speedPoints: readonly PublishedPoint[] = publishedSpeeds.map(({ name, seconds, stated: given }) => ({
  row: name,
  share: 1,
  published: { dice: null, seconds: { value: seconds, stated: given } },
}));

const pictureOnly =
  'A dash under "published": the point is drawn in the picture of the paper alone, and its text gives no number.';
const otherMachine = "Published seconds are of the authors' GPU, ours of this machine.";

const figures: Readonly<
  Record<
    FigureNumber,
    Pick<PaperFigure, 'caption' | 'notes'> & { readonly points: readonly PublishedPoint[] }
  >
> = {
  4: {
    caption: 'Dice on BraTS over the share of labels, in %',
    points: labelPoints,
    notes: [
      pictureOnly,
      'Of the curves between, the text says that UNetFormer takes about 80 % of the labels and TransVW nearly 90 % for the Dice of 85.24 % that HybridMIM(Swin) has with 60 %. ' +
        'With all labels the rows are those of Table 3: 86.33, 85.80 and 85.71 % for HybridMIM(Swin), TransVW and UNetFormer.',
    ],
  },
  5: {
    caption: 'Seconds of a pre-training step on BraTS',
    points: speedPoints,
    notes: [
      pictureOnly,
      otherMachine,
      'Of HybridMIM(Swin) without a partial region the text says but that it takes longer than UNetFormer.',
    ],
  },
  6: {
    caption:
      'Sizes of sub-volume, patch and target region: Dice on BraTS in %, and seconds of a pre-training step',
    points: sizePoints,
    notes: [
      pictureOnly,
      otherMachine,
      'The text names the sub-volumes and patches 64-32, 64-16, 32-16 and 32-8 with a region of 128, and the regions 128 and 96 of 32-16; smaller regions are our own choice.',
    ],
  },
};

/**
 * A figure of the paper: our points in their order, each with what the text of the paper says of it, then
 * what that says of other points. A point that is in the picture alone has no published number.
 */
export function paperFigure(number: FigureNumber, own: readonly OwnPoint[]): PaperFigure {
  const { caption, notes, points: published } = figures[number];
  const same = (a: PublishedPoint | OwnPoint, b: PublishedPoint | OwnPoint) =>
    a.row === b.row && a.share === b.share;
  const none = { dice: null, seconds: null };
  const ours = own.map((point) => ({
    ...point,
    published: published.find((other) => same(point, other))?.published ?? none,
  }));
  const others = published
    .filter((point) => !own.some((other) => same(point, other)))
    .map((point) => ({ ...point, dice: null, seconds: null }));
  return { number, caption, points: [...ours, ...others], notes };
}

/** The figure as a table: our numbers, and beside them the published ones, marked so. */
export function paperFigureMarkdown({ number, caption, points, notes }: PaperFigure): string {
  const columns = {
    4: [labelColumn, ...diceColumns],
    5: secondsColumns,
    6: [...diceColumns, ...secondsColumns],
  }[number];
  const rows = points.map((point) => [point.row, ...columns.map(({ of }) => of(point))]);
  const first = { 4: 'method', 5: 'method', 6: 'sub-volume-patch-region' }[number];
  return [
    `**Figure ${number}. ${caption}**`,
    markdownTable([first, ...columns.map(({ title }) => title)], rows),
    notes.join(' '),
  ].join('\n\n');
}

interface Column {
  readonly title: string;
  readonly of: (point: FigurePoint) => string;
}

const labelColumn: Column = { title: 'labels', of: ({ share }) => `${Math.round(100 * share)}%` };
const diceColumns: readonly Column[] = [
  { title: 'Dice', of: ({ dice }) => percent(dice) },
  { title: 'Dice (published)', of: ({ published }) => publishedText(published.dice) },
];
const secondsColumns: readonly Column[] = [
  { title: 's a step', of: ({ seconds }) => (seconds === null ? '-' : seconds.toFixed(2)) },
  { title: 's a step (published)', of: ({ published }) => publishedText(published.seconds) },
];

/** As the paper prints it; what is worked out says so. */
export const publishedText = (number: PublishedNumber | null): string =>
  number === null ? '-' : `${number.value.toFixed(2)}${number.stated ? '' : ' (worked out)'}`;
