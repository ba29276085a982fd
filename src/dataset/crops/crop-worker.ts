import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { DataError } from '../../errors.js';
import { type Batch, batchMaker } from './make-batch.js';

/** Errors lose their class between threads, so a damaged cache comes back as a value. */
export type BatchOutcome =
  | { readonly batch: Batch; readonly makeSeconds: number }
  | { readonly damaged: string; readonly file?: string };

const makeBatch = batchMaker(workerData);

/** Worker thread of the crop loader: one batch a task, its arrays handed over without a copy. */
export default function makeBatchInWorker(step: number): unknown {
  try {
    const begun = performance.now();
    const batch = makeBatch(step);
    const makeSeconds = (performance.now() - begun) / 1000;
    const arrays = [batch.images, batch.corrupted, batch.words, batch.labels].flatMap(
      (array) => array?.buffer ?? [],
    );
    // piscina hands over what this symbol lists
    return move({ [transferableSymbol]: arrays, [valueSymbol]: { batch, makeSeconds } });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { damaged: error.message, file: error.facts.file };
  }
}
