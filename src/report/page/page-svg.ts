import { escapeXml } from '../figures/svg-to-png.js';

/** Colours of figures that follow the page's light or dark look. */
const themed: readonly (readonly [string, string])[] = [
  ['#24292f', 'var(--ink)'],
  ['#6e7781', 'var(--quiet)'],
  ['#57606a', 'var(--quiet)'],
  ['#e8eaed', 'var(--grid)'],
  ['#afb8c1', 'var(--line)'],
];

/**
 * An SVG as it may stand inside a page among others: ids of its own, no background, the page's colours for
 * text and lines, and a description in words. Coordinates keep two decimals.
 * @param id letters and digits; no other SVG of the page may have it
 */
export function pageSvg(svg: string, id: string, description: string): string {
  return svg
    .replace(/<[^<>]*>/g, (tag) => pageTag(tag, id))
    .replace(/(<rect [^>]*?)fill="white"\/>/, '$1fill="none"/>')
    .replace(/^<svg /, `<svg role="img" aria-label="${escapeXml(description)}" `)
    .replace(/ width="([\d.]+)" height="([\d.]+)"/, (_, width: string, height: string) =>
      svg.slice(0, svg.indexOf('>')).includes('viewBox')
        ? ` width="${width}"`
        : ` width="${width}" viewBox="0 0 ${width} ${height}"`,
    );
}

/** A tag alone, so that no text of the figure is taken for a number, a colour or an attribute. */
function pageTag(tag: string, id: string): string {
  return themed
    .reduce((text, [from, to]) => text.replaceAll(`"${from}"`, `"${to}"`), tag)
    .replace(/(\sid="|url\(#|href="#)/g, `$1${id}-`)
    .replace(/(\d+\.\d\d)\d+/g, '$1')
    .replace(/ (?:aria-[a-z]+|role)="[^"]*"/g, '');
}
