import { itemAt } from '../at.js';
import { WorkError } from '../errors.js';
import { api, checked, type GraphOutput, hasGpuKernels, type Pointer } from './c-api.js';
import { deviceSettings } from './device-settings.js';
import { createTensor, type DeviceName, type Graph, type HostArray, readTensor } from './graph.js';
import { sessionConfig } from './session-config.js';

/** What a WorkError says was found where a device had no memory for a tensor of a run. */
export const outOfMemory = 'out of memory';

/** `TF_RESOURCE_EXHAUSTED` of TensorFlow's C API. */
const RESOURCE_EXHAUSTED = 8;

/** One value fed to the graph. */
export interface Feed {
  readonly output: GraphOutput;
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly values: HostArray;
}

export interface Fetch {
  readonly output: GraphOutput;
  readonly dtype: number;
}

/** A `TF_Session` over a graph that may still grow. */
export interface Session {
  readonly handle: Pointer;
  /** What runs in it now, off the main thread. */
  readonly running: Set<Promise<void>>;
}

/**
 * Opens a session; `threads` bounds the threads of one op (0: TensorFlow decides).
 * @param target the server of this process among several; absent: the session is this process's own
 */
export function openSession(graph: Graph, threads: number, target?: string): Session {
  const options = api.newSessionOptions();
  try {
    if (target !== undefined) api.setTarget(options, target);
    const config = sessionConfig(threads, deviceSettings(), {
      rewrites: hasGpuKernels(),
      inCluster: target !== undefined,
    });
    checked('session options', (status) => api.setConfig(options, config, config.length, status));
    return {
      handle: checked('open a session', (status) => api.newSession(graph.handle, options, status)),
      running: new Set(),
    };
  } finally {
    api.deleteSessionOptions(options);
  }
}

/** A device that sessions see. */
export interface ListedDevice {
  readonly name: DeviceName;
  /** What TensorFlow may take of its memory; of a CPU a number that says nothing. */
  readonly memoryBytes: number;
}

const isDeviceName = (name: string): name is DeviceName => /^[CG]PU:[0-9]+$/.test(name);

/** The devices that sessions of this process see. */
export function listDevices(): ListedDevice[] {
  const graph = api.newGraph();
  const session = openSession({ handle: graph, nodes: 0 }, 0);
  const devices = checked('list devices', (status) => api.listDevices(session.handle, status));
  try {
    return Array.from({ length: api.deviceCount(devices) }, (_, i) => i).flatMap((i) => {
      const full = checked<string>('name a device', (status) => api.deviceName(devices, i, status));
      const name = full.slice(full.lastIndexOf(':', full.lastIndexOf(':') - 1) + 1);
      if (!isDeviceName(name)) return [];
      const memoryBytes = checked<number | bigint>('memory of a device', (status) =>
        api.deviceMemory(devices, i, status),
      );
      return [{ name, memoryBytes: Number(memoryBytes) }];
    });
  } finally {
    api.deleteDeviceList(devices);
    closeSession(session);
    api.deleteGraph(graph);
  }
}

/** Closes a session, after what still runs in it: closing it under a running step would end the process. */
export function closeSession(session: Session): void {
  if (session.running.size > 0) {
    void Promise.allSettled(session.running).then(() => closeSession(session));
    return;
  }
  checked('close the session', (status) => api.closeSession(session.handle, status));
  checked('delete the session', (status) => api.deleteSession(session.handle, status));
}

/**
 * Runs the graph off the main thread: feeds in, fetched values out, targets run for their effect.
 * @throws WorkError with the place in the network that TensorFlow names
 */
export function runSession(
  session: Session,
  feeds: readonly Feed[],
  fetches: readonly Fetch[],
  targets: readonly Pointer[],
  doing: string,
): Promise<(Float32Array | Int32Array)[]> {
  const copies = (tensors: readonly Pointer[]) =>
    tensors.map((tensor, i) => readTensor(tensor, itemAt(fetches, i).dtype));
  return runSessionWith(session, feeds, fetches, targets, doing, copies);
}

/**
 * The same with what `use` makes of the fetched tensors, which are deleted after it.
 * @throws WorkError with the place in the network that TensorFlow names, and what `use` throws
 */
export async function runSessionWith<T>(
  session: Session,
  feeds: readonly Feed[],
  fetches: readonly Fetch[],
  targets: readonly Pointer[],
  doing: string,
  use: (tensors: readonly Pointer[]) => T,
): Promise<T> {
  const inputs = feeds.map((feed) => createTensor(feed.shape, feed.dtype, feed.values));
  const results: (Pointer | null)[] = new Array(fetches.length).fill(null);
  const status = api.newStatus();
  const outputsFed = feeds.map((f) => f.output);
  const outputsFetched = fetches.map((f) => f.output);
  const run = started(session, outputsFed, inputs, outputsFetched, results, targets, status);
  session.running.add(run);
  try {
    await run;
    const code = api.statusCode(status);
    if (code !== 0)
      throw new WorkError(
        `${doing}: ${readableMessage(api.statusMessage(status))}`,
        code === RESOURCE_EXHAUSTED ? { found: outOfMemory } : {},
      );
    return use(results.map(present));
  } finally {
    session.running.delete(run);
    api.deleteStatus(status);
    for (const tensor of [...inputs, ...results]) if (tensor) api.deleteTensor(tensor);
  }
}

function present(tensor: Pointer | null): Pointer {
  if (tensor === null)
    throw new WorkError('TensorFlow ended a run without an error, but also without one of its outputs');
  return tensor;
}

/**
 * Begins a run. A function of its own, because koffi keeps the callback, and with it all that the function
 * around it sees, until a later call: the values fed are not among that.
 */
function started(
  session: Session,
  fed: readonly GraphOutput[],
  inputs: readonly Pointer[],
  fetched: readonly GraphOutput[],
  results: (Pointer | null)[],
  targets: readonly Pointer[],
  status: Pointer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error: unknown) => (error ? reject(error) : resolve());
    const { handle } = session;
    api.runSession.async(
      handle,
      null,
      fed,
      inputs,
      inputs.length,
      fetched,
      results,
      results.length,
      targets,
      targets.length,
      null,
      status,
      done,
    );
  });
}

/** TensorFlow's message without its stack of internals, led by the node's place. */
function readableMessage(message: string): string {
  const node = /\{\{node ([^}]+)\}\}/.exec(message)?.[1];
  const [first = message] = message.split('\n');
  return node ? `in ${node.split('/')[0]}: ${first}` : first;
}
