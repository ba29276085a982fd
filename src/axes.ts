declare const order: unique symbol;

/**
 * Marks three numbers by the order of their axes, for the compiler alone: a size along [x, y, z] cannot be
 * passed for one along [D, H, W], which is [z, y, x]. Numbers written out have no mark and fit both.
 */
export interface InOrder<Order extends 'xyz' | 'zyx'> {
  readonly [order]?: Order;
}

/** One of three axes. What has one value an axis is indexed by it without a check. */
export type Axis = 0 | 1 | 2;

/** What `of` makes of the value of each axis, in the order of the axes; of [D, H, W] or of [x, y, z]. */
export function mapAxes<Value, Result>(
  values: readonly [Value, Value, Value],
  of: (value: Value, axis: Axis) => Result,
): [Result, Result, Result] {
  return [of(values[0], 0), of(values[1], 1), of(values[2], 2)];
}
