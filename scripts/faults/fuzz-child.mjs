// Reads spoilt inputs, one for each message, and says what came of each. Started by fuzz.mjs.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '../../dist/random/streams.js';
import { FaultFound } from './expectations.mjs';
import { targets } from './targets.mjs';

const [folder, seed] = process.argv.slice(2);
const names = Object.keys(targets);
const opened = {};
process.send({ ready: true });

process.on('message', async ({ format, input }) => {
  const below = join(folder, format);
  let answer;
  if (!(format in opened)) {
    mkdirSync(below);
    opened[format] = await targets[format](below);
  }
  const random = randomStream(Number(seed), 'phantom', names.indexOf(format), input);
  const own = mkdtempSync(join(below, 'input-'));
  const started = process.cpuUsage();
  try {
    answer = { outcome: await opened[format](random, own) };
  } catch (error) {
    // What the reader itself did not foresee is a fault as much as what the comparison found.
    answer = {
      outcome: 'fault',
      why: error instanceof FaultFound ? error.message : (error?.stack ?? String(error)),
    };
  }
  const { user, system } = process.cpuUsage(started);
  if (answer.outcome !== 'fault') rmSync(own, { recursive: true, force: true });
  process.send({ input, ...answer, folder: own, seconds: (user + system) / 1e6 });
});
process.on('disconnect', () => process.exit(0));
