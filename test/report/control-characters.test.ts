import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeProgressFigure, writeReport } from '../../src/report/index.js';
import { temporaryFolder } from '../temporary-folder.js';
import { sampleCase, sampleContent } from './report-samples.js';

const folder = temporaryFolder();

/** Of control, and halves of letters: XML has no place for any of them. */
const spoilt = 'a\u0000b\u0001c\u001bd\u0008e\ufffef\ud800g';
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const noXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])/;

it('writes a whole report of runs, metrics, classes and cases whose names hold letters that XML lacks', async () => {
  const lines = [1, 2, 3].flatMap((step) => [
    { step, loss: 1 / step, losses: { [`loss ${spoilt}`]: 1 / step, other: 0 }, lr: 1e-4 },
    { step, validation: { dice: 0.2 * step, [`dice ${spoilt}`]: 0.2 * step } },
  ]);
  const content = sampleContent([sampleCase(`case ${spoilt}`, 'ours', 1)]);
  const renamed = content.evaluations.map((evaluation) => ({ ...evaluation, name: spoilt }));
  const figures = join(folder, 'figures');
  mkdirSync(figures);
  const page = join(folder, 'report.html');
  await writeReport(
    page,
    {
      ...content,
      title: spoilt,
      runs: [{ name: spoilt, lines }],
      evaluations: renamed,
      speed: content.speed.map((result) => ({ ...result, method: spoilt })),
    },
    { figures },
  );
  await writeProgressFigure(join(figures, 'progress.png'), lines, spoilt);
  // The viewer's code has letters of control of its own, and JSON is no XML.
  const text = readFileSync(page, 'utf8').replace(/<script[ >].*?<\/script>/gs, '');
  expect(noXml.exec(text)?.index).toBeUndefined();
  const names = readdirSync(figures);
  expect(names.filter((name) => name.endsWith('.svg')).length).toBeGreaterThan(2);
  for (const name of names) {
    const content = readFileSync(join(figures, name));
    if (name.endsWith('.svg')) expect(noXml.exec(content.toString('utf8'))?.index).toBeUndefined();
    else expect(content.subarray(1, 4).toString('latin1')).toBe('PNG');
  }
});
