import { z } from 'zod';

/** What ranks say to one another over the lifeline: a line of JSON each. */

const sentence = z.string().max(4000);
/** Settings that must be the same on all ranks, by dotted key. */
const facts = z.record(z.string(), z.string());
export type Facts = z.infer<typeof facts>;

/** What rank 0 tells the others before the first step, such as the step that the run goes on from. */
const start = z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]));
export type Start = z.infer<typeof start>;

/** From a rank to rank 0. */
export const toFirst = z.union([
  z.strictObject({ hello: z.int().min(0), token: z.string() }),
  z.strictObject({ ready: facts, port: z.int().min(1).max(65_535), address: z.string().max(300).optional() }),
  z.strictObject({ done: z.literal(true) }),
  z.strictObject({ failed: sentence }),
  z.strictObject({ beat: z.literal(true) }),
]);
export type ToFirst = z.infer<typeof toFirst>;

/** From rank 0 to a rank. */
export const fromFirst = z.union([
  z.strictObject({ refused: sentence }),
  z.strictObject({ addresses: z.array(z.string()), start }),
  z.strictObject({ lost: sentence }),
  z.strictObject({ bye: z.literal(true) }),
  z.strictObject({ beat: z.literal(true) }),
]);
export type FromFirst = z.infer<typeof fromFirst>;

/** From the process to its lifeline's thread. */
export type ToThread =
  | {
      readonly ready: Facts;
      readonly start: Start;
      readonly port: number;
      readonly address?: string | undefined;
    }
  | { readonly step: number }
  | { readonly log: string }
  | { readonly errorOutput: number }
  | { readonly failed: string }
  | { readonly gone: string }
  | { readonly heard: true }
  | { readonly leave: true };

/** From the thread to its process. */
export type FromThread =
  | { readonly addresses: readonly string[]; readonly start: Start }
  | { readonly refused: string }
  | { readonly lost: string }
  | { readonly left: true };
