// A rank without TensorFlow: node rank-process.mjs FACTS START. It tells what happens to it, and leaves at a line "leave".
import { createInterface } from 'node:readline';
import { endNow, openLifeline, rankPlaceOf } from '../../dist/ranks/index.js';

const [facts = '{}', start = '{}'] = process.argv.slice(2);
const tell = (what) => process.stdout.write(`${what}\n`);
const lifeline = await openLifeline(rankPlaceOf(process.env));
tell('opened');
try {
  const gathered = await lifeline.gather(JSON.parse(facts), JSON.parse(start));
  tell(`gathered ${gathered.addresses.length} ${JSON.stringify(gathered.start)}`);
  lifeline.progress(7);
  const left = new Promise((resolve, reject) =>
    createInterface({ input: process.stdin }).on('line', (line) => (line === 'leave' ? resolve() : reject(new Error(line)))),
  );
  await Promise.race([left, lifeline.lost]);
  await lifeline.leave();
  tell('left');
  await endNow(0);
} catch (error) {
  if (error.name === 'Error') await lifeline.fail(error.message);
  lifeline.heard();
  tell(`ended: ${error.message}`);
  await endNow(error.exitCode ?? 1);
}
