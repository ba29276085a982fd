import type { z } from 'zod';
import { itemAt } from './at.js';

/**
 * The first thing that a schema found wrong: the path of
 * the field ("" for the whole), and what is wrong with it.
 */
export function firstIssue(error: z.ZodError): { field: string; message: string } {
  const { path, message } = itemAt(error.issues, 0);
  return { field: path.join('.'), message };
}
