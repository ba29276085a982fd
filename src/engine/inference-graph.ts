import { api, DataTypeCode, type GraphOutput, graphDefinition } from './c-api.js';
import { addPlaceholder, createGraph, describeOutput } from './graph.js';
import { mapEntry, messageField, varintField } from './protobuf.js';
import type { NamedArrays } from './state.js';
import tf, { type Tensor } from './tf.js';
import { traceInto } from './trace.js';

export interface InferenceGraphOptions {
  readonly parameters: NamedArrays;
  /** Name and shape of the float32 input. */
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  /** Name of the output. */
  readonly output: string;
}

/** A function of one image as a graph of its own, its parameters constants in it. */
export interface InferenceGraph {
  /** A serialised `SavedModel` with one signature, `serving_default`, tagged `serve`. */
  readonly savedModel: Buffer;
  /** Multiply-adds of convolutions and matrix products. */
  readonly multiplyAdds: number;
}

/** Traces a function of an input and parameters into a graph that needs nothing else, for TensorFlow elsewhere and to be counted. */
export function inferenceGraph(
  body: (input: Tensor, parameters: Readonly<Record<string, Tensor>>) => Tensor,
  options: InferenceGraphOptions,
): InferenceGraph {
  const graph = createGraph();
  try {
    const placeholder = addPlaceholder(graph, DataTypeCode.float32, options.input.shape);
    const traced = traceInto(graph, 'float32', (trace) => {
      let output: GraphOutput | undefined;
      tf.tidy(() => {
        const parameters = Object.fromEntries(
          Object.entries(options.parameters).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape], 'float32')]),
        );
        output = trace.outputOf(body(trace.tensorFor(placeholder), parameters));
      });
      return { output: output as GraphOutput, multiplyAdds: trace.multiplyAdds() };
    });
    const tensorInfo = (output: GraphOutput): Buffer => {
      const { shape } = describeOutput(graph, output);
      const dimensions = shape.map((n) => messageField(2, varintField(1, n)));
      const name = `${api.operationName(output.oper)}:${output.index}`;
      return Buffer.concat([messageField(1, name), varintField(2, DataTypeCode.float32), messageField(3, Buffer.concat(dimensions))]);
    };
    const signature = Buffer.concat([
      mapEntry(1, options.input.name, tensorInfo(placeholder)),
      mapEntry(2, options.output, tensorInfo(traced.output)),
      messageField(3, 'tensorflow/serving/predict'),
    ]);
    const information = Buffer.concat([messageField(4, 'serve'), messageField(5, api.version() as string)]); // tags, version
    const metaGraph = Buffer.concat([
      messageField(1, information),
      messageField(2, graphDefinition(graph.handle)),
      mapEntry(5, 'serving_default', signature),
    ]);
    return { savedModel: Buffer.concat([varintField(1, 1), messageField(2, metaGraph)]), multiplyAdds: traced.multiplyAdds };
  } finally {
    api.deleteGraph(graph.handle);
  }
}
