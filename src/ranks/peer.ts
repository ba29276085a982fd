import type { Socket } from 'node:net';
import type { z } from 'zod';
import { jsonOrUndefined } from '../json.js';

/** The other end of a lifeline. */
export interface Peer<Sent> {
  send(message: Sent): void;
  /** Its end is expected from here on. */
  letGo(): void;
}

export interface PeerOptions<Received> {
  readonly socket: Socket;
  /** Of what is received; messages wait for it. */
  readonly schema: Promise<z.ZodType<Received>>;
  onMessage(message: Received): void;
  /** Once, when it is gone: why. */
  onLost(why: string): void;
}

/** Milliseconds between two signs of life. */
export const beatMs = 1000;
/** Milliseconds of silence after which the other end counts as gone. */
const silenceMs = 8000;
/** A line of settings is a few kilobytes; nobody of ours sends more without a break. */
const longestLine = 2 ** 20;

/** Speaks with the other end of a connection, a line of JSON a message, and notices when it is gone or silent. */
export function speakWith<Sent extends object, Received extends object>({
  socket,
  schema,
  onMessage,
  onLost,
}: PeerOptions<Received>): Peer<Sent> {
  let [rest, heard, looked, isOver] = ['', performance.now(), performance.now(), false];
  const end = () => {
    isOver = true;
    clearInterval(beating);
  };
  const lost = (why: string) => {
    if (isOver) return;
    end();
    socket.destroy();
    onLost(why);
  };
  const send = (message: object) => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  const beating = setInterval(() => {
    const now = performance.now();
    // This process itself was stopped for a while: the other end is not to blame.
    if (now - looked > 3 * beatMs) heard = now;
    looked = now;
    send({ beat: true });
    if (now - heard > silenceMs) lost(`nothing was heard of it for ${Math.round((now - heard) / 1000)} s`);
  }, beatMs);
  socket.setNoDelay(true);
  socket.setEncoding('utf8');
  socket.on('error', () => {}); // `close` follows
  // After what it said last, which may have to wait.
  socket.on('close', () => void schema.then(() => lost('its connection closed')));
  const take = (line: string, known: z.ZodType<Received>) => {
    if (isOver) return;
    const message = known.safeParse(jsonOrUndefined(line));
    if (!message.success) lost('it sent what is no message');
    else if (!('beat' in message.data)) onMessage(message.data);
  };
  socket.on('data', (text: string) => {
    heard = performance.now();
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) lost('it sent what is no message');
    if (lines.length > 0)
      void schema.then((known) => {
        for (const line of lines) take(line, known);
      });
  });
  return { send, letGo: end };
}
