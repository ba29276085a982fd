import { itemAt, uint32At } from '../../at.js';
import { type RandomStream, randomStream } from '../../random/streams.js';
import { mapAxes, type Triple } from '../../volume/index.js';
import { annotatedKey } from '../cache/class-positions.js';
import type { PreparedCase } from '../index/prepared-index.js';

/** A crop of a case. */
export interface CropRequest {
  /** In the loader's list of cases. */
  readonly caseIndex: number;
  /** First voxel [x, y, z] on the prepared grid; may be negative or pass the end: 0 there. */
  readonly start: Triple;
}

/** What decides which crops are drawn. */
export interface CropPlanOptions {
  readonly cases: readonly Pick<PreparedCase, 'size' | 'classVoxels' | 'annotatedVoxels'>[];
  readonly cropSize: Triple;
  readonly batchSize: number;
  readonly seed: number;
  /** Share of crops centred on a labelled voxel (clamped into the volume); the rest lie anywhere. */
  readonly foregroundRatio: number;
}

/** Looks up a stored voxel of a class, see `ChunkedFile.readClassPosition`. */
export type ClassPositionReader = (caseIndex: number, label: string, rank: number) => Triple;

/**
 * Which crop is item `item` of step `step`: a function of the seed, the step and
 * the item alone. Every case comes once an epoch, in a new order each epoch. A
 * class is drawn evenly among those the case has, so that small organs are seen. Where voxels of a case are to
 * be ignored, every crop is centred on one that is not: one of a class, or any that somebody labelled.
 * @param order of the cases, by the same seed
 */
export function planCrop(
  options: CropPlanOptions,
  order: VisitOrder,
  step: number,
  item: number,
  classPosition: ClassPositionReader,
): CropRequest {
  const { cases, cropSize, batchSize, seed, foregroundRatio } = options;
  const caseIndex = order(step * batchSize + item);
  const { size, classVoxels, annotatedVoxels } = itemAt(cases, caseIndex);
  const stream = randomStream(seed, 'crop', step, item);
  const classes = Object.entries(classVoxels);
  const centredOn = (label: string, stored: number): CropRequest => {
    const centre = classPosition(caseIndex, label, stream.integer(stored));
    const start = mapAxes(cropSize, (sides, axis) =>
      clampedStart(centre[axis] - Math.floor(sides / 2), size[axis], sides),
    );
    return { caseIndex, start };
  };
  if (stream.uniform() < foregroundRatio && classes.length > 0) {
    const [label, { stored }] = itemAt(classes, stream.integer(classes.length));
    return centredOn(label, stored);
  }
  if (annotatedVoxels) return centredOn(annotatedKey, annotatedVoxels.stored);
  return { caseIndex, start: mapAxes(cropSize, (sides, axis) => uniformStart(stream, size[axis], sides)) };
}

/** A crop that is given instead of drawn, with the class that it stands for. */
export interface LabelledCrop extends CropRequest {
  readonly word: number;
}

/**
 * Which of the given crops is item `item` of step `step`:
 * each comes once an epoch, in a new order each epoch.
 * @param order of the crops
 */
export function plannedCrop(
  crops: readonly LabelledCrop[],
  order: VisitOrder,
  batchSize: number,
  step: number,
  item: number,
): LabelledCrop {
  return itemAt(crops, order(step * batchSize + item));
}

/** What the `visit`-th crop since step 0 is of: a case, or one of the given crops. */
export type VisitOrder = (visit: number) => number;

/** Orders of epochs that are kept: a batch may begin in one epoch and end in the next. */
const EPOCHS_KEPT = 2;

/**
 * The order of `count` cases, of which each epoch of `count` visits is a permutation, by the seed and the epoch
 * alone. An epoch's is drawn when it is first asked for and kept, so that a crop costs the same however many
 * cases there are; 4 bytes a case for each of the last two epochs.
 */
export function visitOrder(seed: number, count: number): VisitOrder {
  const drawn = new Map<number, Uint32Array>();
  const orderOf = (epoch: number): Uint32Array => {
    const known = drawn.get(epoch);
    if (known) return known;
    const cases = Array.from({ length: count }, (_, i) => i);
    const order = Uint32Array.from(randomStream(seed, 'crop', epoch).shuffle(cases));
    for (const earlier of drawn.keys()) if (drawn.size >= EPOCHS_KEPT) drawn.delete(earlier);
    drawn.set(epoch, order);
    return order;
  };
  return (visit) => uint32At(orderOf(Math.floor(visit / count)), visit % count);
}

/** A volume smaller than the crop sits in its middle, padded on both sides. */
function centredStart(size: number, crop: number): number {
  return -Math.floor((crop - size) / 2);
}

function clampedStart(start: number, size: number, crop: number): number {
  return size <= crop ? centredStart(size, crop) : Math.min(Math.max(start, 0), size - crop);
}

function uniformStart(stream: RandomStream, size: number, crop: number): number {
  return size <= crop ? centredStart(size, crop) : stream.integer(size - crop + 1);
}
