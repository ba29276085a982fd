import { nameScope, type Tensor2D, tf } from '../engine/index.js';
import { type Parameters, parameter } from '../network/index.js';
import { pretextPrefix } from './method.js';

/**
 * A linear head of a method, whose parameters are `pretext.<name>.weight` and `.bias`.
 * @param x [rows, in]
 * @returns [rows, out]
 */
export function linearHead(name: string, x: Tensor2D, parameters: Parameters): Tensor2D {
  return nameScope(`${pretextPrefix}${name}`, () => {
    const weight = parameter(parameters, `${pretextPrefix}${name}.weight`, 2);
    return tf.matMul(x, weight).add(parameter(parameters, `${pretextPrefix}${name}.bias`, 1));
  });
}
