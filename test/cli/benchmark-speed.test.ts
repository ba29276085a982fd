import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { methodNames } from '../../src/pretext/index.js';
import { longTests } from '../long-tests.js';
import { temporaryFolder } from '../temporary-folder.js';
import { runCli } from './run-cli.js';

const positive = z.number().positive();
const speedFile = z.strictObject({
  schema: z.literal(1),
  machine: z.strictObject({
    processor: z.string(),
    cores: positive,
    memoryBytes: positive,
    device: z.enum(['cpu', 'gpu']),
    tensorflow: z.string().regex(/^2\./),
    threads: z.number(),
    matrixProductRate: z.strictObject({ float32: positive }),
  }),
  results: z.array(
    z.strictObject({
      network: z.string(),
      method: z.string(),
      precision: z.literal('float32'),
      region: positive,
      crop: z.literal(64),
      batch: z.literal(1),
      stepMs: z
        .strictObject({ median: positive, min: positive, max: positive })
        .refine(({ median, min, max }) => min <= median && median <= max),
      compileMs: positive,
      peakBytes: z.number().min(1e8),
      multiplyAdds: positive,
      peakShare: positive.lt(1),
    }),
  ),
  skipped: z.array(z.strictObject({ network: z.string(), method: z.string(), reason: z.string() })),
});
const small = ['--networks', 'unet', '--precisions', 'float32', '--steps', '1', '--rounds', '1'];
const narrow = ['--set', 'unet.features=[4,4,8,8,16,4]'];

/** Methods that were made for a network other than `unet`, and which. */
const elsewhere: Readonly<Record<string, string>> = { unetformer: 'swin-unetr', mae: 'unetr' };

it.runIf(longTests)(
  'times every method that goes with the network by turns, HybridMIM with its partial region and without, and names the others, as JSON, table and figure',
  async () => {
    const folder = temporaryFolder();
    const [out, figure] = [join(folder, 'speed.json'), join(folder, 'speed.png')];
    const { code, stdout, stderr } = await runCli([
      'benchmark-speed',
      ...small,
      '--crop',
      '64',
      '--region',
      '32',
      ...narrow,
      '--out',
      out,
      '--figure',
      figure,
    ]);
    expect(code, stderr).toBe(0);
    const { results, skipped } = speedFile.parse(JSON.parse(readFileSync(out, 'utf8')));
    expect(
      Object.fromEntries(
        skipped.map(({ method, reason }) => [method, /network.name (\S+) alone/.exec(reason)?.[1]]),
      ),
    ).toEqual(elsewhere);
    expect(new Set(results.map(({ method }) => method))).toEqual(
      new Set(methodNames.filter((name) => !(name in elsewhere))),
    );
    for (const method of Object.keys(elsewhere))
      expect(stdout + stderr).toContain(`not measured: ${method} on unet: `);
    const [partial, full] = results.filter(({ method }) => method === 'hybridmim');
    expect([partial?.region, full?.region]).toEqual([32, 64]);
    expect(partial!.multiplyAdds).toBeLessThan(0.7 * full!.multiplyAdds);
    for (const { method } of results) expect(stdout).toContain(`| ${method} `);
    expect(readFileSync(figure).subarray(1, 4).toString()).toBe('PNG');
  },
);

it('refuses what cannot be measured in one sentence, and writes nothing', async () => {
  const out = join(temporaryFolder(), 'speed.json');
  for (const [args, sentence] of [
    [['--methods', 'hybridmin'], '--methods names "hybridmin", which there is not: it takes hybridmim'],
    [['--region', '128'], "--region is 128, more than the crop's 96 voxels"],
    [
      ['--set', 'features=[1]'],
      '--set features=[1]: write the network before the key, such as unet.features=[1]',
    ],
    [['--set', 'unet.feature=3'], 'there is no key "feature"; did you mean "features"?'],
    [['--methods', 'hybridmim', '--crop', '50'], 'nothing can be measured: '],
  ] as const) {
    const { code, stderr } = await runCli(['benchmark-speed', ...small, ...args, '--out', out]);
    expect(stderr).toContain(sentence);
    expect(code).toBe(2);
  }
  expect(existsSync(out)).toBe(false);
});
