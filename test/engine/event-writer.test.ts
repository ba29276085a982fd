import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openEventWriter } from '../../src/engine/index.js';
import { smallDisk } from '../small-disk.js';

/** Its event files stay open until the process ends, so that no other test can use this disk. */
const small = smallDisk(2);

it.skipIf(!small)('a full disk ends the events of TensorBoard in a sentence, from the first byte on', () => {
  if (!small) return;
  const room = mkdtempSync(join(small.folder, 'room-'));
  small.leave(0);
  expect(() => openEventWriter(room)).toThrow(
    /has no room for TensorBoard's events, .* \(ENOSPC\): the disk is full; free some space/,
  );
  small.leave(64 << 10);
  const events = openEventWriter(room);
  const write = () => {
    for (let step = 0; step < 20_000; step++) events.scalar('loss', step, step);
    events.flush();
  };
  expect(write).toThrow(/has no room for TensorBoard's events, .* \(ENOSPC\)/);
  // What is kept for later, up to 1000 of them, meets the full disk when it is brought there.
  small.leave(64 << 10);
  const late = openEventWriter(room);
  small.leave(0);
  for (let step = 0; step < 900; step++) late.scalar('loss', step, step);
  expect(() => late.flush()).toThrow(/has no room for TensorBoard's events, .* \(ENOSPC\)/);
});
