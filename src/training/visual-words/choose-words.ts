import { floatAt, itemAt } from '../../at.js';
import type { RandomStream } from '../../random/streams.js';
import type { Triple } from '../../volume/index.js';

/** A patient as word discovery sees one. */
export interface Patient {
  readonly id: string;
  /** Voxels of the prepared scan, [x, y, z]. */
  readonly size: Triple;
  readonly feature: Float32Array;
}

/** One crop of a word: first voxel [x, y, z] in a patient's prepared scan. */
export interface WordInstance {
  readonly caseId: string;
  readonly start: Triple;
}

export interface VisualWord {
  /** The patient whose crop the word is. */
  readonly reference: string;
  readonly instances: readonly WordInstance[];
  /** Of held-out patients, by the same coordinates. */
  readonly heldOut: readonly WordInstance[];
}

export interface WordChoice {
  readonly words: number;
  /** Patients of a word, at most. */
  readonly instances: number;
  readonly cropSize: Triple;
}

/** Attempts at a crop of a reference before it is taken as it is. */
const ATTEMPTS = 50;
/** Voxels that crops of two words are apart at least, in one reference's own grid. */
const APART = 5;

/**
 * Chooses visual words: for each a reference patient, drawn without repetition while there are patients left,
 * a place in it, and the same place in the patients nearest to it by feature, the reference first. A place is
 * a share of the way along each axis, because prepared scans are cut to the body and differ in size.
 * @param isBody whether the crop of a reference shows enough of the body to be a word
 */
export function chooseWords(
  patients: readonly Patient[],
  heldOut: readonly Patient[],
  { words, instances, cropSize }: WordChoice,
  stream: RandomStream,
  isBody: (reference: Patient, start: Triple) => boolean,
): VisualWord[] {
  let references: Patient[] = [];
  const taken: { readonly id: string; readonly start: Triple }[] = [];
  return Array.from({ length: words }, () => {
    if (references.length === 0) references = stream.shuffle(patients);
    const reference = itemAt(references, references.length - 1);
    references.pop();
    const place = choosePlace(
      reference,
      cropSize,
      stream,
      (start) => isBody(reference, start) && isApart(taken, reference.id, start),
    );
    taken.push({ id: reference.id, start: startAt(place, reference.size, cropSize) });
    const instancesOf = (from: readonly Patient[]) =>
      nearest(reference, from, instances).map(({ id, size }) => ({
        caseId: id,
        start: startAt(place, size, cropSize),
      }));
    return { reference: reference.id, instances: instancesOf(patients), heldOut: instancesOf(heldOut) };
  });
}

function choosePlace(
  { size }: Patient,
  cropSize: Triple,
  stream: RandomStream,
  accepts: (start: Triple) => boolean,
): Triple {
  for (let attempt = 1; ; attempt++) {
    const place: Triple = [stream.uniform(), stream.uniform(), stream.uniform()];
    if (attempt === ATTEMPTS || accepts(startAt(place, size, cropSize))) return place;
  }
}

const isApart = (
  taken: readonly { readonly id: string; readonly start: Triple }[],
  id: string,
  start: Triple,
): boolean =>
  taken.every(
    (other) =>
      other.id !== id ||
      Math.hypot(...start.map((voxel, axis) => voxel - itemAt(other.start, axis))) >= APART,
  );

/**
 * The first voxel of a crop whose place is a share of the way along each axis; a scan smaller than the crop
 * sits in its middle.
 */
function startAt(place: Triple, size: Triple, cropSize: Triple): Triple {
  const along = (axis: 0 | 1 | 2) => {
    const free = size[axis] - cropSize[axis];
    return free < 0 ? 0 - Math.floor(-free / 2) : Math.min(free, Math.floor(place[axis] * (free + 1)));
  };
  return [along(0), along(1), along(2)];
}

/**
 * Up to `count` patients, the nearest by Euclidean distance of features first; equal distances in their own
 * order.
 */
function nearest({ feature }: Patient, patients: readonly Patient[], count: number): Patient[] {
  const distance = (other: Patient) =>
    feature.reduce((sum, value, i) => sum + (value - floatAt(other.feature, i)) ** 2, 0);
  return patients
    .map((patient) => ({ patient, away: distance(patient) }))
    .sort((a, b) => a.away - b.away)
    .slice(0, count)
    .map(({ patient }) => patient);
}
