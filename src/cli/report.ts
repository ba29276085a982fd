import { UsageError } from '../errors.js';
import type { Command } from './context.js';
import { countingBar } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly from: string;
  readonly out: string;
  readonly tables: string | undefined;
  readonly figures: string | undefined;
  readonly name: readonly string[] | undefined;
  readonly cases: number;
  readonly json: boolean;
}

export const reportCommand: Command<Flags> = {
  command: 'report',
  describe:
    "One HTML page of runs and evaluations: the paper's tables, figures, worst cases and a volume viewer",
  flags: (yargs) =>
    yargs
      .option('from', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'folder with run folders and evaluations',
      })
      .option('out', {
        type: 'string',
        default: 'report.html',
        requiresArg: true,
        describe: 'file to write; it needs no network',
      })
      .option('tables', {
        type: 'string',
        requiresArg: true,
        describe: "folder for the paper's tables as .md and .tex",
      })
      .option('figures', {
        type: 'string',
        requiresArg: true,
        describe: 'folder for the figures as .svg and .png',
      })
      .option('name', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'PATH=NAME: show the run or file at PATH of --from as NAME',
      })
      .option('cases', {
        type: 'number',
        default: 100,
        requiresArg: true,
        describe: 'how many cases have volumes, worst first',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print what was written as JSON on standard output',
      })
      .example('$0 report --from runs/ --out report.html', 'everything under runs/')
      .example(
        '$0 report --from runs/ --name msd-liver=ours --name msd-spleen=ours',
        'liver and spleen in one row of Table 2',
      ),
  run: async ({ from, out, tables, figures, name, cases, json }, { terminal, signal, result }) => {
    requireWholeNumber('--cases', cases, 0);
    if (!/\.html?$/.test(out))
      throw new UsageError(`--out is ${out}, but must end in .html`, { field: '--out', found: out });
    const { collectReport } = await import('../report-sources/index.js');
    const { paperResults, worstFirst, writePaperTables, writeReport } = await import('../report/index.js');
    const content = await collectReport({ from, names: new Map((name ?? []).map(pathAndName)) });
    const count = countingBar(terminal, 'cases');
    const shown = { ...content, cases: worstFirst(content.cases).slice(0, cases) };
    await writeReport(out, shown, {
      figures,
      signal: signal(),
      onCase: (id, done, total) => count(done, total, id),
    });
    const tableFiles =
      tables === undefined ? [] : await writePaperTables(tables, paperResults(content.evaluations));
    const counts = {
      runs: content.runs.length,
      evaluations: content.evaluations.length,
      cases: shown.cases.length,
      speed: content.speed.length,
    };
    for (const note of content.notes) terminal.line(note);
    const facts = `${counts.runs} runs, ${counts.evaluations} evaluations, ${counts.cases} cases with volumes`;
    result(
      { schema: 1, report: out, tables: tableFiles, figures: figures ?? null, ...counts },
      [`${out}: ${facts}`, ...tableFiles].join('\n'),
      json,
    );
  },
};

function pathAndName(text: string): [path: string, name: string] {
  const [path, ...rest] = text.split('=');
  if (path && rest.length > 0 && rest.join('=') !== '') return [path.replace(/\/+$/, ''), rest.join('=')];
  throw new UsageError(`--name is ${text}, but must be PATH=NAME, such as msd-liver=ours`, {
    field: '--name',
    found: text,
  });
}
