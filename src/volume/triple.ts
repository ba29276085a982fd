import { z } from 'zod';
import type { InOrder } from '../axes.js';

/** Three numbers in file order `[x, y, z]`. */
export type Triple = readonly [number, number, number] & InOrder<'xyz'>;

/** The schema of three numbers [x, y, z]. */
export const tripleOf = (each: z.ZodType<number>): z.ZodType<Triple> => z.tuple([each, each, each]).readonly();
