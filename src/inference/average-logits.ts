import { doubleAt, floatAt, itemAt } from '../at.js';
import type { LabelScheme } from './label-scheme.js';

/** What the channels of logits are: of a softmax (`classes`), or each of a sigmoid of its own (`regions`). */
export type OutputKind = LabelScheme['kind'];

/**
 * The mean of several networks' probabilities, written over the first one's logits as the logits of that
 * mean: the mean of equal logits is themselves (of classes: less a number that all share), also after they
 * are brought to another grid.
 * @param members of each network its channels, equally long
 */
export function averageLogits(kind: OutputKind, members: readonly (readonly Float32Array[])[]): void {
  if (kind === 'classes') averageClasses(members);
  else averageRegions(members);
}

// Loops over networks go by index: once a voxel, an iterator costs a third more time.

/** log of the mean softmax probability. */
function averageClasses(members: readonly (readonly Float32Array[])[]): void {
  const channels = byChannel(members);
  const logSums = new Float64Array(members.length);
  const values = new Float64Array(members.length);
  const voxels = itemAt(itemAt(members, 0), 0).length;
  for (let i = 0; i < voxels; i++) {
    let member = 0;
    for (const logits of members) logSums[member++] = logSumOfChannels(logits, i);
    for (const { into, ofMembers } of channels) {
      for (let m = 0; m < ofMembers.length; m++) values[m] = floatAt(ofMembers[m]!, i) - doubleAt(logSums, m);
      into[i] = logMeanExponential(values);
    }
  }
}

/** log (p / (1 - p)) of the mean sigmoid probability p. */
function averageRegions(members: readonly (readonly Float32Array[])[]): void {
  const [inside, outside] = [new Float64Array(members.length), new Float64Array(members.length)];
  for (const { into, ofMembers } of byChannel(members)) {
    for (let i = 0; i < into.length; i++) {
      for (let m = 0; m < ofMembers.length; m++) {
        const logit = floatAt(ofMembers[m]!, i);
        inside[m] = logSigmoid(logit);
        outside[m] = logSigmoid(-logit);
      }
      into[i] = logMeanExponential(inside) - logMeanExponential(outside);
    }
  }
}

/** Each channel of the first network, which is written over, and that channel of every network. */
function byChannel(members: readonly (readonly Float32Array[])[]) {
  return itemAt(members, 0).map((into, c) => ({
    into,
    ofMembers: members.map((channels) => itemAt(channels, c)),
  }));
}

/** log of the sum of the channels' exponentials at a voxel, without overflow. */
function logSumOfChannels(channels: readonly Float32Array[], i: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const logits of channels) most = Math.max(most, floatAt(logits, i));
  let sum = 0;
  for (const logits of channels) sum += Math.exp(floatAt(logits, i) - most);
  return most + Math.log(sum);
}

function logMeanExponential(values: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let m = 0; m < values.length; m++) most = Math.max(most, doubleAt(values, m));
  let sum = 0;
  for (let m = 0; m < values.length; m++) sum += Math.exp(doubleAt(values, m) - most);
  return most + Math.log(sum / values.length);
}

const logSigmoid = (x: number): number => Math.min(0, x) - Math.log1p(Math.exp(-Math.abs(x)));
