import { z } from 'zod';
import type { Axis, InOrder } from '../axes.js';

/** Three numbers in file order `[x, y, z]`. */
export type Triple = readonly [number, number, number] & InOrder<'xyz'>;

/** The schema of three numbers [x, y, z]. */
export const tripleOf = (each: z.ZodType<number>): z.ZodType<Triple> =>
  z.tuple([each, each, each]).readonly();

/** In file order: 0 for x, 1 for y, 2 for z. */
export { type Axis, mapAxes } from '../axes.js';

/** The three axes, `[x, y, z]`. */
export const AXES = [0, 1, 2] as const;

/**
 * `mapAxes` for whole numbers, such as voxels. V8 keeps what one place in the code makes as fractions once
 * one of them was a fraction; loops up to such a size are 6 % slower. So whole numbers have a place of their
 * own.
 */
export function mapSize(size: Triple, of: (n: number, axis: Axis) => number): [number, number, number] {
  return [of(size[0], 0), of(size[1], 1), of(size[2], 2)];
}

/** Whether a list holds one number an axis. */
export function isTriple(values: readonly number[]): values is Triple {
  return values.length === 3;
}
