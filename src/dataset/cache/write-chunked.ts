import { dirname } from 'node:path';
import { makeFolderSync, writeWholeFileSync } from '../../whole-file.js';
import {
  arrayTypes,
  bytesOf,
  type ChunkedArray,
  type ChunkedHeader,
  chunkShape,
  copyRun,
  encodeHeader,
} from './chunked-format.js';
import type { ClassPositions } from './class-positions.js';

/**
 * Writes a volume in chunks, whole or not at all.
 * @param slabs the volume from below, each of `slabPlanes` planes (the last may have fewer), `[c][z][y][x]`
 * @param positions may be filled while the slabs are drawn: only how many there are must be known before
 * @param values of the codes that the voxels are; absent: voxels are values
 */
export function writeChunkedFile(
  file: string,
  described: Omit<ChunkedHeader, 'chunk' | 'classPositions' | 'codes'>,
  slabs: Iterable<ChunkedArray>,
  positions: Readonly<Record<string, ClassPositions>> = {},
  values?: Float32Array,
): void {
  let offset = 0;
  const classPositions = Object.fromEntries(
    Object.entries(positions).map(([label, entry]) => {
      const listed = { voxels: entry.voxels, stored: entry.positions.length, offset };
      offset += entry.positions.length;
      return [label, listed];
    }),
  );
  const header: ChunkedHeader = {
    ...described,
    chunk: chunkShape,
    classPositions,
    ...(values && { codes: values.length }),
  };
  const content = function* () {
    yield encodeHeader(header);
    for (const slab of slabs) for (const chunk of chunksOf(header, slab)) yield bytesOf(chunk);
    for (const entry of Object.values(positions)) yield bytesOf(entry.positions);
    if (values) yield bytesOf(values);
  };
  makeFolderSync(dirname(file));
  writeWholeFileSync(file, content());
}

/** The chunks of a slab, x fastest, then y, z; one array for all of them, to be used before the next is asked for. */
function* chunksOf(
  { size: [nx, ny], chunk, channels, dtype }: ChunkedHeader,
  slab: ChunkedArray,
): Generator<ChunkedArray> {
  const [kx, ky, kz] = chunk;
  const planes = slab.length / (nx * ny * channels);
  const values = new arrayTypes[dtype](kx * ky * kz * channels);
  for (let cz = 0; cz < planes; cz += kz) {
    for (let cy = 0; cy < ny; cy += ky) {
      for (let cx = 0; cx < nx; cx += kx) {
        const [width, height, depth] = [
          Math.min(kx, nx - cx),
          Math.min(ky, ny - cy),
          Math.min(kz, planes - cz),
        ];
        if (width < kx || height < ky || depth < kz) values.fill(0);
        for (let c = 0; c < channels; c++) {
          for (let z = 0; z < depth; z++)
            copyRows(
              slab,
              cx + nx * (cy + ny * (cz + z + planes * c)),
              nx,
              values,
              kx * ky * (z + kz * c),
              kx,
              width,
              height,
            );
        }
        yield values;
      }
    }
  }
}

/**
 * Copies rows of `width` values that begin every `step` values in `source`, and every `toStep` in `target`.
 */
function copyRows(
  source: ChunkedArray,
  from: number,
  step: number,
  target: ChunkedArray,
  to: number,
  toStep: number,
  width: number,
  height: number,
): void {
  for (let row = 0; row < height; row++) copyRun(source, from + step * row, target, to + toStep * row, width);
}
