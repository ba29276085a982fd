import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';

const lock = z
  .object({ packages: z.record(z.string(), z.object({ version: z.string(), dev: z.boolean().optional() })) })
  .parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));

/** The versions of a package, wherever it is installed for users. */
const versionsOf = (name: string): string[] => [
  ...new Set(
    Object.entries(lock.packages)
      .filter(([path, { dev }]) => path.endsWith(`node_modules/${name}`) && !dev)
      .map(([, { version }]) => version),
  ),
];

it('packages of which nobody takes care any more are not installed for what runs nothing of them', () => {
  expect(versionsOf('tar')).toEqual([expect.stringMatching(/^7\./)]);
  expect(versionsOf('@mapbox/node-pre-gyp')).toEqual([expect.stringMatching(/^2\./)]);
  for (const gone of ['npmlog', 'gauge', 'are-we-there-yet', 'es6-promise', 'set-blocking'])
    expect([gone, ...versionsOf(gone)]).toEqual([gone]);
  expect(Object.values(lock.packages).filter(({ dev }) => !dev).length).toBeLessThan(500);
});
