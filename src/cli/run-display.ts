import { join } from 'node:path';
import { keepsRun } from '../ranks/index.js';
import type { RunProgress, TransferReport } from '../training/index.js';
import { type Bar, duration, type Terminal } from './terminal.js';

/**
 * What a training run shows: its size at the start, a bar with the loss, rate and time left, validations, and
 * `progress.png` in its folder with every checkpoint.
 */
export function runDisplay(terminal: Terminal, title: string, folder: string): RunProgress {
  let bar: Bar | undefined;
  return {
    onNote: (sentence) => terminal.line(`${title}: ${sentence}`),
    onTransfer: (report) => terminal.line(`${title}: ${transferSentence(report)}`),
    onStart: ({ steps, firstStep, cases, parameters, compileMs }) => {
      const from = firstStep > 0 ? `, resumed after step ${firstStep}` : '';
      const size = `${(parameters / 1e6).toFixed(2)} million parameters, ${cases} ${cases === 1 ? 'case' : 'cases'}`;
      terminal.line(
        `${title}: ${size}, ${steps} steps${from}; compiled in ${(compileMs / 1000).toFixed(2)} s; ${folder}`,
      );
      bar = terminal.bar(title, steps, firstStep);
    },
    onStep: ({ step, loss, waitSeconds, seconds }, steps) => {
      const waiting =
        waitSeconds > 0.1 * seconds && waitSeconds >= 0.5 ? `, waited ${duration(waitSeconds)} for data` : '';
      bar?.update(step, `loss ${loss.toPrecision(4)}${waiting}`);
      if (step === steps) bar?.stop();
    },
    onValidation: (step, values, best) => {
      bar?.passOver();
      const shown = Object.entries(values).map(
        ([name, value]) => `${name} ${value === null ? '-' : value.toPrecision(4)}`,
      );
      terminal.line(
        `${title}: validation after step ${step}: ${shown.join(', ')}${best ? ' (best so far)' : ''}`,
      );
    },
    onCheckpoint: async (lines) => {
      const { writeProgressFigure } = await import('../report/index.js');
      await writeProgressFigure(join(folder, 'progress.png'), lines, title);
    },
  };
}

/** What a rank shows of a run: rank 0 all of it, the others what nobody else knows. */
export const progressOf = (
  lifeline: { readonly rank: number } | undefined,
  terminal: Terminal,
  title: string,
  folder: string,
): RunProgress =>
  keepsRun(lifeline)
    ? runDisplay(terminal, title, folder)
    : { onNote: (sentence) => terminal.line(`${title}: ${sentence}`) };

/** What was transferred, as a sentence. */
function transferSentence({ file, encoder, decoder, fresh, adapted }: TransferReport): string {
  const million = (values: number) => (values / 1e6).toFixed(2);
  const parts = decoder.values > 0 ? 'encoder and decoder' : 'the encoder alone';
  const rest = `new at random: ${[...new Set(fresh.map((name) => name.replace(/\..*/s, '')))].join(', ')}`;
  const fitted = adapted[0]
    ? `; first weights for ${adapted[0].from} channels repeated for ${adapted[0].to}`
    : '';
  const counted = `${million(encoder.values + decoder.values)} of ${million(encoder.of + decoder.of)} million values`;
  return `transferred ${parts} from ${file}: ${counted}; ${rest}${fitted}`;
}
