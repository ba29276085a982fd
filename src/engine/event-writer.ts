import tf from './tf.js';

/** Writes scalars as TensorBoard event files. */
export interface EventWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

/** Opens an event file in `folder`, by TensorFlow's own summary writer. */
export function openEventWriter(folder: string): EventWriter {
  const writer = tf.node.summaryFileWriter(folder, 1000, 30_000);
  return { scalar: (name, value, step) => writer.scalar(name, value, step), flush: () => writer.flush() };
}
