declare const order: unique symbol;

/**
 * Marks three numbers by the order of their axes, for the compiler alone: a size along [x, y, z] cannot be passed for one along
 * [D, H, W], which is [z, y, x]. Numbers written out have no mark and fit both.
 */
export interface InOrder<Order extends 'xyz' | 'zyx'> {
  readonly [order]?: Order;
}
