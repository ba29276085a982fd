import { endNow } from '../ranks/index.js';

/**
 * A signal that aborts at the first Ctrl-C (or SIGTERM, or SIGHUP of a terminal that was closed), so that work can save its state and stop; a second
 * one ends the process at once.
 * @param onFirst tells the user what is going on
 */
export function interruptSignal(onFirst: () => void): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    // An end in good order waits for TensorFlow, which may wait for a rank that is gone.
    if (controller.signal.aborted) void endNow(130);
    else {
      controller.abort();
      onFirst();
    }
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  return controller.signal;
}
