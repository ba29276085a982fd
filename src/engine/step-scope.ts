/** A value that belongs to the step being traced or run, for ops that no argument reaches. */
export interface StepScope<T> {
  /** undefined outside any step. */
  current(): T | undefined;
  /** Makes `value` the current one while `body` runs. */
  within<R>(value: T, body: () => R): R;
}

export function stepScope<T>(): StepScope<T> {
  let now: T | undefined;
  return {
    current: () => now,
    within: (value, body) => {
      const outer = now;
      now = value;
      try {
        return body();
      } finally {
        now = outer;
      }
    },
  };
}
