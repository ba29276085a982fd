import type { TopLevelSpec } from 'vega-lite';
import { textWidth, xmlLetters } from './svg-to-png.js';

/**
 * A Vega-Lite figure as SVG, drawn without a browser.
 * The libraries are loaded only here, because that takes half a second, and most commands draw nothing.
 */
export async function specToSvg(spec: TopLevelSpec): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  measureTexts(vega);
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
  try {
    return xmlLetters(await view.toSVG()); // vega writes names as they come
  } finally {
    view.finalize();
  }
}

/**
 * What vega leaves out of its types: how wide it takes a text to be. Without a browser it guesses, and
 * legends and margins get too wide.
 */
interface TextMeasuring {
  readonly textMetrics: {
    width: (
      item: { readonly fontSize?: number; readonly fontWeight?: number | string },
      text: unknown,
    ) => number;
  };
}

function measureTexts(vega: object): void {
  (vega as TextMeasuring).textMetrics.width = ({ fontSize, fontWeight }, text) =>
    textWidth(String(text ?? ''), fontSize ?? 11, fontWeight === 600 ? 600 : 400);
}
