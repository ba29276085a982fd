import { api, checked, hasGpuKernels } from './c-api.js';
import { deviceSettings } from './device-settings.js';
import { messageField, varintField } from './protobuf.js';
import { sessionConfig, taskName } from './session-config.js';

/** The place of this process among several that compute together. */
export interface ClusterMember {
  /** From 0. */
  readonly rank: number;
  readonly ranks: number;
  /** What TensorFlow calls this process. */
  readonly task: string;
  /** Where its sessions run: its own server. */
  readonly target: string;
}

export interface ClusterOptions {
  /** `host:port` of the server of every process, in the order of their ranks. */
  readonly addresses: readonly string[];
  readonly rank: number;
  /** Of one op; 0: one a core. */
  readonly threads: number;
}

/**
 * Starts TensorFlow's own server in this process, by which its collectives reach those of the others. It listens on all
 * interfaces whatever its address says, asks nobody who they are, and ends with the process alone.
 * @throws WorkError where the port is taken
 */
export function joinCluster({ addresses, rank, threads }: ClusterOptions): ClusterMember {
  // The messages are TensorFlow's `ServerDef`, `ClusterDef` and `JobDef`.
  const tasks = addresses.map((address, i) =>
    messageField(2, Buffer.concat([varintField(1, i), messageField(2, address)])),
  );
  const job = Buffer.concat([messageField(1, 'worker'), ...tasks]);
  const definition = Buffer.concat([
    messageField(1, messageField(1, job)),
    messageField(2, 'worker'),
    varintField(3, rank),
    messageField(4, sessionConfig(threads, deviceSettings(), { rewrites: hasGpuKernels(), inCluster: true })),
    messageField(5, 'grpc'),
  ]);
  const doing = `start TensorFlow's server of rank ${rank} at ${addresses[rank]}`;
  const server = checked(doing, (status) => api.newServer(definition, definition.length, status));
  checked(doing, (status) => api.startServer(server, status));
  return {
    rank,
    ranks: addresses.length,
    task: taskName(rank),
    target: api.serverTarget(server),
  };
}
