import { createRequire } from 'node:module';
import { z } from 'zod';
import { itemAt } from '../at.js';
import { notWritten } from '../not-written.js';
import { nativeBackend } from './native-backend.js';
import { messageField, varintField } from './protobuf.js';
import tf, { type Tensor } from './tf.js';

/** Writes scalars and pictures as TensorBoard event files. */
export interface EventWriter {
  scalar(name: string, value: number, step: number): void;
  picture(name: string, picture: GreyPicture, step: number): void;
  flush(): void;
}

/** A picture in shades of grey, and its bytes as a PNG file. */
export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
}

let opened = 0;

/**
 * Opens an event file in `folder`, by TensorFlow's own summary writer.
 * @throws WorkError, as each call of the writer does, where the file cannot be written
 */
export function openEventWriter(folder: string): EventWriter {
  const written = <T>(write: () => T): T => {
    try {
      return write();
    } catch (cause) {
      throw notWritten(folder, ofSystem(cause), "has no room for TensorBoard's events, or refuses them");
    }
  };
  // One process has one writer for each spelling of a folder; a run that goes on in a process of before needs
  // another, for another file.
  const path = folder + '/.'.repeat(opened++);
  const writer = written(() => tf.node.summaryFileWriter(path, 1000, 30_000));
  return {
    scalar: (name, value, step) => written(() => writer.scalar(name, value, step)),
    picture: (name, picture, step) =>
      written(() => writeRawSummary(writer, pictureSummary(name, picture), step)),
    flush: () => written(() => writer.flush()),
  };
}

/** TensorFlow tells an error of the system by its words alone; the error has the system's code again. */
function ofSystem(cause: unknown): Error {
  const said = cause instanceof Error ? cause.message : String(cause);
  const [code] = Object.entries(systemWords).find(([, words]) => said.includes(words)) ?? [];
  const error = new Error(said.split('\n').slice(0, 2).join(' '), { cause });
  return code === undefined ? error : Object.assign(error, { code });
}

const systemWords = {
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EROFS: 'Read-only file system',
  EACCES: 'Permission denied',
  EMFILE: 'Too many open files',
};

/**
 * A picture of one value a pixel.
 * @param grey [height * width] 0 (black) to 255 (white)
 */
export async function greyPicture(grey: Uint8Array, width: number, height: number): Promise<GreyPicture> {
  const pixels = tf.tensor3d(Int32Array.from(grey), [height, width, 1], 'int32');
  try {
    return { width, height, png: await tf.node.encodePng(pixels) };
  } finally {
    pixels.dispose();
  }
}

/** `tensorflow.Summary` with one image (tensorflow/core/framework/summary.proto). */
function pictureSummary(name: string, { width, height, png }: GreyPicture): Buffer {
  const grey = varintField(3, 1);
  const image = Buffer.concat([
    varintField(1, height),
    varintField(2, width),
    grey,
    messageField(4, Buffer.from(png)),
  ]);
  return messageField(1, Buffer.concat([messageField(1, name), messageField(4, image)]));
}

/** What tfjs-node's summary writer keeps to itself. */
const withHandle = z.object({ resourceHandle: z.custom<Tensor>((handle) => handle instanceof tf.Tensor) });

/** A number that the op takes as int64, which tfjs has no type for. */
const { Int64Scalar } = z
  .object({ Int64Scalar: z.custom<new (value: number) => Tensor>((maker) => typeof maker === 'function') })
  .parse(createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/int64_tensors'));

/** Writes a serialised summary, as tfjs-node writes scalars: it has no call of its own for it. */
function writeRawSummary(writer: object, summary: Buffer, step: number): void {
  const { resourceHandle } = withHandle.parse(writer);
  tf.tidy(() => {
    const backend = nativeBackend();
    const ids = backend.getInputTensorIds([
      resourceHandle,
      new Int64Scalar(step),
      tf.scalar(new Uint8Array(summary), 'string'),
    ]);
    backend.binding.executeOp('WriteRawProtoSummary', [], ids, 0);
    backend.binding.deleteTensor(itemAt(ids, 1)); // the step, which no tensor of tfjs holds
  });
}
