import { itemAt } from '../at.js';
import { DataTypeCode, type GraphOutput } from './c-api.js';
import { target } from './devices.js';
import { addConstant, addOp, addOutput, type Graph, typeAttribute } from './graph.js';
import type { OpAttribute } from './native-backend.js';

// Ops that TensorFlow does not have under one name: a trace writes them as nodes that depend on the type at
// hand.

/** Its first input, made to wait for its second. */
export const afterOp = 'After';

/** Whether each element is -0: false for 0. */
export const negativeZeroOp = 'IsNegativeZero';

/** `afterOp` of [value, earlier], for values of the type in `attributes`. */
export function addAfter(
  graph: Graph,
  inputs: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput {
  const [value, earlier] = [itemAt(inputs, 0), itemAt(inputs, 1)];
  return { oper: addOp(graph, 'Identity', [value], attributes, [earlier.oper]), index: 0 };
}

/**
 * `negativeZeroOp` of values of `type`, float32 or bfloat16: -0 is the one number of which no bit but the
 * sign is set.
 */
export function addNegativeZero(graph: Graph, x: GraphOutput, type: number): GraphOutput {
  const { bfloat16, int16, int32, uint32 } = DataTypeCode;
  // A GPU has no kernels of its own for int32.
  const whole = target().kind === 'gpu' ? uint32 : int32;
  const integer = type === bfloat16 ? int16 : whole;
  // No copy.
  const bits = addOutput(graph, 'Bitcast', [x], [typeAttribute('T', type), typeAttribute('type', integer)]);
  const sign = addConstant(graph, whole, [], Int32Array.of(type === bfloat16 ? -(2 ** 15) : -(2 ** 31)));
  return addOutput(
    graph,
    'Equal',
    [bits, addCast(graph, sign, whole, integer)],
    [typeAttribute('T', integer)],
  );
}

/**
 * TensorFlow's `EuclideanNorm` of float32 values by ops that other formats have too: converters to ONNX know
 * no such op.
 */
export function addEuclideanLength(
  graph: Graph,
  inputs: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput {
  const [x, axes] = [itemAt(inputs, 0), itemAt(inputs, 1)];
  const type = [typeAttribute('T', DataTypeCode.float32)];
  const squares = addOutput(graph, 'Square', [x], type);
  return addOutput(graph, 'Sqrt', [addOutput(graph, 'Sum', [squares, axes], attributes)], type);
}

/** The values in another type, once `earlier` is there; the same output when they are of it already. */
export function addCast(
  graph: Graph,
  input: GraphOutput,
  from: number,
  to: number,
  earlier?: GraphOutput,
): GraphOutput {
  if (from === to) return input;
  const waitsFor = earlier ? [earlier.oper] : [];
  return {
    oper: addOp(graph, 'Cast', [input], [typeAttribute('SrcT', from), typeAttribute('DstT', to)], waitsFor),
    index: 0,
  };
}
