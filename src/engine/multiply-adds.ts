type Shape = readonly number[];

const product = (numbers: Shape): number => numbers.reduce((result, n) => result * n, 1);

/** [..., m, k] by [..., k, n], either of them transposed or not: the output has m rows. */
const ofMatrices = ([left = []]: readonly Shape[], output: Shape): number =>
  (product(output) * product(left.slice(-2))) / (output.at(-2) ?? 1);

const counts: Readonly<Record<string, (inputs: readonly Shape[], output: Shape) => number>> = {
  // The filter is [k, k, k, in, out].
  Conv3D: ([, filter = []], output) => product(output) * product(filter.slice(0, 4)),
  Conv3DBackpropInputV2: ([, filter = [], dy = []]) => product(dy) * product(filter.slice(0, 4)),
  Conv3DBackpropFilterV2: ([, , dy = []], filter) => product(dy) * product(filter.slice(0, 4)),
  MatMul: ofMatrices,
  BatchMatMul: ofMatrices,
  BatchMatMulV2: ofMatrices,
};

/**
 * Multiplications, each with an addition, of a convolution or matrix product; 0 for every other op. Products
 * with padding are counted, as papers count them.
 * @param inputs shapes of the op's inputs, in the engine's own layouts
 */
export function multiplyAdds(op: string, inputs: () => readonly Shape[], output: Shape): number {
  const count = counts[op];
  return count ? count(inputs(), output) : 0;
}
