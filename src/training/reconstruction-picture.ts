import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { floatAt } from '../at.js';
import {
  compile,
  type GreyPicture,
  greyPicture,
  type InputSpecs,
  type InputValues,
  type Precision,
  type State,
  type Tensor,
} from '../engine/index.js';
import type { Parameters } from '../network/index.js';
import type { Reconstruction } from '../pretext/index.js';
import { makeFolder, writeWholeFile } from '../whole-file.js';

/** Crops of a picture, one a row. */
const MOST_CROPS = 4;

/** Pixels along the shorter side of a slice, at least. */
const LEAST_SIDE = 96;

/** White lines between slices, in pixels. */
const GAP = 4;

/** Folder of the pictures within a run's. */
export const pictureFolder = 'reconstructions';

/** What pictures are made of: a method's reconstruction of the same inputs, again and again. */
export interface Reconstructing {
  readonly inputs: InputSpecs;
  reconstruct(inputs: Readonly<Record<string, Tensor>>, parameters: Parameters): Reconstruction;
}

/**
 * A picture of what the network makes of `values` with the state's weights of now: a row a crop, of which the
 * middle axial slice of the first channel is shown as it is, as the network sees it, and as it is filled.
 * Values below 0 are black, above 1 white.
 */
export function openReconstructionPicture(
  { inputs, reconstruct }: Reconstructing,
  values: InputValues,
  state: State,
  precision: Precision,
): () => Promise<GreyPicture> {
  const step = compile((fed, variables) => ({ ...reconstruct(fed, variables) }), {
    name: 'reconstruction',
    inputs,
    state,
    precision,
  });
  const [batch = 0, depth = 0, height = 0, width = 0, channels = 0] = inputs.images?.shape ?? [];
  return async () => {
    const { target, seen, prediction } = await step.run(values);
    const columns = [target, seen, prediction].map((column) => column ?? new Float32Array());
    const slices = Array.from({ length: Math.min(batch, MOST_CROPS) }, (_, item) =>
      columns.map((column) => axialSlice(column, { item, depth, height, width, channels })),
    );
    return montage(slices, width, height);
  };
}

const mostPicture = 2 ** 26; // bytes

/** Keeps a picture in the run folder: `reconstructions/step-000200.png`. */
export async function keepPicture(run: string, { png }: GreyPicture, step: number): Promise<void> {
  await makeFolder(join(run, pictureFolder));
  await writeWholeFile(join(run, pictureFolder, nameOf(step)), Buffer.from(png));
}

/** The latest picture in a run folder, and the step it is of; undefined where there is none. */
export async function lastPicture(run: string): Promise<{ png: Uint8Array; step: number } | undefined> {
  const files = await readdir(join(run, pictureFolder)).catch(() => []);
  const file = files
    .filter((name) => PICTURE.test(name))
    .toSorted()
    .at(-1);
  if (file === undefined) return undefined;
  const path = join(run, pictureFolder, file);
  if ((await stat(path)).size > mostPicture) return undefined; // no picture of ours
  return { png: await readFile(path), step: Number(PICTURE.exec(file)?.[1]) };
}

/** Takes away the pictures of steps after `lastStep`, which a run that goes on from there makes anew. */
export async function dropLaterPictures(run: string, lastStep: number): Promise<void> {
  const files = await readdir(join(run, pictureFolder)).catch(() => []);
  const later = files.filter((file) => file > nameOf(lastStep));
  await Promise.all(later.map((file) => rm(join(run, pictureFolder, file))));
}

const PICTURE = /^step-(\d+)\.png$/;

const nameOf = (step: number): string => `step-${String(step).padStart(6, '0')}.png`;

interface Place {
  readonly item: number;
  readonly depth: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * The middle axial slice of the first channel as radiologists look at it: anterior above, the patient's right
 * on the left. [height * width]
 */
function axialSlice(
  values: ArrayLike<number>,
  { item, depth, height, width, channels }: Place,
): Float32Array {
  const first = (item * depth + Math.floor(depth / 2)) * height * width;
  return Float32Array.from({ length: height * width }, (_, i) => {
    const [row, column] = [height - 1 - Math.floor(i / width), width - 1 - (i % width)]; // prepared volumes are RAS
    return Number(values[(first + row * width + column) * channels]);
  });
}

/** Slices side by side, enlarged by whole numbers, with white lines between them. */
function montage(
  rows: readonly (readonly Float32Array[])[],
  width: number,
  height: number,
): Promise<GreyPicture> {
  const times = Math.max(1, Math.ceil(LEAST_SIDE / Math.min(width, height)));
  const [tileWidth, tileHeight] = [width * times + GAP, height * times + GAP];
  const columns = Math.max(...rows.map((row) => row.length));
  const [wide, high] = [columns * tileWidth - GAP, rows.length * tileHeight - GAP];
  const grey = new Uint8Array(wide * high).fill(255);
  rows.forEach((row, r) => {
    row.forEach((slice, c) => {
      for (let y = 0; y < height * times; y++) {
        for (let x = 0; x < width * times; x++) {
          const value = floatAt(slice, Math.floor(y / times) * width + Math.floor(x / times));
          grey[(r * tileHeight + y) * wide + c * tileWidth + x] = Math.round(
            255 * Math.min(1, Math.max(0, value)),
          );
        }
      }
    });
  });
  return greyPicture(grey, wide, high);
}
