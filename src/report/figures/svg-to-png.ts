import { createRequire } from 'node:module';
import { Resvg, type ResvgRenderOptions, renderAsync } from '@resvg/resvg-js';

/**
 * The font of every figure; it comes with the package, so that figures read the same on machines without
 * fonts.
 */
export const figureFont = 'Roboto';

/** The weights that there are. */
export type FontWeight = 400 | 600;

/**
 * An SVG as PNG, drawn outside the main thread.
 * @param zoom pixels of the PNG to a unit of the SVG
 */
export async function svgToPng(svg: string, zoom: number): Promise<Buffer> {
  const image = await renderAsync(svg, { fitTo: { mode: 'zoom', value: zoom }, font: fontsFor(svg) });
  return image.asPng();
}

/**
 * Width of a line of text in units of the SVG: the sum of its letters, of which kerning takes off a percent
 * at most.
 */
export function textWidth(text: string, fontSize: number, weight: FontWeight = 400): number {
  return [...text].reduce((sum, letter) => sum + letterWidth(letter, weight) * fontSize, 0);
}

/** Letters that XML has no place for, such as those of control, as blanks. */
export const xmlLetters = (text: string): string =>
  text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ' ');

/** Text as it may stand in SVG. */
export const escapeXml = (text: string): string =>
  xmlLetters(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

const letterWidths = new Map<string, number>();

/** How far a letter moves the next one, for a font size of 1. */
function letterWidth(letter: string, weight: FontWeight): number {
  const key = `${weight}${letter}`;
  const known = letterWidths.get(key);
  if (known !== undefined) return known;
  // Between two bars, because a blank has no ink of its own.
  const width = inkWidth(`|${letter}|`, weight) - inkWidth('||', weight);
  letterWidths.set(key, width);
  return width;
}

function inkWidth(text: string, weight: FontWeight): number {
  const style = `font-family="${figureFont}" font-size="100" font-weight="${weight}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="999" height="199"><text y="99" ${style}>${escapeXml(text)}</text></svg>`;
  return (new Resvg(svg, { font: fontsFor(text) }).getBBox()?.width ?? 0) / 100;
}

/**
 * The machine's own fonts are looked through only for letters that ours, with Latin, Greek and Cyrillic, may
 * lack: that takes time.
 */
function fontsFor(text: string): NonNullable<ResvgRenderOptions['font']> {
  const beyondOurs =
    /[\u0180-\u0383\u03cf-\u03ff\u0460-\u2012\u2027-\u20ab\u20ad-\u2121\u2123-\u2211\u2213-\u2263\u2266-\uffff]/.test(
      text,
    );
  return {
    loadSystemFonts: beyondOurs,
    fontFiles: [...fontFiles()],
    defaultFontFamily: figureFont,
    sansSerifFamily: figureFont,
  };
}

/** The files of the figures' font, regular and semi-bold. */
export function fontFiles(): readonly [regular: string, semiBold: string] {
  const { resolve } = createRequire(import.meta.url);
  const file = (name: string) => resolve(`@expo-google-fonts/roboto/${name}`);
  return [file('400Regular/Roboto_400Regular.ttf'), file('600SemiBold/Roboto_600SemiBold.ttf')];
}
