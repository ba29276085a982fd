import { readFileSync } from 'node:fs';
import { escapeXml, type FontWeight, figureFont, fontFiles } from '../figures/svg-to-png.js';
import type { EmbeddedCase } from './embedded-case.js';
import { pageScript } from './page-script.js';
import { pageStyle } from './page-style.js';

/** A case of the viewer. */
export interface PageCase {
  readonly id: string;
  readonly name: string;
  /** The case, and the file of the evaluation that it is of. */
  readonly caseId: string;
  readonly source: string;
  readonly classes: readonly { readonly name: string; readonly value: number; readonly colour: string }[];
  readonly volumes: EmbeddedCase;
}

/** A part of the page under a heading of its own. */
export interface PageSection {
  /** For links. */
  readonly id: string;
  readonly title: string;
  readonly html: string;
}

/** Nothing may be fetched: the page says so itself, and browsers hold it to that. */
const policy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src data: blob:; worker-src blob:";

/** The whole report as one HTML file. @param viewerCode NiiVue; needed where there are cases */
export function reportPage(
  title: string,
  sections: readonly PageSection[],
  cases: readonly PageCase[],
  viewerCode: string,
): string {
  const links = sections
    .map(({ id, title: name }) => `<li><a href="#${id}">${escapeXml(name)}</a></li>`)
    .join('');
  const body = sections.map(
    ({ id, title: name, html }) =>
      `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeXml(name)}</h2>${html}</section>`,
  );
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<link rel="icon" href="data:,"><title>${escapeXml(title)}</title><style>${fontFaces()}${pageStyle}</style></head><body>`,
    '<a class="skip" href="#content">Skip to the content</a>',
    `<header><h1>${escapeXml(title)}</h1><nav aria-label="Parts of the report"><ul>${links}</ul></nav></header>`,
    `<main id="content">${body.join('')}</main>`,
    '<footer class="quiet">Written by hybridmim. Tables sort by the buttons in their titles.</footer>',
    ...cases.map(
      (shownCase) => `<script type="application/json" id="${shownCase.id}">${caseJson(shownCase)}</script>`,
    ),
    ...(cases.length > 0 ? [`<script>${inScript(viewerCode)}</script>`] : []),
    `<script>${inScript(pageScript)}</script>`,
    '</body></html>',
  ].join('\n');
}

/** The figures' font, in whose letters their texts were measured. */
function fontFaces(): string {
  const face = (file: string, weight: FontWeight) =>
    `@font-face{font-family:${figureFont};font-weight:${weight};src:url(data:font/ttf;base64,${readFileSync(file).toString('base64')})}`;
  const [regular, semiBold] = fontFiles();
  return face(regular, 400) + face(semiBold, 600);
}

/** The section of the viewer. */
export function viewerSection(cases: readonly PageCase[]): PageSection {
  return { id: 'volumes', title: 'Volumes', html: viewerHtml(cases) };
}

function viewerHtml(cases: readonly PageCase[]): string {
  const options = cases.map(({ id, name }) => `<option value="${id}">${escapeXml(name)}</option>`).join('');
  const check = (part: string) => `<label><input type="checkbox" id="show-${part}" checked>${part}</label>`;
  const range = (id: string, name: string, min: number, max: number, value: number) =>
    `<label class="stacked">${name}<input type="range" id="${id}" min="${min}" max="${max}" value="${value}"></label>`;
  const layouts = [
    ['all', 'all planes and turned'],
    ['axial', 'axial'],
    ['coronal', 'coronal'],
    ['sagittal', 'sagittal'],
    ['turned', 'turned'],
  ];
  return (
    '<p>Worst case first. Drag or use the sliders to go through slices and to turn. The reference is an outline in a lighter colour, the prediction an area, unless chosen otherwise.</p>' +
    '<div id="viewer" class="viewer"><div class="controls">' +
    `<label class="stacked">Case<select id="viewer-case">${options}</select></label>` +
    `<label class="stacked">Layout<select id="viewer-layout">${layouts.map(([value, name]) => `<option value="${value}">${name}</option>`).join('')}</select></label>` +
    `<fieldset><legend>Volumes</legend>${['image', 'reference', 'prediction'].map(check).join('')}</fieldset>` +
    labelLook('reference', ['outline', 'area']) +
    labelLook('prediction', ['area', 'outline']) +
    range('opacity', 'opacity of areas', 0, 100, 55) +
    range('window-level', 'window level', 0, 255, 128) +
    range('window-width', 'window width', 1, 255, 255) +
    '<p class="quiet">window: <output id="window-values"></output></p>' +
    '<fieldset id="viewer-classes"><legend>Classes</legend></fieldset></div>' +
    '<div class="stage"><canvas role="img" aria-label="Volume viewer"></canvas></div><div class="controls place">' +
    range('slice-x', 'left to right', 0, 100, 50) +
    range('slice-y', 'back to front', 0, 100, 50) +
    range('slice-z', 'feet to head', 0, 100, 50) +
    range('turn', 'turn', 0, 360, 110) +
    range('tilt', 'tilt', -90, 90, 15) +
    '</div><p role="status" class="quiet"></p></div>'
  );
}

/** A choice of how a label is drawn; the first is the beginning. */
const labelLook = (part: string, looks: readonly string[]): string =>
  `<label class="stacked">${part} as<select id="${part}-as">${looks.map((look) => `<option>${look}</option>`).join('')}</select></label>`;

/** `<` as JSON may write it, so that no text of a file ends the script. */
function caseJson({ name, classes, volumes }: PageCase): string {
  return JSON.stringify({ name, classes, ...volumes }).replaceAll('<', '\\u003c');
}

/** Code in which nothing reads as the end of its script element. */
const inScript = (code: string): string =>
  code.replaceAll(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '\\x3c!--');
