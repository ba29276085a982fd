import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { appendWhole, writeLastWord } from '../whole-file.js';
import type { Calling } from './lifeline.js';
import type { Facts, FromFirst, FromThread, Start, ToFirst, ToThread } from './messages.js';
import { type Peer, speakWith } from './peer.js';

/*
 * The thread of a lifeline. It has nothing to do with TensorFlow, so that it works while the process waits in a collective
 * or loads a library: rank 0 listens, every other rank keeps one connection to it.
 */

const { rank, ranks, host, port, token, patience, launcher } = workerData as Calling;

/** Milliseconds that the process has to say itself that a rank is lost, and then to end, before it is ended. */
const [toHearMs, toEndMs] = [700, 2500];

/** Milliseconds that rank 0 stays to tell ranks that are still starting of a loss. */
const forLatecomersMs = 2500;

let [step, errorOutput, isLeaving, isEnding]: [number, number, boolean, boolean] = [0, 2, false, false];
let [log, heard]: [string | undefined, boolean] = [undefined, false];

/** Loaded beside the call, which comes first. */
const messages = import('./messages.js');

const tell = (message: FromThread): void => parentPort?.postMessage(message);

/** Ends the process because of what happened to another: in good order where it still can, else at once. */
async function endBecause(what: string): Promise<void> {
  if (isLeaving || isEnding) return;
  isEnding = true;
  const sentence = `${what}: rank ${rank} stops after step ${step}; start all ranks again with --resume to go on from the last checkpoint`;
  tell({ lost: sentence });
  await wait(toHearMs);
  if (heard) await wait(toEndMs);
  else {
    // The process is deep in a call, or its own standard error leads nowhere for now.
    writeLastWord(errorOutput, `hybridmim: ${sentence}`);
    if (log !== undefined)
      appendWhole(log, `${JSON.stringify({ level: 50, time: new Date().toISOString(), msg: sentence })}\n`);
  }
  process.kill(process.pid, 'SIGKILL');
}

interface Place {
  readonly peer: Peer<FromFirst>;
  readonly address: string;
  ready?: { readonly facts: Facts; readonly address: string };
  isDone: boolean;
}

/** Rank 0's side: who is there, and telling all of whoever is lost. */
function openHub() {
  const places = new Map<number, Place>();
  let own: { facts: Facts; start: Start; address: string } | undefined;
  let isComplete = false;
  const nameOf = (who: number, { address, ready }: Place) => `rank ${who} (${ready?.address ?? address})`;
  const called = new Set<number>();
  let loss: string | undefined;
  const lose = (what: string) => {
    if (loss !== undefined) return;
    loss = what;
    for (const { peer } of places.values()) peer.send({ lost: what });
    void latecomersTold().then(() => endBecause(what));
  };
  /** A rank that calls only now would find nobody, and call for long. */
  const latecomersTold = async () => {
    for (let waited = 0; waited < forLatecomersMs && called.size < ranks - 1; waited += 20) await wait(20);
    await wait(20);
  };
  const refuse = (who: number, place: Place, why: string) => {
    place.peer.send({ refused: why });
    place.peer.letGo();
    places.delete(who);
    lose(`${nameOf(who, place)} was refused, because ${why}`);
  };
  const begin = () => {
    if (isComplete || !own || places.size < ranks - 1) return;
    const others = Array.from({ length: ranks - 1 }, (_, i) => places.get(i + 1));
    for (const [i, place] of others.entries()) {
      if (!place?.ready) return;
      const difference = differenceOf(place.ready.facts, own.facts);
      if (difference) return refuse(i + 1, place, difference);
    }
    isComplete = true;
    const addresses = [own.address, ...others.map((place) => place?.ready?.address ?? '')];
    for (const { peer } of places.values()) peer.send({ addresses, start: own.start });
    tell({ addresses, start: own.start });
  };
  const greet = (socket: Socket) => {
    let who: number | undefined;
    const address = hostOf(socket.remoteAddress ?? '');
    const peer = speakWith<FromFirst, ToFirst>({
      socket,
      schema: messages.then(({ toFirst }) => toFirst),
      onMessage: (message) => {
        const place = who === undefined ? undefined : places.get(who);
        if ('hello' in message) {
          const why = strangeness(message.hello, message.token, places);
          if (why !== undefined) {
            peer.send({ refused: why });
            peer.letGo();
            socket.end();
            return;
          }
          who = message.hello;
          places.set(who, { peer, address, isDone: false });
          called.add(who);
          if (loss !== undefined) peer.send({ lost: loss });
        } else if (!place || who === undefined) socket.destroy();
        else if ('ready' in message) {
          place.ready = { facts: message.ready, address: message.address ?? `${address}:${message.port}` };
          begin();
        } else if ('done' in message) place.isDone = true;
        else if ('failed' in message) {
          peer.letGo();
          places.delete(who);
          lose(`${nameOf(who, place)} ended: ${message.failed}`);
        }
      },
      onLost: (why) => {
        const place = who === undefined ? undefined : places.get(who);
        if (!place || who === undefined) return;
        places.delete(who);
        if (!place.isDone) lose(`${nameOf(who, place)} is lost: ${why}`);
      },
    });
  };
  const server = createServer(greet);
  server.on('error', ({ message }) =>
    tell({
      refused: `rank 0 cannot listen on MASTER_ADDR ${host}, MASTER_PORT ${port} (${message}): give an address of this machine and a free port`,
    }),
  );
  server.listen(port, host);
  setTimeout(() => {
    if (places.size === ranks - 1 || isComplete) return;
    const missing = Array.from({ length: ranks - 1 }, (_, i) => i + 1).filter((one) => !places.has(one));
    lose(
      `${missing.length === 1 ? 'rank' : 'ranks'} ${missing.join(', ')} did not come within ${patience} s`,
    );
  }, patience * 1000);
  return {
    ready: (facts: Facts, start: Start, ownPort: number, ownAddress = `${host}:${ownPort}`) => {
      own = { facts, start, address: ownAddress };
      begin();
    },
    lose,
    failed: (why: string) => {
      for (const { peer } of places.values()) peer.send({ lost: `rank 0 (${host}) ended: ${why}` });
    },
    /** Lets the others go, and waits a moment until they are. */
    leave: async () => {
      for (const { peer } of places.values()) peer.send({ bye: true });
      for (let waited = 0; waited < 3000 && places.size > 0; waited += 20) await wait(20);
    },
  };
}

/** Every other rank's side. */
function openSpoke() {
  let peer: Peer<ToFirst> | undefined;
  let goodbye = () => {};
  const said = new Promise<void>((resolve) => {
    goodbye = resolve;
  });
  const waiting: ToFirst[] = [];
  const send = (message: ToFirst) => (peer ? peer.send(message) : void waiting.push(message));
  const began = performance.now();
  const dial = () => {
    const socket = connect(port, host);
    socket.once('error', ({ message }) => {
      if (peer) return;
      if (performance.now() - began < patience * 1000) setTimeout(dial, 100);
      else void endBecause(`rank 0 at ${host}:${port} did not answer within ${patience} s (${message})`);
    });
    socket.once('connect', () => {
      const opened = speakWith<ToFirst, FromFirst>({
        socket,
        schema: messages.then(({ fromFirst }) => fromFirst),
        onMessage: (message) => {
          if ('addresses' in message) tell(message);
          else if ('lost' in message) void endBecause(message.lost);
          else if ('bye' in message) {
            opened.letGo();
            goodbye();
          } else if ('refused' in message) {
            opened.letGo();
            tell(message);
          }
        },
        onLost: (why) => {
          goodbye();
          void endBecause(`rank 0 (${host}:${port}) is lost: ${why}`);
        },
      });
      opened.send({ hello: rank, token });
      for (const message of waiting) opened.send(message);
      peer = opened;
    });
  };
  dial();
  return {
    ready: (facts: Facts, _: Start, ownPort: number, address: string | undefined) =>
      send({ ready: facts, port: ownPort, address }),
    lose: (what: string) => {
      send({ failed: what });
      void endBecause(what);
    },
    failed: (why: string) => send({ failed: why }),
    leave: async () => {
      send({ done: true });
      await said;
    },
  };
}

/** Why a rank that says hello cannot be one of these; undefined where it can. */
function strangeness(who: number, theirs: string, places: ReadonlyMap<number, Place>): string | undefined {
  if (theirs !== token) return 'its HYBRIDMIM_TOKEN is another than that of rank 0';
  if (who < 1 || who >= ranks) return `there are ranks 0 to ${ranks - 1} alone`;
  const there = places.get(who);
  return there && `rank ${who} is there already, from ${there.address}`;
}

function differenceOf(theirs: Facts, ours: Facts): string | undefined {
  const key = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].find(
    (name) => ours[name] !== theirs[name],
  );
  return (
    key &&
    `its ${key} is ${theirs[key] ?? 'not set'}, but that of rank 0 is ${ours[key] ?? 'not set'}; all ranks must have the same`
  );
}

const hostOf = (address: string): string => address.replace(/^::ffff:/, '');

const line = rank === 0 ? openHub() : openSpoke();

parentPort?.on('message', (message: ToThread) => {
  if ('ready' in message) line.ready(message.ready, message.start, message.port, message.address);
  else if ('step' in message) step = message.step;
  else if ('log' in message) log = message.log;
  else if ('errorOutput' in message) errorOutput = message.errorOutput;
  else if ('heard' in message) heard = true;
  else if ('gone' in message) line.lose(message.gone);
  else if ('failed' in message) {
    isLeaving = true;
    line.failed(message.failed);
    setTimeout(() => tell({ left: true }), 100);
  } else {
    isLeaving = true;
    void line.leave().then(() => tell({ left: true }));
  }
});

// Whoever started the ranks may be killed, and then nobody waits for them.
if (launcher !== undefined)
  setInterval(() => {
    if (process.ppid !== launcher) line.lose('the process that started the ranks is gone');
  }, 1000);
