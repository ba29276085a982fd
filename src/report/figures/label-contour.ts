import { byteAt, itemAt } from '../../at.js';

/** A pixel mask, row by row from the top left; 1 is inside. */
export interface PixelMask {
  readonly width: number;
  readonly height: number;
  readonly values: Uint8Array;
}

type Point = readonly [x: number, y: number];

/**
 * The outline of a mask as an SVG path of closed curves: marching squares, which passes midway between the
 * centres of pixels inside and outside, with its corners rounded within half a pixel. Pixels that touch only
 * at a corner are not joined.
 * @param scale units of the figure to a pixel, across and down; pixel `[x, y]` covers `[x, x + 1]` by `[y, y
 *   + 1]` before scaling
 */
export function contourPath(mask: PixelMask, scale: Point): string {
  return contourLoops(mask)
    .map((loop) => roundedPath(loop.map(([x, y]): Point => [x * scale[0], y * scale[1]])))
    .join('');
}

/** Closed polygons around everything inside, in pixels. */
function contourLoops(mask: PixelMask): Point[][] {
  const next = segmentsByStart(mask);
  const loops: Point[][] = [];
  for (const start of next.keys()) {
    const loop: Point[] = [];
    for (let key = start, end = next.get(key); end !== undefined; key = end, end = next.get(key)) {
      next.delete(key);
      loop.push(pointOf(key));
    }
    if (loop.length > 0) loops.push(loop);
  }
  return loops;
}

/**
 * Marching squares: between every four neighbouring pixel centres runs at most one segment, or two. Each goes
 * with the inside on its right, so that every point starts one segment and ends one.
 */
function segmentsByStart({ width, height, values }: PixelMask): Map<number, number> {
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height ? byteAt(values, y * width + x) : 0;
  const next = new Map<number, number>();
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      const corners =
        inside(x, y) | (inside(x + 1, y) << 1) | (inside(x + 1, y + 1) << 2) | (inside(x, y + 1) << 3);
      for (const [from, to] of itemAt(segments, corners)) next.set(keyOf(x, y, from), keyOf(x, y, to));
    }
  }
  return next;
}

type Side = 'top' | 'right' | 'bottom' | 'left';

/**
 * Sides of the square that segments join, by the corners inside: 1 top left, 2 top right, 4 bottom right, 8
 * bottom left.
 */
const segments: readonly (readonly (readonly [Side, Side])[])[] = [
  [],
  [['top', 'left']],
  [['right', 'top']],
  [['right', 'left']],
  [['bottom', 'right']],
  [
    ['top', 'left'],
    ['bottom', 'right'],
  ],
  [['bottom', 'top']],
  [['bottom', 'left']],
  [['left', 'bottom']],
  [['top', 'bottom']],
  [
    ['right', 'top'],
    ['left', 'bottom'],
  ],
  [['right', 'bottom']],
  [['left', 'right']],
  [['top', 'right']],
  [['left', 'top']],
  [],
];

/**
 * Where a side of the square from pixel centre `[x, y]` to the next across and down is cut, as one number.
 */
function keyOf(x: number, y: number, side: Side): number {
  const halfX = 2 * x + (side === 'left' ? 1 : side === 'right' ? 3 : 2);
  const halfY = 2 * y + (side === 'top' ? 1 : side === 'bottom' ? 3 : 2);
  return halfY * rowOfKeys + halfX;
}

/** More than twice the width of any scan. */
const rowOfKeys = 2 ** 20;

const pointOf = (key: number): Point => [(key % rowOfKeys) / 2, Math.floor(key / rowOfKeys) / 2];

/** A closed curve through the middles of a polygon's sides, with its corners as control points. */
function roundedPath(corners: readonly Point[]): string {
  const corner = (i: number) => itemAt(corners, i % corners.length);
  const middle = (i: number) => {
    const [[ax, ay], [bx, by]] = [corner(i), corner(i + 1)];
    return `${rounded((ax + bx) / 2)} ${rounded((ay + by) / 2)}`;
  };
  const curves = corners.map((_, i) => {
    const [x, y] = corner(i + 1);
    return `Q${rounded(x)} ${rounded(y)} ${middle(i + 1)}`;
  });
  return `M${middle(0)}${curves.join('')}Z`;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
