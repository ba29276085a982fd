import { z } from 'zod';
import type { FileSize } from './axis-order.js';

/** At least one. */
export const count = z.int().min(1);

/** A size [x, y, z]: voxels, or tokens. */
export const sizeOfFile: z.ZodType<FileSize> = z.tuple([count, count, count]).readonly();

/** Share of elements that are dropped. */
export const dropoutRate = z.number().min(0).lt(1);

/** Channels of the images and of the output. */
export interface Channels {
  readonly inChannels: number;
  readonly outChannels: number;
}

/** A network's settings as its maker takes them: those of its schema, without the name that chose it, and the channels. */
export type NetworkConfig<S extends z.ZodObject> = Readonly<Omit<z.output<S>, 'name'>> & Channels;
