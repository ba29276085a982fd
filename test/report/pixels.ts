import { readFileSync } from 'node:fs';
import { Resvg } from '@resvg/resvg-js';

/** A decoded picture, red, green, blue and alpha of each pixel, row by row from the top left. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  /** The last column and row within. */
  readonly right: number;
  readonly bottom: number;
  readonly count: number;
}

export type Rgb = readonly [number, number, number];

/** Decodes a PNG pixel by pixel. Throws where it is none. */
export function decodePng(png: Buffer): Pixels {
  if (png.readUInt32BE(0) !== 0x89504e47 || png.toString('latin1', 12, 16) !== 'IHDR')
    throw new Error('this is no PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const href = `data:image/png;base64,${png.toString('base64')}`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><image width="${width}" height="${height}" image-rendering="optimizeSpeed" href="${href}"/></svg>`;
  return { width, height, rgba: new Resvg(svg, { font: { loadSystemFonts: false } }).render().pixels };
}

export const readPng = (file: string): Pixels => decodePng(readFileSync(file));

export function pixelAt({ width, rgba }: Pixels, x: number, y: number): Rgb {
  const i = 4 * (Math.round(y) * width + Math.round(x));
  return [rgba[i]!, rgba[i + 1]!, rgba[i + 2]!];
}

/** `#rrggbb` as three numbers. */
export const rgbOf = (hex: string): Rgb =>
  [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;

/** The box around the pixels whose every channel is within `tolerance` of a colour, in a part of the picture; undefined without any. */
export function boxOfColour(
  pixels: Pixels,
  hex: string,
  part: Partial<Omit<Box, 'count'>> = {},
  tolerance = 12,
): Box | undefined {
  const colour = rgbOf(hex);
  const { left = 0, top = 0, right = pixels.width - 1, bottom = pixels.height - 1 } = part;
  let [x0, y0, x1, y1, count] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1, -1, 0];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const i = 4 * (y * pixels.width + x);
      if (!colour.every((channel, c) => Math.abs(channel - pixels.rgba[i + c]!) <= tolerance)) continue;
      [x0, y0, x1, y1, count] = [
        Math.min(x0, x),
        Math.min(y0, y),
        Math.max(x1, x),
        Math.max(y1, y),
        count + 1,
      ];
    }
  }
  return count === 0 ? undefined : { left: x0, top: y0, right: x1, bottom: y1, count };
}

/** Pixels of a colour in a part of the picture. */
export const countOfColour = (...of: Parameters<typeof boxOfColour>): number =>
  boxOfColour(...of)?.count ?? 0;

/** First and last of every run of numbers that pass. */
export function runs(length: number, passes: (i: number) => boolean): (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (let i = 0; i < length; i++) {
    if (!passes(i)) continue;
    if (found.at(-1)?.[1] === i - 1) found.at(-1)![1] = i;
    else found.push([i, i]);
  }
  return found;
}
