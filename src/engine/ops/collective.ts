import { after } from '../after.js';
import type { ClusterMember } from '../cluster.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import tf, { type Tensor } from '../tf.js';

/** How values of all ranks are added. */
export type Reduction = 'exact' | 'fast';

/** Bytes of values that go together: larger parts wait for one another, smaller ones cost a message each. */
const bucketBytes = 2 ** 22;

/**
 * The sums of tensors over all ranks, each of which must call it with the same names and shapes. They go in parts, one
 * after the other in the order given, each as soon as it is there.
 * @param reduction `exact`: in pairs, of neighbours, then of pairs of them, so that 1, 2, 4 ... ranks give the same bits
 *   where each has a share of the same sum; takes 2, 4, 8 ... ranks. `fast`: in a ring, of any number of ranks
 */
export function sumOverRanks(
  values: Readonly<Record<string, Tensor>>,
  { rank, ranks }: Pick<ClusterMember, 'rank' | 'ranks'>,
  reduction: Reduction,
): Record<string, Tensor> {
  let key = 0;
  let before: Tensor | undefined;
  const sums: Record<string, Tensor> = {};
  for (const bucket of inBuckets(values)) {
    const flat = tf.concat(bucket.map(([, value]) => value.reshape([-1])));
    let sum: Tensor = before ? after(flat, before) : flat;
    if (reduction === 'fast') sum = sumOfGroup(sum, ranks, groupOfAll, key++);
    else
      for (let apart = 1; apart < ranks; apart *= 2)
        sum = sumOfGroup(sum, 2, pairOf(rank, apart, ranks), key++);
    before = sum;
    let at = 0;
    for (const [name, { shape, size }] of bucket) {
      sums[name] = sum.slice([at], [size]).reshape(shape);
      at += size;
    }
  }
  return sums;
}

/** Keys below are those of sums; other collectives of a run have keys from here on. */
export const sumKeys = 1_000_000;

const groupOfAll = 1;

/** The group of a rank and the one that is `apart` from it, which no other pair has. */
const pairOf = (rank: number, apart: number, ranks: number): number =>
  groupOfAll + 1 + apart * ranks + Math.min(rank, rank ^ apart);

function inBuckets(values: Readonly<Record<string, Tensor>>): [name: string, value: Tensor][][] {
  const buckets: [string, Tensor][][] = [];
  let room = 0;
  for (const entry of Object.entries(values)) {
    const bytes = entry[1].size * 4;
    const last = buckets.at(-1);
    if (last && bytes <= room) last.push(entry);
    else {
      buckets.push([entry]);
      room = bucketBytes;
    }
    room -= bytes;
  }
  return buckets;
}

const whole = (number: number) => tf.scalar(number, 'int32');

function sumOfGroup(value: Tensor, size: number, group: number, instance: number): Tensor {
  const attributes = [
    float32Attribute(),
    attribute.string('merge_op', 'Add'),
    attribute.string('final_op', 'Id'),
    attribute.string('communication_hint', 'auto'),
    attribute.float('timeout_seconds', 0),
    attribute.bool('is_stateless', false),
    attribute.int('Nordering_token', 0),
    attribute.int('max_subdivs_per_device', 1),
  ];
  return runOp('CollectiveReduceV2', attributes, [value, whole(size), whole(group), whole(instance)]);
}

/**
 * A tensor of the first rank, on every rank.
 * @param value  the first rank's own; of the others the shape alone counts
 * @param instance tells it from others of the same run; at least `sumKeys`
 */
export function fromFirstRank<T extends Tensor>(
  value: T,
  { rank, ranks }: Pick<ClusterMember, 'rank' | 'ranks'>,
  instance: number,
): T {
  const common = [
    float32Attribute(),
    attribute.string('communication_hint', 'auto'),
    attribute.float('timeout_seconds', 0),
  ];
  const numbers = [ranks, groupOfAll, instance].map(whole);
  if (rank === 0) return runOp('CollectiveBcastSendV2', common, [value, ...numbers]);
  const shape = tf.tensor1d([...value.shape], 'int32');
  return runOp('CollectiveBcastRecvV2', [...common, attribute.type('Tshape', 'int32')], [...numbers, shape]);
}
