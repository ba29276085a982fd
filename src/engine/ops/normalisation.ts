import { itemAt } from '../../at.js';
import { WorkError } from '../../errors.js';
import { hasKernel } from '../c-api.js';
import { target } from '../devices.js';
import { bindScope } from '../name-scope.js';
import { attribute, float32Attribute, type OpAttribute, runOp, runOpWithOutputs } from '../native-backend.js';
import { isInference } from '../step-mode.js';
import tf, { type Tensor, type Tensor1D, type Tensor4D, type Tensor5D } from '../tf.js';
import { withGradient } from '../with-gradient.js';

export interface NormOptions {
  /** Added to the variance. */
  readonly epsilon?: number;
  /**
   * Sums large inputs plane by plane: for predicting, where the logits are to be MONAI's. Its gradient is
   * that of the fused norm.
   */
  readonly exact?: boolean;
  /**
   * Computes an item of `x` once more, when `earlier` is there, so that the gradient need not keep it: for
   * what costs little, such as a first layer.
   */
  readonly again?: (item: number, earlier: Tensor) => Tensor5D;
}

/**
 * Instance normalisation (Ulyanov et al. 2016): each channel of each item to mean 0 and variance 1 over its
 * voxels, then scale and shift.
 * @param x     [B, D, H, W, C]
 * @param gamma [C]
 * @param beta  [C]
 */
export function instanceNorm(
  x: Tensor5D,
  gamma: Tensor1D,
  beta: Tensor1D,
  { epsilon = 1e-5, exact = false, again }: NormOptions = {},
): Tensor5D {
  const [batch, depth, height, width] = x.shape;
  // A GPU's kernels add in a tree.
  const byPlanes = exact && target().kind === 'cpu' && depth * height * width > MOST_VOXELS_SUMMED;
  const items = batch === 1 ? [x] : tf.split<Tensor5D>(x, batch, 0);
  const normed = items.map((item, i) =>
    normaliseItem(item, gamma, beta, epsilon, byPlanes, again && ((earlier) => again(i, earlier))),
  );
  return joined(normed);
}

const joined = (items: Tensor5D[]): Tensor5D => (items.length === 1 ? itemAt(items, 0) : tf.concat(items, 0));

/**
 * Most voxels over which the CPU's kernel sums a channel's squares. It adds them one by one in float32, where
 * a large sum swallows small squares: over 96^3 voxels the deviation comes out 7e-5 too small, and over 128^3
 * the logits of a UNet 3e-4 of the largest off. Plane by plane the deviation is within 3e-6.
 */
const MOST_VOXELS_SUMMED = 2 ** 16;

/**
 * One item's instance norm is a batch norm in training mode over a [1, D * H, W, C] view, for which
 * TensorFlow has one fused op.
 */
function normaliseItem(
  x: Tensor5D,
  gamma: Tensor1D,
  beta: Tensor1D,
  epsilon: number,
  byPlanes: boolean,
  again?: (earlier: Tensor) => Tensor5D,
): Tensor5D {
  const [, depth, height, width, channels] = x.shape;
  const view: [number, number, number, number] = [1, depth * height, width, channels];
  return withGradient([x, gamma, beta], () => {
    const flat = x.reshape<Tensor4D>(view);
    const { y, moments } = byPlanes
      ? batchNormOf(flat, gamma, beta, epsilon, momentsByPlanes(x))
      : batchNorm(flat, gamma, beta, epsilon);
    const gradient = bindScope('gradient', (dy: Tensor5D, kept: readonly Tensor[]) => {
      const inputs = [dy.reshape(view), ...(again ? [again(dy).reshape(view)] : []), ...kept];
      const [dx, dScale, dShift] = batchNormGradient(batchNormAttributes(epsilon, true), inputs);
      return [dx.reshape(x.shape), dScale, dShift];
    });
    return {
      value: y.reshape<Tensor5D>(x.shape),
      kept: [...(again ? [] : [flat]), gamma, ...moments],
      gradient,
    };
  });
}

/** The fused gradient's parts for the values, the scale and the shift. */
function batchNormGradient(
  attributes: OpAttribute[],
  inputs: readonly Tensor[],
): readonly [Tensor, Tensor, Tensor] {
  const outputs = runOpWithOutputs('FusedBatchNormGradV3', attributes, inputs, 5);
  return [itemAt(outputs, 0), itemAt(outputs, 1), itemAt(outputs, 2)];
}

interface BatchNormed {
  readonly y: Tensor;
  /** Mean, variance and workspace, as the gradient's op takes them. */
  readonly moments: readonly [Tensor, Tensor, Tensor];
}

/** The fused op over all voxels of [1, R, W, C]. */
function batchNorm(x: Tensor4D, scale: Tensor1D, shift: Tensor1D, epsilon: number): BatchNormed {
  const none = tf.tensor1d([], 'float32');
  const attributes = [...batchNormAttributes(epsilon, true), attribute.float('exponential_avg_factor', 1)];
  const outputs = runOpWithOutputs('FusedBatchNormV3', attributes, [x, scale, shift, none, none], 6);
  return { y: itemAt(outputs, 0), moments: [itemAt(outputs, 3), itemAt(outputs, 4), itemAt(outputs, 5)] };
}

/** The norm with mean and variance given, in one pass. */
function batchNormOf(
  x: Tensor4D,
  scale: Tensor1D,
  shift: Tensor1D,
  epsilon: number,
  { mean, variance }: Moments,
): BatchNormed {
  const outputs = runOpWithOutputs(
    'FusedBatchNormV3',
    batchNormAttributes(epsilon, false),
    [x, scale, shift, mean, variance],
    6,
  );
  return { y: itemAt(outputs, 0), moments: [mean, variance, tf.tensor1d([], 'float32')] };
}

interface Moments {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/**
 * Mean and variance of each channel [C] of [1, D, H, W, C], from those of its planes, which are summed along
 * one axis after the other: a long sum swallows what is added to it. Two reading passes, where the fused norm
 * takes three and writes one. A plane's variance is its mean square less its squared mean, off by the
 * rounding of these, but by another one in every plane.
 */
function momentsByPlanes(x: Tensor5D): Moments {
  const [, depth, height, width, channels] = x.shape;
  const rows = x.reshape([depth * height, width, channels]);
  const ofPlanes = (ofRows: Tensor): Tensor => ofRows.reshape([depth, height, channels]);
  const means = ofPlanes(rows.mean(1)).mean(1); // [D, C]
  const lengths = lengthsAlong(ofPlanes(lengthsAlong(rows, 1)), 1); // [D, C]
  const variances = lengths
    .square()
    .div(height * width)
    .sub(means.square());
  const mean = means.mean(0);
  return { mean, variance: variances.add(means.sub(mean).square()).mean(0).relu() };
}

/** Euclidean lengths along an axis. */
function lengthsAlong(x: Tensor, axis: number): Tensor {
  const attributes = [
    float32Attribute(),
    attribute.type('Tidx', 'int32'),
    attribute.bool('keep_dims', false),
  ];
  return runOp('EuclideanNorm', attributes, [x, tf.tensor1d([axis], 'int32')]);
}

/** Channels that the CPU's kernels take at once; others go one by one, ten times as slowly. */
const VECTOR = 16;

/**
 * How many voxels to take as one of so many times the channels, for a norm whose mean and variance are given.
 */
function foldOf(voxels: number, channels: number): number {
  const fold = Array.from({ length: VECTOR }, (_, i) => i + 1).find(
    (n) => (n * channels) % VECTOR === 0 && voxels % n === 0,
  );
  return fold ?? 1;
}

/**
 * Group normalisation (Wu & He 2018): the channels of each group of each item together to mean 0 and variance
 * 1, then scale and shift.
 * @param x     [B, D, H, W, C], C a multiple of `groups`
 * @param gamma [C]
 * @param beta  [C]
 */
export function groupNorm(
  x: Tensor5D,
  gamma: Tensor1D,
  beta: Tensor1D,
  groups: number,
  epsilon = 1e-5,
): Tensor5D {
  const [batch] = x.shape;
  const items = batch === 1 ? [x] : tf.split<Tensor5D>(x, batch, 0);
  const normed = items.map((item) => normaliseGroups(item, gamma, beta, groups, epsilon));
  return joined(normed);
}

/**
 * One item's group norm by TensorFlow's fused batch norm with mean and variance given: those of a group
 * follow from its channels'. The gradient's op, with these given, sums what the group's gradient needs of
 * each channel; the way through mean and variance is added as a line in x.
 */
function normaliseGroups(
  x: Tensor5D,
  gamma: Tensor1D,
  beta: Tensor1D,
  groups: number,
  epsilon: number,
): Tensor5D {
  const [, depth, height, width, channels] = x.shape;
  const voxels = depth * height * width;
  const fold = foldOf(voxels, channels);
  const view: [number, number, number, number] = [1, voxels / fold, 1, fold * channels];
  const folded = (perChannel: Tensor): Tensor => perChannel.tile([fold]);
  const unfolded = (perChannel: Tensor): Tensor => perChannel.reshape([fold, channels]).sum(0);
  const count = (voxels * channels) / groups;
  // [groups, C / groups].
  const ofGroup = (perChannel: Tensor): Tensor => perChannel.reshape([groups, channels / groups]);
  // From [groups, 1].
  const toChannels = (perGroup: Tensor): Tensor => perGroup.tile([1, channels / groups]).reshape([channels]);
  return withGradient([x, gamma, beta], () => {
    const flat = x.reshape<Tensor4D>(view);
    const { mean: channelMean, variance: channelVariance } = momentsByPlanes(x);
    const groupMean = ofGroup(channelMean).mean(1, true);
    const groupVariance = ofGroup(channelVariance)
      .add(ofGroup(channelMean).sub(groupMean).square())
      .mean(1, true);
    const [mean, variance] = [toChannels(groupMean), toChannels(groupVariance)];
    const terms = [gamma, beta, mean, variance].map(folded);
    const y = itemAt(
      runOpWithOutputs('FusedBatchNormV3', batchNormAttributes(epsilon, false), [flat, ...terms], 6),
      0,
    );
    const gradient = bindScope(
      'gradient',
      (dy: Tensor5D, kept: readonly [Tensor4D, Tensor1D, Tensor, Tensor]) => {
        const [savedX, g, mu, sigmaSquared] = kept;
        const inputs = [
          dy.reshape(view),
          savedX,
          ...[g, mu, sigmaSquared].map(folded),
          tf.tensor1d([], 'float32'),
        ];
        const [direct, scaleSums, shiftSums] = batchNormGradient(batchNormAttributes(epsilon, false), inputs);
        const [dScale, dShift] = [unfolded(scaleSums), unfolded(shiftSums)];
        const inverse = sigmaSquared.add(epsilon).rsqrt();
        const meanSlope = toChannels(ofGroup(g.mul(dShift)).sum(1, true)).div(count);
        const along = toChannels(ofGroup(g.mul(dScale)).sum(1, true)).div(count);
        // A line in the normalised x, as a norm of its own.
        const line = [along.mul(inverse).neg(), meanSlope.mul(inverse).neg(), mu, sigmaSquared].map(folded);
        const through = itemAt(
          runOpWithOutputs('FusedBatchNormV3', batchNormAttributes(epsilon, false), [savedX, ...line], 6),
          0,
        );
        const dx = runOp('AddV2', [float32Attribute()], [direct, through]);
        return [dx.reshape(x.shape), dScale, dShift];
      },
    );
    return { value: y.reshape<Tensor5D>(x.shape), kept: [flat, gamma, mean, variance] as const, gradient };
  });
}

/** oneDNN's layer norm, which TensorFlow has on a CPU alone, without a gradient. */
const fusedLayerNorm = '_MklLayerNorm';

/**
 * Layer normalisation (Ba et al. 2016) over the last axis; a prediction on a CPU takes one op for it.
 * @param x     [..., C]
 * @param gamma [C]
 * @param beta  [C]
 */
export function layerNorm<T extends Tensor>(x: T, gamma: Tensor1D, beta: Tensor1D, epsilon = 1e-5): T {
  if (isInference() && target().kind === 'cpu' && hasKernel(fusedLayerNorm, ['CPU']))
    return fusedNorm(x, gamma, beta, epsilon);
  return withGradient([x, gamma, beta], () => {
    const centred = x.sub(x.mean(-1, true));
    const inverseDeviation = centred.square().mean(-1, true).add(epsilon).rsqrt();
    const normalised = centred.mul(inverseDeviation);
    const gradient = (dy: T, [xHat, inverse, g]: readonly [Tensor, Tensor, Tensor1D]) => {
      const rows = xHat.shape.slice(0, -1).map((_, axis) => axis);
      const dxHat = dy.mul(g);
      const projected = xHat.mul(dxHat.mul(xHat).mean(-1, true));
      return [
        dxHat.sub(dxHat.mean(-1, true)).sub(projected).mul(inverse),
        dy.mul(xHat).sum(rows),
        dy.sum(rows),
      ];
    };
    return {
      value: normalised.mul(gamma).add<T>(beta),
      kept: [normalised, inverseDeviation, gamma] as const,
      gradient,
    };
  });
}

/** The fused op, which has no gradient: asked for one, it says so. */
function fusedNorm<T extends Tensor>(x: T, gamma: Tensor1D, beta: Tensor1D, epsilon: number): T {
  return withGradient([x, gamma, beta], () => {
    const rows = x.reshape([-1, itemAt(x.shape, x.rank - 1)]);
    const attributes = [float32Attribute(), attribute.float('epsilon', epsilon)];
    const value = runOp(fusedLayerNorm, attributes, [rows, gamma, beta]).reshape<T>(x.shape);
    const gradient = (): never => {
      const remedy = "compile it with mode: 'training'";
      throw new WorkError(
        `the layer norm of a step that is compiled for inference has no gradient: ${remedy}`,
      );
    };
    return { value, kept: [], gradient };
  });
}

function batchNormAttributes(epsilon: number, training: boolean): OpAttribute[] {
  return [
    float32Attribute(),
    attribute.type('U', 'float32'),
    attribute.float('epsilon', epsilon),
    attribute.string('data_format', 'NHWC'),
    attribute.bool('is_training', training),
  ];
}
