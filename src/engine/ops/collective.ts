import { entryOf, itemAt } from '../../at.js';
import { after } from '../after.js';
import type { ClusterMember } from '../cluster.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import tf, { type Tensor } from '../tf.js';

/** How values of all ranks are added. */
export type Reduction = 'exact' | 'fast';

/** Float32 values that go together, 4 MiB: of larger parts one waits for another, smaller ones cost a message each. */
const bucketValues = 2 ** 20;

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
  const sums = inBuckets(values).map((bucket) => {
    const flat = joined(bucket);
    let sum: Tensor = before ? after(flat, before) : flat;
    if (reduction === 'fast') sum = sumOfGroup(sum, ranks, groupOfAll, key++);
    else
      for (let apart = 1; apart < ranks; apart *= 2)
        sum = sumOfGroup(sum, 2, pairOf(rank, apart, ranks), key++);
    before = sum;
    return { bucket, sum };
  });
  return takenApart(sums, values);
}

/**
 * What `sumOverRanks` with `fast` gives of as many ranks on CPUs, to the bit, in one process. There a bucket is cut into a
 * chunk a rank. The first chunk begins at the first rank, the second at the second, and goes round: each rank adds its own.
 * @param ranks what each rank has, with the same names and shapes
 */
export function sumInRing(ranks: readonly Readonly<Record<string, Tensor>>[]): Record<string, Tensor> {
  const ofRanks = ranks.map(inBuckets);
  const sums = itemAt(ofRanks, 0).map((bucket, i) => {
    const flat = ofRanks.map((buckets) => joined(itemAt(buckets, i)));
    const { size } = itemAt(flat, 0);
    const chunk = chunkOf(size, ranks.length);
    const chunks = ranks.flatMap((_, first) => {
      const [begin, end] = [Math.min(size, first * chunk), Math.min(size, (first + 1) * chunk)];
      if (begin === end) return [];
      const [one, ...others] = ranks.map((_, step) =>
        itemAt(flat, (first + step) % ranks.length).slice([begin], [end - begin]),
      );
      return one ? [others.reduce((sum, other) => sum.add(other), one)] : [];
    });
    return { bucket, sum: tf.concat(chunks) };
  });
  return takenApart(sums, itemAt(ranks, 0));
}

/** Bytes that chunks of TensorFlow's ring are a multiple of: `EIGEN_MAX_ALIGN_BYTES` of its library. */
const chunkAlignment = 64;

/** Float32 values of a rank's chunk of a bucket, as TensorFlow's `AlignedChunkElts`: the last ones may be shorter. */
const chunkOf = (size: number, ranks: number): number => {
  const aligned = chunkAlignment / 4;
  return Math.ceil(Math.ceil(size / ranks) / aligned) * aligned;
};

const joined = (bucket: readonly Part[]): Tensor =>
  bucket.length === 1 ? itemAt(bucket, 0).values : tf.concat(bucket.map((part) => part.values));

/** The tensors that buckets were made of, from the sums of these. */
function takenApart(
  sums: readonly { readonly bucket: readonly Part[]; readonly sum: Tensor }[],
  values: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const parts = new Map<string, Tensor[]>();
  for (const { bucket, sum } of sums) {
    let at = 0;
    for (const { name, values: own } of bucket) {
      const part = bucket.length === 1 ? sum : sum.slice([at], [own.size]);
      parts.set(name, [...(parts.get(name) ?? []), part]);
      at += own.size;
    }
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => {
      const own = entryOf(parts, name);
      return [name, (own.length === 1 ? itemAt(own, 0) : tf.concat(own)).reshape(shape)];
    }),
  );
}

/** Keys below are those of sums; other collectives of a run have keys from here on. */
export const sumKeys = 1_000_000;

const groupOfAll = 1;

/** The group of a rank and the one that is `apart` from it, which no other pair has. */
const pairOf = (rank: number, apart: number, ranks: number): number =>
  groupOfAll + 1 + apart * ranks + Math.min(rank, rank ^ apart);

/** A tensor, or a stretch of one, laid out in a row. */
interface Part {
  readonly name: string;
  readonly values: Tensor;
}

/** Tensors in their order, cut so that each bucket but the last is full. */
function inBuckets(tensors: Readonly<Record<string, Tensor>>): Part[][] {
  const buckets: Part[][] = [];
  let room = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const flat = tensor.reshape([-1]);
    for (let at = 0; at < flat.size; ) {
      if (room === 0) {
        buckets.push([]);
        room = bucketValues;
      }
      const count = Math.min(room, flat.size - at);
      const values = count === flat.size ? flat : flat.slice([at], [count]);
      itemAt(buckets, buckets.length - 1).push({ name, values });
      at += count;
      room -= count;
    }
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
