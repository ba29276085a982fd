import type { Precision } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { writeWholeFile } from '../whole-file.js';
import type { Command } from './context.js';
import { countingBar } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly networks: string | undefined;
  readonly methods: string | undefined;
  readonly precisions: string;
  readonly crop: number;
  readonly region: number | undefined;
  readonly batch: number;
  readonly steps: number;
  readonly rounds: number;
  readonly threads: number;
  readonly set: readonly string[];
  readonly out: string | undefined;
  readonly figure: string | undefined;
  readonly json: boolean;
}

const precisions: readonly Precision[] = ['float32', 'bfloat16'];

export const benchmarkSpeedCommand: Command<Flags> = {
  command: 'benchmark-speed',
  describe: "Time the pre-training step of methods and networks, as the paper's Figure 5 does",
  flags: (yargs) =>
    yargs
      .option('networks', { type: 'string', requiresArg: true, describe: 'names with commas; default all' })
      .option('methods', { type: 'string', requiresArg: true, describe: 'names with commas; default all' })
      .option('precisions', {
        type: 'string',
        default: precisions.join(),
        requiresArg: true,
        describe: 'names with commas',
      })
      .option('crop', {
        type: 'number',
        default: 96,
        requiresArg: true,
        describe: 'side of the crop, voxels',
      })
      .option('region', {
        type: 'number',
        requiresArg: true,
        describe: "side of HybridMIM's target region; default two thirds of the crop",
      })
      .option('batch', { type: 'number', default: 1, requiresArg: true, describe: 'crops of a step' })
      .option('steps', {
        type: 'number',
        default: 3,
        requiresArg: true,
        describe: 'timed steps of each measurement, after two that are not',
      })
      .option('rounds', {
        type: 'number',
        default: 2,
        requiresArg: true,
        describe: 'measurements of each combination, by turns',
      })
      .option('threads', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'of one op; 0: one a core',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'such as unet.features=[32,32,64,128,256,32]',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'write the results as JSON to this file',
      })
      .option('figure', { type: 'string', requiresArg: true, describe: 'write the bars as PNG to this file' })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the results as JSON on standard output',
      })
      .example(
        '$0 benchmark-speed --networks unet --methods hybridmim --out speed.json --figure speed.png',
        'partial region against full',
      ),
  run: async (flags, { terminal, signal, result }) => {
    const { benchmarkSpeed, speedBars, speedTable } = await import('../speed/index.js');
    const { networkNames } = await import('../network/index.js');
    const { methodNames } = await import('../pretext/index.js');
    const { writeSpeedFigure } = await import('../report/index.js');
    const { crop, batch, steps, rounds, threads, set, out, figure, json } = flags;
    for (const [flag, value] of Object.entries({ crop, batch, steps, rounds }))
      requireWholeNumber(`--${flag}`, value, 1);
    requireWholeNumber('--threads', threads, 0);
    const region = flags.region ?? Math.max(32, Math.round((crop * 2) / 3 / 32) * 32);
    requireWholeNumber('--region', region, 1);
    const count = countingBar(terminal, 'benchmark');
    const report = await benchmarkSpeed({
      networks: namesOf(flags.networks, networkNames, '--networks'),
      methods: namesOf(flags.methods, methodNames, '--methods'),
      precisions: namesOf(flags.precisions, precisions, '--precisions'),
      crop,
      region,
      batch,
      threads,
      set,
      steps,
      rounds,
      onProgress: count,
      signal: signal(),
    });
    const { processor, cores, device } = report.machine;
    const where = `${processor}, ${cores} cores, ${device}; crop ${crop}, batch ${batch}`;
    if (out !== undefined) await writeWholeFile(out, `${JSON.stringify(report, null, 1)}\n`);
    if (figure !== undefined) await writeSpeedFigure(figure, speedBars(report), where);
    const skipped = report.skipped.map(
      ({ method, network, reason }) => `not measured: ${method} on ${network}: ${reason}`,
    );
    result(report, [where, '', speedTable(report), ...skipped].join('\n'), json);
  },
};

/** The names of a flag, all without one. Throws UsageError for one that there is not. */
function namesOf<Name extends string>(
  given: string | undefined,
  known: readonly Name[],
  flag: string,
): Name[] {
  if (given === undefined) return [...known];
  return given.split(',').map((name) => {
    const found = known.find((one) => one === name.trim());
    if (found !== undefined) return found;
    throw new UsageError(`${flag} names "${name.trim()}", which there is not: it takes ${known.join(', ')}`, {
      field: flag,
      found: name,
      expected: known,
    });
  });
}
