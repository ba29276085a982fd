import { dirname, join } from 'node:path';
import { itemAt } from '../../at.js';
import { HybridMimError } from '../../errors.js';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { classColour } from '../figures/class-colours.js';
import { requireOneGrid } from '../figures/contour-figure.js';
import { contourRow } from '../figures/contour-rows.js';
import { contourSvg } from '../figures/contour-svg.js';
import { progressPanels } from '../figures/progress-panels.js';
import { progressSpec } from '../figures/progress-spec.js';
import {
  boxFigures,
  efficiencyFigure,
  paperReportFigure,
  type ReportFigure,
  speedFigure,
} from '../figures/report-figures.js';
import { specToSvg } from '../figures/spec-to-svg.js';
import { escapeXml, svgToPng } from '../figures/svg-to-png.js';
import { type NamedResult, paperTables } from '../paper/paper-table.js';
import { embedCase } from './embedded-case.js';
import { pageSvg } from './page-svg.js';
import { caseTableHtml, evaluationTablesHtml, paperTableHtml } from './page-tables.js';
import {
  type ReportCase,
  type ReportContent,
  type ReportEvaluation,
  type ReportRun,
  worstFirst,
} from './report-content.js';
import { type PageCase, type PageSection, reportPage, viewerSection } from './report-page.js';
import { viewerCode } from './viewer-code.js';

export interface ReportOptions {
  /** Folder for the figures as SVG and PNG; undefined: none. */
  readonly figures?: string | undefined;
  readonly onCase?: (name: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Characters of the page that volumes may take together, and one case at most. */
const volumeBudget = 17_000_000;
const caseBudget = 1_500_000;

/** Cases drawn as slices, and characters that these may take together. */
const drawnCases = 8;
const drawnBudget = 3_000_000;

/** Pixels to a unit of a figure: sharp on dense screens and in print. */
const zoom = 2;

/**
 * Writes a report as one HTML file that needs no network: tables, curves, box plots, the worst cases as
 * slices, and a viewer. A case whose volumes cannot be read is left out of the slices and the viewer, and
 * named on the page.
 */
export async function writeReport(
  file: string,
  content: ReportContent,
  options: ReportOptions = {},
): Promise<void> {
  const figures = [
    ...content.runs.map(runFigure),
    ...(content.paperFigures ?? []).map(paperReportFigure),
    ...boxFigures(content.evaluations),
    ...[efficiencyFigure(content.evaluations), speedFigure(content.speed)].filter(
      (figure) => figure !== undefined,
    ),
  ];
  const drawings: Drawing[] = [];
  for (const figure of figures) drawings.push({ ...figure, svg: await specToSvg(figure.spec) });
  const { cases, slices, problems } = await drawCases(content.cases, options);
  if (options.figures !== undefined) await writeFigures(options.figures, [...drawings, ...slices]);
  const sections = [
    ...pageSections(content, drawings, slices, cases),
    ...(cases.length > 0 ? [viewerSection(cases)] : []),
    ...madeSection(content),
    ...noteSection([...content.notes, ...problems]),
  ];
  const page = reportPage(content.title, sections, cases, cases.length > 0 ? await viewerCode() : '');
  await makeFolder(dirname(file));
  await writeWholeFile(file, page);
}

/** The results that stand in the paper's tables: those of cases that the run did not learn from. */
export function paperResults(evaluations: readonly ReportEvaluation[]): NamedResult[] {
  const heldOut = evaluations.filter(({ split }) => split !== 'training');
  return heldOut.map(({ name, evaluation, network, table }) => ({
    name,
    evaluation,
    table,
    backbone: network,
  }));
}

/** A figure that is drawn. */
interface Drawing extends Omit<ReportFigure, 'spec'> {
  readonly svg: string;
}

function runFigure({ name, lines }: ReportRun, i: number): ReportFigure {
  const panels = progressPanels(lines);
  const { total, scores } = panels;
  const loss = total.points.at(-1)?.smooth;
  const lastScores = scores?.names.flatMap((score) => {
    const last = scores.values.findLast((value) => value.name === score);
    return last ? [`${score} ${last.value.toPrecision(4)}`] : [];
  });
  const facts = [
    `${panels.lastStep} steps`,
    ...(loss === undefined ? [] : [`loss at the end ${loss.toPrecision(4)}`]),
    ...(lastScores ? [`last validation: ${lastScores.join(', ')}`] : []),
  ];
  return {
    id: `run-${i + 1}`,
    title: `Run ${name}`,
    text: facts.join('; '),
    spec: progressSpec(panels, name),
  };
}

/** Reads, draws and packs the cases one after another, so that one at a time is in memory. */
async function drawCases(
  cases: readonly ReportCase[],
  { onCase, signal }: ReportOptions,
): Promise<{ readonly cases: PageCase[]; readonly slices: Drawing[]; readonly problems: string[] }> {
  const [shown, slices, problems]: [PageCase[], Drawing[], string[]] = [[], [], []];
  const budget = Math.min(caseBudget, volumeBudget / Math.max(1, cases.length));
  let drawn = 0;
  for (const [i, reportCase] of worstFirst(cases).entries()) {
    signal?.throwIfAborted();
    const label = `${reportCase.id}, ${reportCase.name}`;
    try {
      const volumes = await reportCase.load();
      const panel = {
        caseName: reportCase.id,
        image: volumes.image,
        reference: volumes.reference,
        predictions: { [reportCase.name]: volumes.prediction },
      };
      requireOneGrid(panel);
      if (slices.length < drawnCases && drawn < drawnBudget) {
        const drawing = sliceDrawing(reportCase, panel, slices.length);
        slices.push(drawing);
        drawn += drawing.svg.length;
      }
      const classes = reportCase.classes.map(({ name, values }, k) => ({
        name,
        value: itemAt(values, 0),
        colour: classColour(k),
      }));
      const place = {
        id: `case-${shown.length + 1}`,
        name: label,
        caseId: reportCase.id,
        source: reportCase.source,
      };
      shown.push({ ...place, classes, volumes: embedCase(volumes, reportCase.window, budget) });
    } catch (error) {
      if (!(error instanceof HybridMimError)) throw error;
      problems.push(`${label} is not shown: ${error.message}`);
    }
    onCase?.(label, i + 1, cases.length);
  }
  return { cases: shown, slices, problems };
}

function sliceDrawing(
  { id, name, classes, window }: ReportCase,
  panel: Parameters<typeof contourRow>[0],
  i: number,
): Drawing {
  const row = contourRow(panel, { methods: [name], classes, planes: ['axial'], window });
  const svg = contourSvg({
    title: undefined,
    methods: [name],
    classNames: classes.map((shown) => shown.name),
    rows: [row],
  });
  const text =
    `${itemAt(row.slices, 0).note} of ${id}: the image with the outlines of the reference, ` +
    `and with those of ${name}; ${itemAt(row.captions, 0)}`;
  return { id: `slice-${i + 1}`, title: `${id}, ${name}`, text, svg };
}

function pageSections(
  content: ReportContent,
  drawings: readonly Drawing[],
  slices: readonly Drawing[],
  cases: readonly PageCase[],
): PageSection[] {
  const { evaluations } = content;
  const tables = paperTables(paperResults(evaluations)).filter(({ rows }) =>
    rows.some(({ published }) => !published),
  );
  const viewIds = (of: ReportEvaluation) =>
    new Map(cases.flatMap(({ id, caseId, source }) => (source === of.source ? [[caseId, id]] : [])));
  const figuresNamed = (pattern: RegExp, wide = false) =>
    drawings
      .filter(({ id }) => pattern.test(id))
      .map((drawing) => figureHtml(drawing, wide))
      .join('');
  const sections: PageSection[] = [
    {
      id: 'tables',
      title: "The paper's tables",
      html: tables.length > 0 ? `<p>${rankNote}</p>${tables.map(paperTableHtml).join('')}` : '',
    },
    { id: 'figures', title: "The paper's figures", html: figuresNamed(/^paper-figure-/) },
    {
      id: 'results',
      title: 'Results',
      html: evaluations.length > 0 ? evaluationTablesHtml(evaluations) : '',
    },
    { id: 'spread', title: 'Spread over cases', html: figuresNamed(/^dice-over-cases/) },
    { id: 'efficiency', title: 'Label efficiency', html: figuresNamed(/^label-efficiency/) },
    { id: 'speed', title: 'Speed', html: figuresNamed(/^seconds-a-step/) },
    { id: 'curves', title: 'Loss and Dice curves', html: figuresNamed(/^run-/, true) },
    { id: 'reconstructions', title: 'Reconstructions', html: content.runs.map(reconstructionHtml).join('') },
    {
      id: 'worst',
      title: 'Worst cases',
      html:
        slices.length > 0
          ? `<div class="grid">${slices.map((drawing) => figureHtml(drawing, false)).join('')}</div>`
          : '',
    },
    {
      id: 'cases',
      title: 'Every case',
      html: evaluations.map((evaluation) => caseTableHtml(evaluation, viewIds(evaluation))).join(''),
    },
  ];
  return sections.filter(({ html }) => html !== '');
}

const rankNote =
  'Our rows are shaded. Small figures mark the best three Dice of a column, published rows included.';

const noteSection = (notes: readonly string[]): PageSection[] =>
  notes.length === 0
    ? []
    : [
        {
          id: 'notes',
          title: 'Not shown',
          html: `<ul>${notes.map((note) => `<li>${escapeXml(note)}</li>`).join('')}</ul>`,
        },
      ];

/** When and with what the page was made, and the settings of the runs. */
function madeSection({ made, runs }: ReportContent): PageSection[] {
  const facts = made
    ? `<p>Written ${escapeXml(made.date)} with ${Object.entries(made.software)
        .map(([name, version]) => `${escapeXml(name)} ${escapeXml(version)}`)
        .join(', ')}.</p>`
    : '';
  const settings = runs.flatMap(({ name, settings: yaml }) =>
    yaml === undefined
      ? []
      : [
          `<details><summary>${escapeXml(`Settings of ${name}`)}</summary>${preformatted(name, yaml)}</details>`,
        ],
  );
  const html = facts + settings.join('');
  return html === '' ? [] : [{ id: 'made', title: 'Settings and versions', html }];
}

const preformatted = (name: string, text: string): string =>
  `<pre class="scroll" tabindex="0" role="region" aria-label="${escapeXml(`Settings of ${name}`)}">${escapeXml(text)}</pre>`;

/** The last picture of a pre-training, as a figure; nothing where there is none. */
function reconstructionHtml({ name, reconstruction }: ReportRun): string {
  if (!reconstruction) return '';
  const text =
    `After step ${reconstruction.step}, a row a crop: its middle axial slice as it is, as the network sees it, and as it fills it. ` +
    'Values below 0 are black, above 1 white.';
  const source = `data:image/png;base64,${Buffer.from(reconstruction.png).toString('base64')}`;
  const label = escapeXml(`Run ${name}`);
  return (
    `<figure><h3>${label}</h3><img src="${source}" alt="${label}. ${escapeXml(text)}">` +
    `<figcaption>${escapeXml(text)}</figcaption></figure>`
  );
}

function figureHtml({ id, title, text, svg }: Drawing, wide: boolean): string {
  const label = escapeXml(title);
  return (
    `<figure${wide ? ' class="wide"' : ''}><h3>${label}</h3><div class="scroll" tabindex="0" role="region" aria-label="${label}, figure">` +
    `${pageSvg(svg, id, `${title}. ${text}`)}</div><figcaption>${escapeXml(text)}</figcaption></figure>`
  );
}

async function writeFigures(folder: string, drawings: readonly Drawing[]): Promise<void> {
  await makeFolder(folder);
  for (const { id, svg } of drawings) {
    await writeWholeFile(join(folder, `${id}.svg`), svg);
    await writeWholeFile(join(folder, `${id}.png`), await svgToPng(svg, zoom));
  }
}
