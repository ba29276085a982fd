import { z } from 'zod';
import { itemAt } from '../../at.js';
import {
  AXES,
  type Grid,
  mapAxes,
  type Orientation,
  type TakenAlong,
  type Triple,
  takenVoxels,
  tripleOf,
} from '../../volume/index.js';
import type { Box } from '../cache/spilled-volume.js';
import {
  type LabelPart,
  type LabelSlice,
  type PartFinder,
  partFinder,
  type VoxelWeights,
} from './label-parts.js';
import type { ClassArray } from './label-values.js';

/** A class, or a part of one, that keeps less than this share of its volume is named. */
export const keptShare = 0.5;

/** What became of a class of a label on the way to the prepared grid. */
export const classSurvivalSchema = z.object({
  /** mm3 in the file, in the prepared label, and how much of the resampled label was cropped away. */
  volume: z.object({ source: z.number(), prepared: z.number(), cropped: z.number() }),
  /** Connected parts (26 neighbours) in the file and in the prepared label. */
  parts: z.object({ source: z.int(), prepared: z.int() }),
  /** Parts of the file of which no voxel is left, because none was taken or the crop left all of them out. */
  vanished: z.object({ resampled: z.int(), cropped: z.int() }),
  /** Parts of the file that keep some of their volume, but less than `keptShare`. */
  shrunk: z.int(),
  /** The largest part that vanished: its voxels, volume in mm3 and first voxel in the file. */
  largest: z.object({ voxels: z.int(), volume: z.number(), voxel: tripleOf(z.int()) }).optional(),
});
export type ClassSurvival = z.infer<typeof classSurvivalSchema>;

/** By the value of the class. */
export type LabelSurvival = Readonly<Record<string, ClassSurvival>>;

/** Watches a label on its way from its file to the prepared grid. */
export interface SurvivalWatch {
  /** Passes the slices of the file, as class values, on and looks at them. */
  pass(slices: AsyncIterable<ClassArray>): AsyncGenerator<ClassArray, void>;
  /**
   * What became of each class of the file, when all its slices passed.
   * @param box that the resampled label is cropped to
   * @param again the slices once more; asked for only where the crop took labelled voxels
   * @param preparedParts connected parts of the cropped label, by their value
   */
  survival(
    box: Box,
    again: () => AsyncIterable<ClassArray>,
    preparedParts: ReadonlyMap<number, number>,
  ): Promise<LabelSurvival>;
}

/**
 * Resampling by the nearest neighbour takes single voxels of the file. So what is left of a part is known
 * without a second label in memory: how often a voxel is taken is a product of a number along each axis.
 * @param label its grid in the file
 * @param spacing of the prepared grid, mm; null: the label's own
 * @param orientation how its axes run; absent: as its affine says
 */
export function watchSurvival(label: Grid, spacing: Triple | null, orientation?: Orientation): SurvivalWatch {
  const taken = takenVoxels(label, spacing, orientation);
  const whole: Box = { start: [0, 0, 0], size: mapAxes(taken, ({ indices }) => indices.length) };
  const resampled = timesTaken(taken, label.size, whole);
  const voxelMm3 = volumeOf(label.spacing);
  const preparedMm3 = volumeOf(spacing ?? label.spacing);
  const look = (weights: readonly VoxelWeights[]) => {
    const tallies = new Map<number, Tally>();
    const onPart = (part: LabelPart) => addPart(tallies, part, preparedMm3 / voxelMm3);
    return { tallies, finder: partFinder([label.size[0], label.size[1]], weights, onPart) };
  };
  const first = look([resampled]);
  return {
    pass: (slices) => passing(slices, first.finder),
    survival: async (box, again, preparedParts) => {
      const kept = timesTaken(taken, label.size, box);
      let { tallies } = first;
      if (isCut(first.finder, resampled, kept)) {
        const second = look([resampled, kept]);
        for await (const _ of passing(again(), second.finder));
        tallies = second.tallies;
      }
      const record = [...tallies]
        .sort(([a], [b]) => a - b)
        .map(([value, tally]) => {
          const { voxels, resampledVoxels, keptVoxels, parts, vanished, shrunk, largest } = tally;
          const survival: ClassSurvival = {
            volume: {
              source: voxels * voxelMm3,
              prepared: keptVoxels * preparedMm3,
              cropped: (resampledVoxels - keptVoxels) * preparedMm3,
            },
            parts: { source: parts, prepared: preparedParts.get(value) ?? 0 },
            vanished,
            shrunk,
            ...(largest && {
              largest: { voxels: largest.voxels, volume: largest.voxels * voxelMm3, voxel: largest.first },
            }),
          };
          return [value, survival] as const;
        });
      return Object.fromEntries(record);
    },
  };
}

/** Counts the connected parts of a label whose slices are added from below. */
export function partCounter(size: readonly [number, number]): {
  readonly add: (slice: LabelSlice) => void;
  /** By their value; when every slice was added. */
  readonly counts: () => ReadonlyMap<number, number>;
} {
  const counts = new Map<number, number>();
  const finder = partFinder(size, [], ({ value }) => counts.set(value, (counts.get(value) ?? 0) + 1));
  return {
    add: finder.add,
    counts: () => {
      finder.end();
      return counts;
    },
  };
}

async function* passing(
  slices: AsyncIterable<ClassArray>,
  finder: PartFinder,
): AsyncGenerator<ClassArray, void> {
  for await (const slice of slices) {
    finder.add(slice);
    yield slice;
  }
  finder.end();
}

/** What became of the parts of a class so far. */
interface Tally {
  voxels: number;
  /** Voxels of the resampled label. */
  resampledVoxels: number;
  /** Those of them that the crop kept. */
  keptVoxels: number;
  parts: number;
  vanished: { resampled: number; cropped: number };
  shrunk: number;
  largest?: LabelPart;
}

/** @param growth how many voxels of the file a prepared one is as large as */
function addPart(tallies: Map<number, Tally>, part: LabelPart, growth: number): void {
  const { value, voxels } = part;
  const tally = tallies.get(value) ?? {
    voxels: 0,
    resampledVoxels: 0,
    keptVoxels: 0,
    parts: 0,
    vanished: { resampled: 0, cropped: 0 },
    shrunk: 0,
  };
  tallies.set(value, tally);
  const resampled = itemAt(part.weighed, 0);
  const kept = part.weighed[1] ?? resampled;
  tally.voxels += voxels;
  tally.resampledVoxels += resampled;
  tally.keptVoxels += kept;
  tally.parts++;
  if (resampled === 0) tally.vanished.resampled++;
  else if (kept === 0) tally.vanished.cropped++;
  else if (kept * growth < keptShare * voxels) tally.shrunk++;
  if (kept === 0 && voxels > (tally.largest?.voxels ?? 0)) tally.largest = part;
}

/** How often each voxel along each axis of the file is taken for a box of the upright grid. */
function timesTaken(taken: readonly TakenAlong[], size: Triple, { start, size: boxSize }: Box): VoxelWeights {
  const times = mapAxes(size, (length) => new Uint32Array(length));
  for (const [world, { fileAxis, indices }] of taken.entries()) {
    const [from, count] = [itemAt(start, world), itemAt(boxSize, world)];
    const along = times[fileAxis];
    for (let i = from; i < from + count; i++) {
      const index = itemAt<number>(indices, i);
      along[index] = itemAt<number>(along, index) + 1;
    }
  }
  return times;
}

/** Whether a crop left out some of the voxels that were taken within the box of what is labelled. */
function isCut(finder: PartFinder, resampled: VoxelWeights, kept: VoxelWeights): boolean {
  const box = finder.box();
  if (!box) return false;
  return AXES.some((axis) => {
    for (let i = box.first[axis]; i <= box.last[axis]; i++)
      if (resampled[axis][i] !== kept[axis][i]) return true;
    return false;
  });
}

const volumeOf = ([x, y, z]: Triple): number => x * y * z;

/**
 * What a case lost, a sentence a class: what vanished, or keeps less than `keptShare` of its volume.
 * @param classes names by value
 */
export function lossesOf(survival: LabelSurvival, classes: Readonly<Record<string, string>>): string[] {
  return Object.entries(survival).flatMap(([value, found]) => {
    const { volume, parts, vanished, shrunk } = found;
    const what = `${classes[value] ?? 'class'} (${value})`;
    const [from, to] = [mm3(volume.source), mm3(volume.prepared)];
    if (volume.prepared === 0) return [`${what} vanished, ${from}: ${causeOf(found)}`];
    const lost = [
      ...(volume.prepared < keptShare * volume.source ? [`keeps ${to} of ${from}`] : []),
      ...(vanished.resampled + vanished.cropped > 0
        ? [`${vanished.resampled + vanished.cropped} of ${parts.source} parts vanished: ${causeOf(found)}`]
        : []),
      ...(shrunk > 0 ? [`${shrunk} of ${parts.source} parts keep less than half of their volume`] : []),
    ];
    return lost.length === 0 ? [] : [`${what} ${lost.join('; ')}`];
  });
}

function causeOf({ vanished, largest }: ClassSurvival): string {
  const causes = [
    ...(vanished.resampled > 0 ? [`${vanished.resampled} resampled to nothing`] : []),
    ...(vanished.cropped > 0 ? [`${vanished.cropped} cropped away`] : []),
  ];
  const of = largest
    ? [
        `the largest had ${largest.voxels} voxels, ${mm3(largest.volume)}, at voxel [${largest.voxel.join(', ')}] of the label`,
      ]
    : [];
  return [...causes, ...of].join(', ');
}

const mm3 = (volume: number): string => `${Number(volume.toPrecision(3))} mm3`;
