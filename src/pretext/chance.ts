import { maskedPatches, type PatchGrid } from './patch-grid.js';

/**
 * Number and location losses of a network that sees nothing of the images, in nats: it says how often each
 * number of masked patches comes up, and of a location, knowing its sub-volume's number, how many of the
 * patches there are masked. A location loss below this has learned places.
 * @param maskRatio share of the crop's patches that is masked
 */
export function maskChance(
  grid: PatchGrid,
  maskRatio: number,
): { readonly number: number; readonly location: number } {
  const n = grid.patchesPerSubVolume;
  const total = grid.patches.reduce((product, patches) => product * patches, 1);
  const masked = maskedPatches(grid, maskRatio);
  let [number, location] = [0, 0];
  for (let count = 0; count <= n; count++) {
    const p = hypergeometric(count, { total, masked, drawn: n });
    if (p === 0) continue;
    number -= p * Math.log(p);
    location += p * binaryEntropy(count / n);
  }
  return { number, location };
}

/** Contrastive loss where all features are alike: each of the 2B - 1 others is as near as the partner. */
export const contrastChance = (batch: number): number => Math.log(2 * batch - 1);

/** Chance of `count` masked ones among `drawn` of `total` patches, `masked` of which are. */
function hypergeometric(
  count: number,
  { total, masked, drawn }: { total: number; masked: number; drawn: number },
): number {
  if (count > masked || drawn - count > total - masked) return 0;
  return Math.exp(
    logChoose(masked, count) + logChoose(total - masked, drawn - count) - logChoose(total, drawn),
  );
}

function logChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
}

const binaryEntropy = (p: number): number =>
  p === 0 || p === 1 ? 0 : -p * Math.log(p) - (1 - p) * Math.log(1 - p);
