import { HybridMimError, ShapeError } from '../errors.js';

const stack: string[] = [];

/** Where in the network the code is now, such as `down_1.convs.conv_0`; empty outside any place. */
export function currentScope(): string {
  return stack.join('.');
}

/**
 * Runs `body` as part of the place `name`, so that graph nodes and errors carry it.
 * @throws ShapeError naming the place, when an op inside refuses its arguments.
 */
export function nameScope<T>(name: string, body: () => T): T {
  stack.push(name);
  try {
    return body();
  } catch (error) {
    if (error instanceof HybridMimError || !(error instanceof Error)) throw error;
    throw new ShapeError(
      `in ${currentScope()}: ${error.message}`,
      { field: currentScope() },
      { cause: error },
    );
  } finally {
    stack.pop();
  }
}

/** `body` to be run later (a gradient), in the place where this was called. */
export function bindScope<A extends unknown[], T>(
  suffix: string,
  body: (...args: A) => T,
): (...args: A) => T {
  const place = currentScope();
  return (...args) => {
    const outer = stack.splice(0, stack.length, ...(place ? [place, suffix] : [suffix]));
    try {
      return nameScope('op', () => body(...args));
    } finally {
      stack.splice(0, stack.length, ...outer);
    }
  };
}
