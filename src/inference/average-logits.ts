import type { LabelScheme } from './label-scheme.js';

/** What the channels of logits are: of a softmax (`classes`), or each of a sigmoid of its own (`regions`). */
export type OutputKind = LabelScheme['kind'];

/**
 * The mean of several networks' probabilities, written over the first one's logits as the logits of that mean: the mean of equal logits is
 * themselves (of classes: less a number that all share), also after they are brought to another grid.
 * @param members of each network its channels, equally long
 */
export function averageLogits(kind: OutputKind, members: readonly (readonly Float32Array[])[]): void {
  if (kind === 'classes') averageClasses(members);
  else averageRegions(members);
}

/** log of the mean softmax probability. */
function averageClasses(members: readonly (readonly Float32Array[])[]): void {
  const [into] = members as readonly [readonly Float32Array[]];
  const logSums = new Float64Array(members.length);
  const values = new Float64Array(members.length);
  for (let i = 0; i < into[0]!.length; i++) {
    for (let m = 0; m < members.length; m++) logSums[m] = logSumOfChannels(members[m]!, i);
    for (let c = 0; c < into.length; c++) {
      for (let m = 0; m < members.length; m++) values[m] = members[m]![c]![i]! - logSums[m]!;
      into[c]![i] = logMeanExponential(values);
    }
  }
}

/** log (p / (1 - p)) of the mean sigmoid probability p. */
function averageRegions(members: readonly (readonly Float32Array[])[]): void {
  const [into] = members as readonly [readonly Float32Array[]];
  const [inside, outside] = [new Float64Array(members.length), new Float64Array(members.length)];
  for (let c = 0; c < into.length; c++) {
    for (let i = 0; i < into[c]!.length; i++) {
      for (let m = 0; m < members.length; m++) {
        const logit = members[m]![c]![i]!;
        inside[m] = logSigmoid(logit);
        outside[m] = logSigmoid(-logit);
      }
      into[c]![i] = logMeanExponential(inside) - logMeanExponential(outside);
    }
  }
}

/** log of the sum of the channels' exponentials at a voxel, without overflow. */
function logSumOfChannels(channels: readonly Float32Array[], i: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < channels.length; c++) most = Math.max(most, channels[c]![i]!);
  let sum = 0;
  for (let c = 0; c < channels.length; c++) sum += Math.exp(channels[c]![i]! - most);
  return most + Math.log(sum);
}

function logMeanExponential(values: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let m = 0; m < values.length; m++) most = Math.max(most, values[m]!);
  let sum = 0;
  for (let m = 0; m < values.length; m++) sum += Math.exp(values[m]! - most);
  return most + Math.log(sum / values.length);
}

const logSigmoid = (x: number): number => Math.min(0, x) - Math.log1p(Math.exp(-Math.abs(x)));
