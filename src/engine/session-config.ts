import type { DeviceSettings } from './device-settings.js';
import { doubleField, messageField, varintField } from './protobuf.js';

/** What TensorFlow calls a process of several. */
export const taskName = (rank: number): string => `/job:worker/replica:0/task:${rank}`;

/** `RewriterConfig.Toggle.OFF` of `tensorflow/core/protobuf/rewriter_config.proto`. */
const OFF = 2;

/** `RewriterConfig.NumIterationsType.ONE`. */
const ONE = 1;

/**
 * TensorFlow's `ConfigProto`, serialised.
 *
 * One op runs at a time, on `threads` threads (0: one a core): ops side by side share the cores, so that a
 * step takes as long, and would keep more tensors at once. TensorFlow's passes over graphs gain a CPU nothing: without
 * them steps are as fast, the first one begins in half the time, and less memory is held. For a GPU they choose
 * the layout of convolutions. They run once there, without the passes that compute something else than was
 * written: constant folding turns a division by a constant into a product with its reciprocal, and arithmetic
 * optimisation turns chains of additions into one `AddN`, which adds in an order that depends on which buffer
 * is free at that moment. Without these a graph gives the eager engine's numbers, and its own again.
 *
 * What a GPU's memory is taken by counts in the first session of a process alone: all share one allocator.
 * @param rewrites  whether the passes run, as a GPU wants it
 * @param inCluster names the process that keeps the order of collectives: the first
 */
export function sessionConfig(
  threads: number,
  { memoryGrowth, memoryShare }: Pick<DeviceSettings, 'memoryGrowth' | 'memoryShare'>,
  { rewrites, inCluster = false }: { readonly rewrites: boolean; readonly inCluster?: boolean },
): Buffer {
  // The fields are constant_folding, arithmetic_optimization and meta_optimizer_iterations; disable_meta_optimizer.
  const rewriter = rewrites
    ? Buffer.concat([varintField(3, OFF), varintField(7, OFF), varintField(12, ONE)])
    : varintField(19, 1);
  const graphOptions = messageField(10, rewriter); // rewrite_options
  // The fields are the threads of intra_op and inter_op.
  const parallelism = [...(threads > 0 ? [varintField(2, threads)] : []), varintField(5, 1)];
  // The fields are per_process_gpu_memory_fraction and allow_growth.
  const gpuOptions = [
    ...(memoryShare === undefined ? [] : [doubleField(1, memoryShare)]),
    ...(memoryGrowth ? [varintField(4, 1)] : []),
  ];
  return Buffer.concat([
    ...parallelism,
    messageField(6, Buffer.concat(gpuOptions)), // gpu_options
    messageField(10, graphOptions), // graph_options
    ...(inCluster ? [messageField(16, messageField(1, taskName(0)))] : []), // experimental.collective_group_leader
  ]);
}
