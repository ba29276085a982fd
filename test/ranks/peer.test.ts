import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FromFirst, type ToFirst, toFirst } from '../../src/ranks/messages.js';
import { beatMs, type Peer, speakWith } from '../../src/ranks/peer.js';

/** Two ends of a connection of this machine, of which one speaks as ranks do and the other says nothing. */
let ends: { readonly ours: Socket; readonly theirs: Socket; readonly close: () => void };
let clock = 0;
let peer: Peer<FromFirst> | undefined;
let lost: string[];

beforeEach(async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const theirs = connect(address.port, '127.0.0.1');
  const [ours] = (await once(server, 'connection')) as [Socket];
  ends = { ours, theirs, close: () => server.close() };
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  lost = [];
  peer = speakWith<FromFirst, ToFirst>({
    socket: ours,
    schema: Promise.resolve(toFirst),
    onMessage: () => {},
    onLost: (why) => lost.push(why),
  });
});
afterEach(() => {
  peer?.letGo();
  vi.useRealTimers();
  vi.restoreAllMocks();
  ends.ours.destroy();
  ends.theirs.destroy();
  ends.close();
});

/** Time goes on by one beat. */
function tick(): void {
  clock += beatMs;
  vi.advanceTimersByTime(beatMs);
}

describe('the other end of a lifeline', () => {
  it('counts as gone after eight seconds of silence, not before', () => {
    for (let beat = 0; beat < 8; beat++) tick();
    expect(lost).toEqual([]);
    tick();
    expect(lost).toEqual(['nothing was heard of it for 9 s']);
  });

  it('is not to blame where this process itself was stopped', () => {
    tick();
    clock += 60_000; // nothing ran in between
    tick();
    expect(lost).toEqual([]);
    for (let beat = 0; beat < 9; beat++) tick();
    expect(lost).toHaveLength(1);
  });

  it('is there as long as it says anything', async () => {
    for (let beat = 0; beat < 20; beat++) {
      tick();
      ends.theirs.write('{"beat":true}\n');
      await once(ends.ours, 'data');
    }
    expect(lost).toEqual([]);
  });

  it('is let go when it sends what is no message, or a line without an end', async () => {
    ends.theirs.write('{"what":1}\n');
    await vi.waitFor(() => expect(lost).toEqual(['it sent what is no message']));
  });

  it('cannot fill the memory with a line that does not end', async () => {
    ends.theirs.write('x'.repeat(2 ** 20 + 2));
    await vi.waitFor(() => expect(lost).toEqual(['it sent what is no message']), { timeout: 5000 });
  });
});
