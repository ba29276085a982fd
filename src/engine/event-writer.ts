import tf from './tf.js';

/** Writes scalars as TensorBoard event files. */
export interface EventWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

let opened = 0;

/** Opens an event file in `folder`, by TensorFlow's own summary writer. */
export function openEventWriter(folder: string): EventWriter {
  // One process has one writer for each spelling of a folder; a run that goes on in a process of before needs
  // another, for another file.
  const writer = tf.node.summaryFileWriter(folder + '/.'.repeat(opened++), 1000, 30_000);
  return { scalar: (name, value, step) => writer.scalar(name, value, step), flush: () => writer.flush() };
}
