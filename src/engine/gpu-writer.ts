import { DataTypeCode, type GraphOutput } from './c-api.js';
import { addConstant, addOp, addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import type { OpAttribute } from './native-backend.js';
import { afterOp } from './trace-ops.js';

const { int32, uint32 } = DataTypeCode;

/** Numbers up to so many may lie in the host's memory, as sizes and axes do: 64 KiB. */
const MOST_ON_HOST = 2 ** 14;

/** Constants of up to so many numbers are one node where they are alike. */
const MOST_SHARED = 16;

/** An op that gives the same bits of uint32 as of int32. */
interface WordOp {
  /** Its inputs of type T; `list`: all but `besides`, the last ones. */
  readonly values: readonly number[] | 'list';
  readonly besides?: number;
  /** Whether it compares by size: then the sign bit is turned over first, which keeps the order. */
  readonly isOrdered?: boolean;
}

const both: WordOp = { values: [0, 1] };
const first: WordOp = { values: [0] };
const ordered: WordOp = { ...both, isOrdered: true };

const wordOps: Readonly<Record<string, WordOp>> = {
  Add: both,
  AddV2: both,
  Sub: both,
  Mul: both,
  Equal: both,
  NotEqual: both,
  Greater: ordered,
  GreaterEqual: ordered,
  Less: ordered,
  LessEqual: ordered,
  Reshape: first,
  ExpandDims: first,
  [afterOp]: first,
  Pack: { values: 'list' },
  ConcatV2: { values: 'list', besides: 1 },
};

/** Ops of uint32 under another name than those of int32. */
const renamed: Readonly<Record<string, string>> = { Add: 'AddV2', [afterOp]: 'Identity' };

export interface GpuWriter {
  /** A constant that ops on the GPU can take where they are; small ones that are alike are one node. */
  constant(dtype: number, shape: readonly number[], values: ArrayLike<number>): GraphOutput;
  /** The op's outputs; undefined for one that is to be written as it is. */
  add(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly GraphOutput[],
  ): GraphOutput[] | undefined;
}

/**
 * Writes for a GPU what is written otherwise there than on a CPU.
 *
 * Ops of many int32 numbers are written in uint32. TensorFlow takes int32 for sizes and axes, so that most ops
 * of it, constants included, compute in the host's memory even on a GPU: a dropout's mask would go there and
 * back at every step. uint32 has kernels of the GPU's own, which give the same bits.
 */
export function gpuWriter(graph: Graph): GpuWriter {
  const words = new Map<GraphOutput, GraphOutput>();
  const turned = new Map<GraphOutput, GraphOutput>();
  const small = new Map<GraphOutput, { readonly shape: readonly number[]; readonly values: Int32Array }>();
  const shared = new Map<string, GraphOutput>();

  const sharedConstant = (dtype: number, shape: readonly number[], values: ArrayLike<number>) => {
    if (values.length > MOST_SHARED) return addConstant(graph, dtype, shape, values);
    // By their bits, which tell 0 from -0.
    const bits = Buffer.from(Float64Array.from(values).buffer).toString('hex');
    return remembered(shared, `${dtype} ${shape} ${bits}`, () => addConstant(graph, dtype, shape, values));
  };
  const wordConstant = (shape: readonly number[], values: Int32Array) =>
    sharedConstant(uint32, shape, values);
  const asInt32 = (output: GraphOutput): GraphOutput => {
    const signed = addBitcast(graph, output, uint32, int32);
    words.set(signed, output);
    return signed;
  };
  const asWords = (output: GraphOutput): GraphOutput =>
    remembered(words, output, () => {
      const known = small.get(output);
      return known ? wordConstant(known.shape, known.values) : addBitcast(graph, output, int32, uint32);
    });
  const signTurned = (output: GraphOutput): GraphOutput =>
    remembered(turned, output, () => {
      const known = small.get(output);
      if (known)
        return wordConstant(
          known.shape,
          known.values.map((value) => value ^ SIGN),
        );
      const sign = wordConstant([], Int32Array.of(SIGN));
      return addOutput(graph, 'AddV2', [asWords(output), sign], [typeAttribute('T', uint32)]);
    });
  return {
    constant: (dtype, shape, values) => {
      if (dtype !== int32) return sharedConstant(dtype, shape, values);
      if (values.length > MOST_ON_HOST) return asInt32(wordConstant(shape, Int32Array.from(values)));
      const output = sharedConstant(int32, shape, values);
      small.set(output, { shape, values: Int32Array.from(values) });
      return output;
    },
    add(name, attributes, inputs) {
      const op = wordOps[name];
      if (!op) return undefined;
      const { values, besides = 0, isOrdered } = op;
      const isValue = (i: number) => (values === 'list' ? i < inputs.length - besides : values.includes(i));
      if (!inputs.some((input, i) => isValue(i) && isManyInt32(graph, input))) return undefined;
      const operands = inputs.map((input, i) => {
        if (!isValue(i)) return input;
        return isOrdered ? signTurned(input) : asWords(input);
      });
      const waitsFor = name === afterOp ? operands.splice(1).map(({ oper }) => oper) : [];
      const inUint32 = attributes.map((given) => (given.name === 'T' ? typeAttribute('T', uint32) : given));
      const oper = addOp(graph, renamed[name] ?? name, operands, inUint32, waitsFor);
      const output = { oper, index: 0 };
      return [describeOutput(graph, output).dtype === uint32 ? asInt32(output) : output];
    },
  };
}

/** The sign bit, which also is the least number. */
const SIGN = -(2 ** 31);

function remembered<K, V>(map: Map<K, V>, key: K, made: () => V): V {
  const value = map.get(key) ?? made();
  map.set(key, value);
  return value;
}

/** The same bits as another type; nothing is copied. */
function addBitcast(graph: Graph, output: GraphOutput, from: number, to: number): GraphOutput {
  return addOutput(graph, 'Bitcast', [output], [typeAttribute('T', from), typeAttribute('type', to)]);
}

function isManyInt32(graph: Graph, output: GraphOutput): boolean {
  const { shape, dtype } = describeOutput(graph, output);
  return dtype === int32 && shape.reduce((product, n) => product * n, 1) > MOST_ON_HOST;
}
