import { api, DataTypeCode, type GraphOutput, graphDefinition } from './c-api.js';
import { addPlaceholder, createGraph, describeOutput, type Graph } from './graph.js';
import { mapEntry, messageField, varintField } from './protobuf.js';
import { ofRank } from './rank.js';
import type { NamedArrays } from './state.js';
import tf, { type Tensor, type Tensor5D } from './tf.js';
import { type Trace, traceInto } from './trace.js';

/** A function of images and parameters, such as a network's forward pass. */
export type ForwardFunction = (images: Tensor5D, parameters: Readonly<Record<string, Tensor>>) => Tensor;

/**
 * A forward pass as a serialised TensorFlow `SavedModel` (the content of `saved_model.pb`), its parameters
 * constants in it: tagged `serve`, with one signature, `serving_default`, from `images` to `logits`.
 * @param shape of the images
 */
export function savedModel(
  forward: ForwardFunction,
  parameters: NamedArrays,
  shape: readonly number[],
): Buffer {
  const constant = ([name, array]: [string, NamedArrays[string]]) =>
    [name, tf.tensor(array.data, [...array.shape], 'float32')] as const;
  return traced(shape, (graph, placeholder, trace) => {
    const output = trace.outputOf(
      forward(
        ofRank(trace.tensorFor(placeholder), 5),
        Object.fromEntries(Object.entries(parameters).map(constant)),
      ),
    );
    const signature = Buffer.concat([
      mapEntry(1, 'images', tensorInformation(graph, placeholder)),
      mapEntry(2, 'logits', tensorInformation(graph, output)),
      messageField(3, 'tensorflow/serving/predict'),
    ]);
    // Tags, version.
    const information = Buffer.concat([messageField(4, 'serve'), messageField(5, api.version())]);
    const metaGraph = Buffer.concat([
      messageField(1, information),
      messageField(2, graphDefinition(graph.handle)),
      mapEntry(5, 'serving_default', signature),
    ]);
    // Version of the schema, then the one graph.
    return Buffer.concat([varintField(1, 1), messageField(2, metaGraph)]);
  });
}

/**
 * Multiply-adds of a forward pass in convolutions and matrix products; nothing runs.
 * @param shapes of the parameters by name
 * @param shape  of the images
 */
export function countMultiplyAdds(
  forward: ForwardFunction,
  shapes: Readonly<Record<string, readonly number[]>>,
  shape: readonly number[],
): number {
  return traced(shape, (graph, placeholder, trace) => {
    const unknown = ([name, of]: [string, readonly number[]]) =>
      [name, trace.tensorFor(addPlaceholder(graph, DataTypeCode.float32, of))] as const;
    forward(ofRank(trace.tensorFor(placeholder), 5), Object.fromEntries(Object.entries(shapes).map(unknown)));
    return trace.multiplyAdds();
  });
}

/** What `body` makes of a trace into a graph of its own, which ends with it. */
function traced<T>(
  shape: readonly number[],
  body: (graph: Graph, placeholder: GraphOutput, trace: Trace) => T,
): T {
  const graph = createGraph();
  try {
    const placeholder = addPlaceholder(graph, DataTypeCode.float32, shape);
    return traceInto(graph, 'portable', (trace) => {
      tf.engine().startScope();
      try {
        return body(graph, placeholder, trace);
      } finally {
        tf.engine().endScope();
      }
    });
  } finally {
    api.deleteGraph(graph.handle);
  }
}

/** `TensorInfo`: name, element type and shape. */
function tensorInformation(graph: Graph, output: GraphOutput): Buffer {
  const { shape } = describeOutput(graph, output);
  const dimensions = shape.map((n) => messageField(2, varintField(1, n)));
  const name = `${api.operationName(output.oper)}:${output.index}`;
  return Buffer.concat([
    messageField(1, name),
    varintField(2, DataTypeCode.float32),
    messageField(3, Buffer.concat(dimensions)),
  ]);
}
