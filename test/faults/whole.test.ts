import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { isWhole } from '../../scripts/faults/whole.mjs';
import { openEventWriter } from '../../src/engine/index.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();

function events(): Buffer {
  const writer = openEventWriter(folder);
  for (let step = 0; step < 20; step++) writer.scalar('loss', 1 / (1 + step), step);
  writer.flush();
  const [name] = readdirSync(folder).filter((file) => file.includes('tfevents'));
  return readFileSync(join(folder, name!));
}

const settings = { train: { steps: 20, rates: [0.1, 0.2] }, name: 'unet' };
const lines = (count: number, line: (i: number) => string) =>
  Buffer.from(Array.from({ length: count }, (_, i) => `${line(i)}\n`).join(''));

describe('a file that differs each time', () => {
  it.each([
    ['figure.png', readFileSync('docs/images/demo.png')],
    ['figure.svg', readFileSync('docs/images/method.svg')],
    ['report.html', Buffer.from(`<html><body>${'<p>liver</p>'.repeat(40)}</body></html>\n`)],
    ['plan.json', Buffer.from(`${JSON.stringify(settings, null, 1)}\n`)],
    ['log.jsonl', lines(20, (i) => JSON.stringify({ step: i }))],
    ['plan.yaml', Buffer.from(stringify(settings))],
    ['plan.md', lines(20, (i) => `| ${i} | liver |`)],
    ['events.out.tfevents.1.v2', events()],
  ])('is seen to be cut, wherever but between its records: %s', (name, bytes) => {
    expect(isWhole(name, bytes)).toBe(true);
    const byLine = /jsonl|yaml|md$/.test(name);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 2 }), (length) => {
        fc.pre(!byLine || length === 0 || bytes[length - 1] !== 0x0a);
        fc.pre(!name.includes('tfevents') || !recordEnds(bytes).includes(length));
        return !isWhole(name, bytes.subarray(0, length));
      }),
    );
  });

  it('is of a kind that is known', () => {
    expect(() => isWhole('a.bin', Buffer.alloc(4))).toThrow(/how does a\.bin show that it is whole/);
  });
});

/** Where the records of an event file end. */
function recordEnds(bytes: Buffer): number[] {
  const ends = [];
  for (let at = 0; at < bytes.length; ends.push(at)) at += 16 + Number(bytes.readBigUInt64LE(at));
  return ends;
}
